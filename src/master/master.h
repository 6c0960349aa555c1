/* The master: takes a plan through its order of life against the agents and writes the result
 * file.  docs/protocol.md tells the order. */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/plan.h"
#include "util/error.h"

struct master_options {
    const char *output;       /* result file, "-" for standard output */
    int64_t lead_ns;          /* connect so long before a flow's start */
    int64_t agent_timeout_ns; /* an agent that is silent for so long is lost */
    bool best_effort;         /* run what can run */
    bool local;               /* start the agents on this machine, whatever the hosts' mgmt says */
    bool shutdown_agents;     /* tell the agents to exit after the run */
    bool check_only;          /* everything before t0, then nothing is started */
    bool progress;            /* a line on standard error that is rewritten */
};

struct master_outcome {
    uint64_t complete, partial, failed; /* flows */
    bool interrupted;
    bool troubled; /* an agent was lost, or its disk full: the result's events tell */
    bool wrote_result;
};

/* Runs the plan.  0 when a run took place and its result file stands (the outcome says how it
 * went); ERROR_AGENT when nothing was started because an agent cannot be used: all problems are in
 * `problems`; ERROR_SYSTEM otherwise.  SIGINT and SIGTERM end the run in good order; a second one
 * ends the collecting too.  Logs what a person should see.  Main thread, before any other thread
 * exists. */
int master_run(const struct plan *plan, const struct master_options *options,
               struct master_outcome *outcome, struct error_list *problems, struct error *err);

#endif
