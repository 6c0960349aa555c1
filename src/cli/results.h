/* What commands that write results print of them. */
#ifndef CLI_RESULTS_H
#define CLI_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* Whether the results go to standard output, where they cannot be read again. */
bool results_to_stdout(const char *output);

/* The summary of result files on standard output, its table cut where it is long.  kept: the files
 * stay, so that the rest can be seen. */
int results_summary(const char *const *files, size_t count, bool kept, bool json,
                    struct error *err);

/* A line on standard error instead, where the results went to standard
 * output, a device or a pipe: they cannot be read again. */
void results_counts(uint64_t complete, uint64_t partial, uint64_t failed);

#endif
