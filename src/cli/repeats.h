/* The runs of one command, one after another on the same agents, and the result files they leave.
 */
#ifndef CLI_REPEATS_H
#define CLI_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/say.h"
#include "master/master.h"
#include "model/plan.h"

struct repeats {
    const struct plan *plan;
    struct master_options master;
    uint32_t count;
    int64_t pause_ns;     /* between two runs */
    int64_t warmup_ns;    /* of summaries */
    uint64_t seed;        /* of every run */
    const char *output;   /* "-": standard output */
    bool separate;        /* a file for each run, named by repeats_path() */
    bool tell_replaced;   /* log which files the results took the place of */
    bool shutdown_agents; /* tell the agents to exit at the end */
    struct said *said;
};

struct repeats_outcome {
    uint64_t complete, partial, failed; /* flows of all runs */
    bool troubled;                      /* of any run: see struct master_outcome */
    size_t written;                     /* runs */
    char **files;                       /* that stand now */
    size_t file_count;
};

/* Ends before its time where an agent cannot be used, this machine fails, or somebody interrupts;
 * what there is by then is written.  Prints the problems.  Returns enum exit_status. */
int repeats_run(const struct repeats *repeats, struct repeats_outcome *outcome);
void repeats_outcome_fini(struct repeats_outcome *outcome);

/* "a/results.pb.gz" and 2: "a/results-2.pb.gz".  To be freed; NULL: out of memory. */
char *repeats_path(const char *output, uint32_t number);

#endif
