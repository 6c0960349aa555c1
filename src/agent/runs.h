/* The runs of an agent, and the calls that watch them.  Main thread.
 *
 * Who prepared a run owns it: it is found only with the secret that came with it.
 *
 * A master that goes away without a word does not leave flows behind: a run that nobody watches
 * for so long is stopped.  Its spool stays until the master collects and forgets it.
 *
 * The table has RUNS_MAX places, of which one caller may have RUNS_OF_ONE_MAX.  A run that is over
 * holds no more than its spool, and gives way to a new one: the caller's own oldest if the caller
 * has no other place, else, in a full table, the oldest that nobody reads.  Its file stays.  If
 * none is over in a full table, one gives way that was not started, and that nobody has watched for
 * RUNS_IDLE_NS: of who has the most places, and more than the new one's caller.  One that was
 * started keeps its place. */
#ifndef AGENT_RUNS_H
#define AGENT_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent.h"
#include "agent/run.h"
#include "agent/watcher.h"
#include "probe/responder.h"
#include "rpc/rpc.h"
#include "util/clock.h"
#include "util/secret.h"

#define RUNS_MAX        16
#define RUNS_OF_ONE_MAX 4
#define RUNS_IDLE_NS    (5 * NS_PER_S)

/* Whose a run is. */
struct run_owner {
    uint8_t secret[SECRET_SIZE];
    const char *caller; /* who shares limits with him: rpc_caller's key */
    bool is_here;       /* likewise */
};

/* One of them.  While it is busy an errand has it, and what is asked for waits until that is done.
 */
struct hosted {
    struct runs *runs;
    struct run *run;
    uint8_t secret[SECRET_SIZE];
    char caller[64]; /* who prepared it, by the key of shared limits */
    char reader[64]; /* who read it last, likewise */
    struct watcher *watchers;
    uint64_t ends;      /* that arrived: a place is kept for them */
    size_t captures;    /* ends that are captured */
    int64_t watched_ns; /* when a master was last there; rpc_loop_now() */
    bool over, failure_told;
    bool orphaned;  /* stopped for want of a master */
    bool kept_told; /* that its spool stays was logged */
    bool busy;
    bool stop;                 /* wanted when it is not busy any more */
    bool leaving;              /* likewise: it is not found any more */
    bool remove_spool;         /* when it leaves */
    struct rpc_call *farewell; /* to be answered when it has left; NULL: none */
};

struct runs {
    struct rpc_loop *loop;
    const struct agent_options *options;
    struct responder *responder;    /* its probe of a run ends with that */
    struct hosted *items[RUNS_MAX]; /* oldest first */
    size_t count;
    size_t leaving; /* out of the table, and being destroyed */
    struct consent_limit consents;
};

/* The run of that name, for who has its secret; NULL: there is none, or it is another's. */
struct hosted *runs_find(const struct runs *runs, const char *id, const void *secret, size_t size);

/* Whether that name is taken. */
bool runs_have(const struct runs *runs, const char *id);

/* Whether a run is under way. */
bool runs_are_busy(const struct runs *runs);

/* Those that have flows now. */
uint32_t runs_with_flows(const struct runs *runs);

/* Makes a run of a name that is not taken, if there is room for it beside the others;
 * settings->caller, caller_is_here, ends_here, limit and watchdog are filled in.  NULL and err:
 * refused. */
struct hosted *runs_add(struct runs *runs, struct run_settings *settings,
                        const struct run_owner *owner, struct error *err);

/* Sees to what is due in each run: its watchers, its end, a vanished master.  It does so by itself
 * now and then.  runs is a struct runs: a function to be posted. */
void runs_look_after(void *runs);

/* Ends all.  Spools stay, but those of runs that were forgotten. */
void runs_fini(struct runs *runs);

/* Takes the watcher over; false: there are too many. */
bool hosted_watch(struct hosted *hosted, struct watcher *watcher);

/* Lends the run to an errand, which work(arg) is, on another thread; done(arg) must call
 * hosted_come_back().  0, or -1 when no thread can be had: nothing was lent. */
int hosted_lend(struct hosted *hosted, void (*work)(void *arg), void (*done)(void *arg), void *arg);
/* Counts an end more that is captured, if there is room for it beside those of all runs under way:
 * a tap takes much of the kernel's memory.  0, or ERROR_FLOW. */
int hosted_capture(struct hosted *hosted, struct error *err);

/* Keeps a place for so many ends that arrived; what is announced has none.  0, or ERROR_AGENT if
 * others have the room. */
int hosted_reserve(struct hosted *hosted, uint64_t ends, struct error *err);

/* The run may be gone afterwards. */
void hosted_come_back(struct hosted *hosted);

/* Starts it, and notes with which others it shares this agent. */
int hosted_start(struct hosted *hosted, const struct axis *axis, struct error *err);

void hosted_stop(struct hosted *hosted);

/* Takes it out of the table and destroys it; farewell (may be NULL) is answered then. */
void hosted_forget(struct hosted *hosted, struct rpc_call *farewell);

#endif
