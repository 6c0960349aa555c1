/* Says what keeps a text from being JSON, where, and what to do: in the words of one who writes the
 * file, not of the parser. */
#ifndef FORMAT_JSON_FAULT_H
#define FORMAT_JSON_FAULT_H

#include <jansson.h>
#include <stddef.h>

#include "util/error.h"

/* broken is what jansson said of text[0..size), behind which a NUL stands.  Fills err, ERROR_INPUT
 * at where, with line and column. */
void json_fault(const char *text, size_t size, const json_error_t *broken, const char *where,
                struct error *err);

#endif
