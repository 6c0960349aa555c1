/* One run on this agent: its engine while it lives, its spool until it is forgotten.
 *
 * All functions on the agent's main thread; but run_prepare(), run_let_go() and run_destroy(),
 * which may take long, on any, one at a time: meanwhile the main thread may use what is marked so.
 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/agent.h"
#include "agent/consent.h"
#include "engine/engine.h"
#include "format/segment.h"
#include "model/host_series.h"
#include "util/error.h"
#include "util/random.h"

struct run; /* opaque */
struct watchdog;

/* Settings that the master may leave to the agent are 0. */
struct run_settings {
    char id[RANDOM_ID_MAX];
    int64_t interval_ns, lead_ns;
    uint32_t read_size, write_size;
    uint64_t ends;                                    /* that will be prepared, at most */
    uint64_t ends_here;                               /* of other runs, in this process */
    char interfaces[HOST_INTERFACES_MAX][DEVICE_MAX]; /* to be sampled beside the flows */
    size_t interface_count;
    struct watchdog *watchdog;       /* of its threads; NULL: none */
    bool until_stop;                 /* it is over only when it was stopped, also without ends */
    uint8_t flow_key[FLOW_KEY_SIZE]; /* see consent.h, as the next */
    char caller[CONSENT_CALLER_MAX];
    bool caller_is_here;         /* likewise */
    struct consent_limit *limit; /* the agent's */
};

/* Makes the spool's file, and the engine; where one process cannot have so many ends open, ends
 * will come to processes that have one each.  grew(arg) is called on another thread when the spool
 * has grown, until run_settle() said that the run is over or run_destroy() returned. */
int run_create(struct run **out, const struct run_settings *settings,
               const struct agent_options *agent, void (*grew)(void *arg), void *arg,
               struct error *err);

const char *run_id(const struct run *run);      /* any time */
int64_t run_interval_ns(const struct run *run); /* any time; in force */
bool run_is_sharded(const struct run *run);     /* its ends are not in this process */
bool run_was_started(const struct run *run);    /* any time */
bool run_is_sampled(const struct run *run); /* any time: until it is stopped, also without ends */
bool run_has_flows(const struct run *run);  /* any time: it was started, and is not over */

/* Whether ends may be prepared: it was neither started nor stopped. */
bool run_is_open(const struct run *run);

/* As engine_prepare(), for ends that connect where an agent of the run listens: the others lose
 * their port.  ERROR_INPUT once the run was started or stopped, or for more ends than were
 * announced.  If it fails otherwise the run is of no use: stop it. */
int run_prepare(struct run *run, struct end_spec *specs, size_t count, struct end_ready *answers,
                struct error *err);
/* Nobody wants what is being prepared: run_prepare() does not wait for other agents, until
 * run_take_time().  Any time. */
void run_hurry(struct run *run);
void run_take_time(struct run *run);
/* Whether one more piece of the run may be prepared: what all pieces may have together is bounded.
 * 0, or ERROR_INPUT; never for the first piece. */
struct Tcpflowgen__PrepareRequest;
int run_admit(struct run *run, const struct Tcpflowgen__PrepareRequest *piece, struct error *err);
/* Keeps a piece that will be prepared in the spool, if the master said what the run is about. */
void run_describe(struct run *run, const struct Tcpflowgen__PrepareRequest *piece);
int run_start(struct run *run, const struct axis *axis, struct error *err); /* once */
void run_adjust(struct run *run, const struct axis *axis); /* nothing unless it runs */
void run_stop(struct run *run);                            /* every end ends now */
/* Another run has flows while this one has: they share what there is.  Once for each. */
void run_meet_another(struct run *run);

/* Completes the spool once every end is over.  True if the run is over.  To be called now and then,
 * and when the spool has grown.  Any time. */
bool run_settle(struct run *run);

/* Lets the engine and its threads, or the shards, of a run that is over go. */
void run_let_go(struct run *run);

/* Why the spool is not what it should be, or NULL.  Any time. */
const char *run_failure(const struct run *run);

struct engine_totals run_totals(const struct run *run); /* any time */
struct segment *run_spool(const struct run *run);       /* any time */

/* Ends what still runs.  NULL is fine. */
void run_destroy(struct run *run, bool remove_spool);

#endif
