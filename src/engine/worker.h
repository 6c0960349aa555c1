/* One worker: a thread, pinned to its core, with its loop, its ends, its listeners and its outbox.
 * Nothing of it is shared with another worker; the control thread works on it by worker_call(),
 * the recorder takes from its outbox, and anybody may read its totals. */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "engine/ecn.h"
#include "engine/end.h"
#include "engine/engine.h"
#include "engine/listener.h"
#include "engine/loop.h"
#include "engine/outbox.h"
#include "engine/usage.h"

/* What all workers go by; it does not change while they run. */
struct worker_setup {
    uint16_t port_first, port_last;
    int64_t interval_ns, lead_ns;
    uint32_t read_size, write_size;
    const uint8_t *payload;  /* write_size bytes, for all to send */
    unsigned workers;        /* of the run on this machine, those of other engines too */
    unsigned connecting_max; /* outstanding connects of one worker */
    struct watchdog *watchdog;
    int recorder_fd;   /* eventfd */
    bool has_flow_key; /* who asks for a proof gets it: */
    uint8_t flow_key[FLOW_KEY_SIZE];
    struct ecn_setup *ecn; /* what is changed on the host for it */
};

TAILQ_HEAD(end_list, end);

struct worker {
    const struct worker_setup *setup;
    int cpu; /* to run on; -1: any */
    pthread_t thread;
    bool has_thread, told_to_leave;
    struct loop loop;
    struct loop_call stop;        /* of all ends */
    struct usage usage;           /* of the thread */
    int64_t asked_ns;             /* up to when it has spent its questions, see account.c */
    struct clock_bracket bracket; /* the last one, see stamps.c */
    struct ecn *ecn;
    struct reception reception;
    void *discard; /* read_size bytes that cannot be touched: where sinks read to, in name */
    struct outbox outbox;

    struct end_list ends; /* all */
    size_t end_count;
    size_t paced_halves; /* of all ends */
    void *by_flow;       /* tsearch trees of ends */
    void *by_token;      /* accepting ends */
    struct end_list sampled;
    struct end_list queued; /* want to connect */
    unsigned connecting;
    size_t held;             /* ends that are */
    bool leaving;            /* quits when none is */
    struct end_list debtors; /* owe something to the outbox */
    int64_t publish_ns;      /* when the recorder is told at the latest */

    uint64_t ends_over, received, sent; /* as in totals, kept by the thread */
    struct {
        _Atomic uint64_t ends, ends_over, received, sent;
    } totals;
};

/* Starts the thread.  0, or ERROR_SYSTEM. */
int worker_create(struct worker **out, const struct worker_setup *setup, int cpu,
                  struct error *err);
/* Has the thread quit: at once, or when no sink waits any longer for its peer to let go, half a
 * second at most. */
void worker_leave(struct worker *worker);
/* Ends the thread; sockets are reset, nothing is reported.  NULL is fine. */
void worker_destroy(struct worker *worker);

/* Ends that are to be admitted: those whose worker is this one, not NULL.  One that is refused is
 * freed, NULL after, and its answer says why. */
struct admission {
    struct end **ends;
    struct end_ready *answers;
    bool *no_port; /* zeroed; true: it was refused for lack of a data port, and nothing is said */
    size_t count;
};
void worker_admit(struct worker *worker, struct admission *admission);
/* Neither waits for the thread. */
void worker_set_axis(struct worker *worker, const struct axis *axis);
void worker_stop(struct worker *worker);
/* Waits until it has done what it was told before. */
void worker_await(struct worker *worker);

/* ---- In the worker's thread ---- */

/* The accepting end that the token names; NULL: none. */
struct end *worker_find_token(const struct worker *worker, const uint8_t token[TOKEN_SIZE]);
/* The end owes something: tries to put it out, now or when there is room. */
void worker_owe(struct end *end);

#endif
