/* What scenario_keys.h declares, for others to read: for editors and for people. */
#ifndef FORMAT_SCENARIO_SCHEMA_H
#define FORMAT_SCENARIO_SCHEMA_H

#include <stdio.h>

#include "util/error.h"

/* A JSON Schema (draft 2020-12) of the scenario.  It accepts no less than the reader does, but
 * wants keys spelled as they are declared and durations without a minus.  0 or ERROR_SYSTEM. */
int scenario_schema_json(FILE *out, struct error *err);

/* The reference tables of docs/scenario.md. */
void scenario_schema_markdown(FILE *out);

#endif
