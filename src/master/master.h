/* The master: takes a plan through its order of life against the agents, once or several times, and
 * writes what comes of it.  docs/protocol.md tells the order. */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "format/results_writer.h"
#include "model/plan.h"
#include "util/error.h"
#include "util/users.h"

struct master_options {
    int64_t lead_ns;          /* connect so long before a flow's start */
    int64_t agent_timeout_ns; /* an agent that is silent for so long is lost */
    bool best_effort;         /* run what can run */
    bool local;               /* start the agents on this machine, whatever the hosts' mgmt says */
    bool clock_on_test;       /* the clock probe takes the test network */
    bool flush_metrics;       /* agents' kernels forget what they remember of the peers */
    bool check_only;          /* everything before t0, then nothing is started */
    bool progress;            /* a line on standard error that is rewritten */
    struct users trusted;     /* whose agents on this machine are used */
    const char *captures;     /* directory of captured packets; NULL: beside the results */
};

/* One of the runs of a plan. */
struct master_repeat {
    uint32_t number, of;             /* 1..of */
    uint64_t seed;                   /* for the result */
    int64_t warmup_ns;               /* for the result */
    const char *output;              /* result file, "-" for standard output */
    struct results_writer **results; /* where the run's flows are appended, then left open; NULL
                                        there: none yet.  Unused with check_only */
};

struct master_outcome {
    uint64_t complete, partial, failed; /* flows */
    bool interrupted;
    bool troubled; /* an agent was lost, or its disk full: the result's events tell */
    bool wrote_result;
};

struct master; /* opaque */

/* Starts the agents if they are this machine's own.  plan and *options must outlive the master.
 * From now on SIGINT and SIGTERM end a run, or a pause, in good order.  Main thread, before any
 * other thread exists; once in a process. */
int master_create(struct master **out, const struct plan *plan,
                  const struct master_options *options, struct error *err);

/* Runs the plan.  0 when a run took place and its flows were written (the outcome says how it
 * went), or it was interrupted before; ERROR_AGENT when nothing was started because an agent cannot
 * be used: all problems are in `problems`; ERROR_SYSTEM otherwise.  A second interrupt ends the
 * collecting too.  Logs what a person should see. */
int master_run(struct master *master, const struct master_repeat *repeat,
               struct master_outcome *outcome, struct error_list *problems, struct error *err);

/* Waits between two runs; false: interrupted. */
bool master_pause(struct master *master, int64_t pause_ns);

/* Tells the agents of the last run to exit: after its result file stands. */
void master_shutdown_agents(struct master *master);

/* Ends the agents that it started.  NULL is fine. */
void master_destroy(struct master *master);

#endif
