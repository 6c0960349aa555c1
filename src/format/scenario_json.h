/* The scenario file: JSON, keys matched without regard to case, durations by Go's grammar.
 * docs/scenario.md is its reference. */
#ifndef FORMAT_SCENARIO_JSON_H
#define FORMAT_SCENARIO_JSON_H

#include <stddef.h>

#include "model/scenario.h"
#include "util/error.h"

/* Reads text (size bytes, no NUL needed; name is for messages).  Every problem is appended to
 * errors with its place: "flows[3].duration", or line and column where the JSON itself is broken.
 * Returns what could be read, so that plan_build() can look for further problems; NULL if
 * the JSON is broken or memory ran out.  The caller frees it or hands it to plan_build(). */
struct scenario *scenario_parse(const char *text, size_t size, const char *name,
                                struct error_list *errors);

/* The same from a file; "-" is standard input.  Files over 64 MiB are refused. */
struct scenario *scenario_load(const char *path, struct error_list *errors);

#endif
