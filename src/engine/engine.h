/* The data plane of one run on one agent: opens, accepts, fills, empties, samples and ends the
 * ends that it was given, on its own worker threads (one a core).
 *
 *   engine_create -> engine_prepare (any number of times) -> engine_start -> ... engine_ended
 *
 * A worker owns its ends alone: their sockets, times, samples.  Both ends of a flow are put on
 * one worker where both are local.  Commands enter a worker, and samples and reports leave it,
 * through queues with an eventfd; nothing is locked or allocated while data moves.
 *
 * Threads: all calls from one control thread, but engine_take() and engine_wait_fd() from one
 * (other) recorder thread, and engine_totals() from any.  SIGPIPE must be ignored by the process.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/axis.h"
#include "model/flow.h"
#include "model/packet.h"
#include "model/sample.h"
#include "util/error.h"

struct engine; /* opaque */
struct watchdog;

struct engine_options {
    unsigned workers;               /* 0: one a core that this process may use */
    unsigned part, parts;           /* where `parts` engines share the workers: 0 <= part < parts */
    bool unpinned;                  /* the scheduler places them: where engines share the cores */
    uint16_t port_first, port_last; /* data ports of accepting ends; 0: the kernel chooses */
    int64_t interval_ns;            /* sampling, INTERVAL_MIN_NS or more */
    uint32_t read_size, write_size; /* bytes a call; 0: the engine's own (fastest) */
    size_t other_descriptors;       /* that this process keeps for others than ends */
    int64_t lead_ns;                /* CONNECT_AHEAD connects so long before its flow's start */
    char run[40];                   /* the run's id: for messages */
    struct watchdog *watchdog;      /* of the workers; NULL: none */
    bool guarded;                   /* ECN has a guardian: this program once more */
    bool has_flow_key;              /* who asks an accepting end is answered (engine/proof.h): */
    uint8_t flow_key[FLOW_KEY_SIZE]; /* with this key; only then are such ends captured */
};

#define ENGINE_WRITE_SIZE (256u << 10)
#define ENGINE_READ_SIZE  (1u << 20)

/* One prepared end's answer: it will run, or `error` says why not, or it had no port. */
struct end_ready {
    uint32_t flow;
    enum flow_end end;
    bool runs;                /* it was taken */
    uint16_t port;            /* accepting end: where it listens */
    char error[PROBLEMS_MAX]; /* all that is wrong, a line each; empty: nothing is */
};

/* How many ends can be open in one process that keeps so many descriptors for others.  Raises the
 * process's limit of descriptors to what it may be. */
size_t engine_ends_max(size_t others);
/* The limit of descriptors with which so many ends can be open, where none are kept. */
size_t engine_descriptors(size_t ends);

int engine_create(struct engine **out, const struct engine_options *options, struct error *err);

/* Takes count ends; answers[i] belongs to specs[i].  An end that cannot run (address not here,
 * wrong route, unknown algorithm, no permission, no port, a duplicate) is told in its answer and
 * forgotten.  An opening end that has no port to connect to, because its peer cannot run, is only
 * checked.  0, or ERROR_SYSTEM when nothing could be done at all.
 *
 * An opening end that connects ahead and starts within lead_ns of t0 connects at once; its
 * readiness, and that of the accepting end (token seen), is told as ENGINE_READY.  An accepting end
 * that was prepared is never forgotten: it is over with engine_stop() or its deadline at the
 * latest. */
int engine_prepare(struct engine *engine, const struct end_spec *specs, size_t count,
                   struct end_ready *answers, struct error *err);

/* This and the next two return at once: a worker does it when what it is at just now is done.
 *
 * Gives t0 and the ticks: axis->axis_ns 0 is t0.  Once. */
int engine_start(struct engine *engine, const struct axis *axis, struct error *err);

/* A better mapping: schedules follow it without a step (axis_slew over 2 s). */
void engine_adjust(struct engine *engine, const struct axis *axis);

/* Every end that still runs ends now, with a last sample and its report (END_STOPPED). */
void engine_stop(struct engine *engine);

/* Waits for that: what stopped ends have to say can then be taken. */
void engine_await(struct engine *engine);

/* What leaves the engine, in an order that is right for each end: READY, samples, report last.
 * Packets and what came of capturing them follow on their own, CAPTURED last. */
enum engine_item_kind {
    ENGINE_SAMPLE,
    ENGINE_READY,
    ENGINE_REPORT,
    ENGINE_PACKETS,
    ENGINE_CAPTURED
};
struct engine_item {
    enum engine_item_kind kind;
    uint32_t flow;
    enum flow_end end;
    int64_t t_ns;                          /* ENGINE_READY */
    const struct sample *sample;           /* ENGINE_SAMPLE: valid during the call */
    const struct end_report *report;       /* ENGINE_REPORT: likewise */
    const struct packet_batch *packets;    /* ENGINE_PACKETS: likewise */
    const struct capture_report *captured; /* ENGINE_CAPTURED: likewise */
};
typedef void engine_consumer(void *arg, const struct engine_item *item);

/* Becomes readable when there is something to take, and at least every 200 ms while ends run. */
int engine_wait_fd(const struct engine *engine);
/* Hands over all there is.  Recorder thread. */
void engine_take(struct engine *engine, engine_consumer *consumer, void *arg);
/* Whether packets may still come, though every end was reported.  Recorder thread. */
bool engine_is_capturing(struct engine *engine);

struct engine_totals {
    uint64_t ends;           /* prepared */
    uint64_t ends_over;      /* their report was put out */
    uint64_t received_bytes; /* payload, all sinks */
    uint64_t sent_bytes;     /* payload, all sources */
};
struct engine_totals engine_totals(const struct engine *engine);

/* Ends what still runs (no reports then), joins the workers, frees.  Where a sink that is over
 * waits for its peer to let go, that takes half a second at most.  NULL is fine. */
void engine_destroy(struct engine *engine);

#endif
