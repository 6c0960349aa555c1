/* What a reader of a run's figures must know: the file's own warnings, and what its figures give
 * reason to. */
#ifndef REPORT_WARNINGS_H
#define REPORT_WARNINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "report/summary.h"

/* Zero-initialised is empty. */
struct warnings {
    char **texts; /* a sentence each, as files have them: not tamed for terminals */
    size_t count;
    bool incomplete; /* no memory */
};

/* Appends those of the run. */
void warnings_of(struct warnings *out, const struct run_summary *run);
bool warnings_have(const struct warnings *warnings, const char *text);
/* Or one that differs only in figures, not in what it is of: "12 %" but not "flow 12". */
bool warnings_have_like(const struct warnings *warnings, const char *text);
void warnings_fini(struct warnings *warnings);

#endif
