/* One end of one flow: the state machine from its prepared spec to its report.
 *
 *   WAITING ----> QUEUED ----> CONNECTING ----> OPEN ----> HELD ----> OVER
 *      |        (opening end only)               ^  \         LOST ---^
 *      +---------- a token came (accepting end) -+   +--------^
 *
 *   WAITING     opening end: its time to connect has not come; accepting end: nobody came yet
 *   QUEUED      opening end: too many connects are outstanding
 *   CONNECTING  connect() is under way
 *   OPEN        connected.  BEGIN at the flow's start, STOP at start + duration (the counted time
 *               is over), LIMIT some seconds later.  A source then shuts down and drains, a sink
 *               reads to the end.  When all halves are done the end is COMPLETE
 *   HELD        a sink that has read all, and has its report, keeps its socket until the peer
 *               resets it, for 2 s at most, as its own FIN would bring the peer into TIME_WAIT.
 *               It is then closed without a reset: should the peer not have heard that all
 *               arrived, the kernel goes on telling it
 *   LOST        the peer went before the scheduled end: FAILED, but for half a second it may turn
 *               out that the run was being stopped, the other agent first
 *   OVER        the socket is closed, the report is put out or owed
 *
 * From any state: engine_stop() makes it STOPPED, a time limit or an error FAILED or CUT.
 *
 * An end may be source and sink at once, whichever side opened.  All here runs in the thread of
 * the end's worker. */
#ifndef ENGINE_END_H
#define ENGINE_END_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "engine/account.h"
#include "engine/loop.h"
#include "engine/pacing.h"
#include "engine/socket_options.h"
#include "engine/stamps.h"
#include "engine/timer_heap.h"
#include "model/flow.h"
#include "model/sample.h"

struct tap;
struct worker;

enum end_state {
    STATE_WAITING,
    STATE_QUEUED,
    STATE_CONNECTING,
    STATE_OPEN,
    STATE_HELD,
    STATE_LOST,
    STATE_OVER
};

/* What the schedule's timer is for. */
enum end_step { STEP_CONNECT, STEP_GIVE_UP, STEP_BEGIN, STEP_STOP, STEP_LIMIT };

enum source_state {
    SOURCE_NONE,
    SOURCE_IDLE,
    SOURCE_MOVING,
    SOURCE_STOPPED, /* writes no more, will be shut down in a moment */
    SOURCE_DRAINING,
    SOURCE_DONE
};
enum sink_state { SINK_NONE, SINK_MOVING, SINK_DONE };

struct end {
    struct worker *worker;
    struct end_spec spec;
    struct socket_address peer;
    struct tap *tap; /* NULL: it is not captured */

    enum end_state state;
    enum source_state source;
    enum sink_state sink;
    enum end_step step;
    int fd; /* -1: none */
    struct watch watch;
    struct timer schedule; /* step's; time of the axis */
    struct timer pause;    /* OPEN, HELD, LOST: see on_pause(); CLOCK_MONOTONIC */
    bool owes_token;       /* it goes with the first payload */
    int64_t drain_ns;      /* since when */
    uint64_t sent, received;
    struct time_account account;
    struct paced_half sending, reading;
    struct stamps stamps; /* of the first payload */

    int64_t first_tick, next_tick; /* of the sampler; next not accounted for */
    bool sampled;                  /* among the sampler's ends */

    bool owes_ready, owes_last, owes_report;
    bool in_debt;       /* among the worker's debtors */
    struct sample last; /* the one off the ticks */
    struct end_report report;

    TAILQ_ENTRY(end) in_worker;
    TAILQ_ENTRY(end) in_sampler;
    TAILQ_ENTRY(end) in_queue; /* QUEUED */
    TAILQ_ENTRY(end) in_debts; /* owes_... */
};

/* A new end, before its worker knows it; NULL: out of memory.  device: where its packets leave. */
struct end *end_create(struct worker *worker, const struct end_spec *spec,
                       const struct socket_address *peer, const char *device);
/* Closes the socket, with no report. */
void end_free(struct end *end);

/* Its worker has it now: waits for its time, or connects. */
void end_admit(struct end *end);
/* Whether an accepting end would have a connection from this peer. */
bool end_expects(const struct end *end, const struct socket_address *peer);
/* The socket of an accepting end that nobody had claimed: the token, if any, was read from it. */
void end_accept(struct end *end, int fd, const struct socket_address *peer, int64_t accepted_ns);
/* Opens what is queued, up to the worker's limit of outstanding connects. */
void end_connect_queued(struct worker *worker);
void end_stop(struct end *end);
/* HELD: its worker leaves, the peer has half a second more. */
void end_hurry(struct end *end);
/* Puts out what it owes, in order.  false: no room, again later. */
bool end_pay(struct end *end);

/* ---- Between end.c, end_connect.c, end_transfer.c and pacing.c ---- */

void end_queue_connect(struct end *end);
void end_unqueue(struct end *end); /* also while CONNECTING; from any other state nothing */
void end_connect_ready(struct end *end);
void end_connected(struct end *end);
/* 0, or -1: the end is over. */
int end_set_options(struct end *end, int fd);

void source_begin(struct end *end);
void source_write(struct end *end, size_t size);
void source_shut_down(struct end *end);
void source_check_drained(struct end *end);
void sink_read(struct end *end, size_t size);
/* Payload that the sample says was acknowledged, or received. */
uint64_t source_acked(const struct end *end, const struct sample *sample);
uint64_t sink_received(const struct end *end, const struct sample *sample);

/* Has the socket watched for what the end's halves wait for now. */
void end_watch(struct end *end);
void end_set_time(struct end *end, enum end_time which, int64_t now_ns);
/* Whether the scheduled end is here, or so near that the two clocks may differ about it. */
bool end_is_due(const struct end *end);
void end_half_done(struct end *end);
/* The peer went, by `cause` (errno; 0: it closed), or a call failed. */
void end_peer_gone(struct end *end, int cause);
__attribute__((format(printf, 3, 4))) void end_over(struct end *end, enum end_status status,
                                                    const char *format, ...);

#endif
