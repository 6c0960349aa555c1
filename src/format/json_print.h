/* JSON for programs, on a stream. */
#ifndef FORMAT_JSON_PRINT_H
#define FORMAT_JSON_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "util/error.h"

/* Prints the value (jansson's flags) and a line end, and gives its reference back; NULL: memory ran
 * out.  0, or ERROR_SYSTEM.  What cannot be written is forgotten, so that nobody tells it again. */
int json_print(json_t *value, size_t flags, FILE *out, struct error *err);

#endif
