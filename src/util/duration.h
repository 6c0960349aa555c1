/* Durations as Go's time.ParseDuration reads them: [+-]? (decimal unit)+ or 0, with the units
 * ns us µs(U+00B5) μs(U+03BC) ms s m h, exact to the nanosecond, within int64. */
#ifndef UTIL_DURATION_H
#define UTIL_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* Parses the whole of text.  0 and *out in ns, or ERROR_INPUT with what is wrong and a cure. */
int duration_parse(const char *text, int64_t *out, struct error *err);

#define DURATION_TEXT_MAX 32
/* As Go prints it: "1.5s", "250ms", "1m30s", "0s".  Returns out. */
char *duration_format(int64_t ns, char out[DURATION_TEXT_MAX]);

#endif
