/* The keys of a scenario.  Private to its reader and its schema. */
#ifndef FORMAT_SCENARIO_KEYS_H
#define FORMAT_SCENARIO_KEYS_H

#include "format/json_object.h"

/* Control characters, as json_has_control() knows them, in a class of a regular expression. */
#define PATTERN_CONTROLS "\\u0000-\\u001f\\u007f-\\u009f"

/* Read into a struct scenario. */
extern const struct json_table scenario_keys;

#endif
