/* The keys of a scenario.  Private to its reader and its schema. */
#ifndef FORMAT_SCENARIO_KEYS_H
#define FORMAT_SCENARIO_KEYS_H

#include "format/json_object.h"

/* Control characters, as json_has_control() knows them, in a class of a regular expression. */
#define PATTERN_CONTROLS "\\u0000-\\u001f\\u007f-\\u009f"
#define PATTERN_BLANKS   "\\u00a0\\u2000-\\u200f\\u2028-\\u2029\\u202f\\u205f-\\u2060\\u3000\\ufeff"

/* Read into a struct scenario. */
extern const struct json_table scenario_keys;

#endif
