/* A result file from the spools that agents left of a run which was never collected. */
#ifndef RECOVER_RECOVER_H
#define RECOVER_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct recover_outcome {
    uint64_t complete, partial, failed; /* flows */
    size_t warnings, lost; /* of the run; agents whose spools are not here, or not whole */
    size_t broken;         /* records that are left out */
    bool mixed;            /* the files are of several runs: see survey.h */
};

/* Reads the spools of one run (and its master's part file, if that is given), which stay as they
 * are, and writes output.  0, ERROR_INPUT (no spool, or of another run), or ERROR_SYSTEM. */
int recover_run(const char *const *spools, size_t count, const char *output,
                struct recover_outcome *outcome, struct error *err);

#endif
