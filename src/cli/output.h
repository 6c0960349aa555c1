/* Where results go: never over what they are made of, and not in silence over other files. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stddef.h>

#include "util/error.h"

/* Whether output, or the NAME.tmp that comes before it, is one of the inputs, by whatever name
 * ("-": standard input).  0 or ERROR_INPUT.  A device or a pipe is no file that could be lost. */
int output_check(const char *output, const char *const *inputs, size_t count, struct error *err);

#define OUTPUT_OLD_MAX 64
/* What stands under the name now, "12 MB, of 2026-11-20 17:03"; empty: no file that a rename
 * would replace.  Returns out. */
char *output_old(const char *output, char out[OUTPUT_OLD_MAX]);

/* Logs that output took the place of old, unless that is empty. */
void output_tell(const char *output, const char *old);

#endif
