/* What to say to words of other programs that no key of a scenario stands for. */
#ifndef FORMAT_SCENARIO_HINTS_H
#define FORMAT_SCENARIO_HINTS_H

#include "format/json_object.h"

extern const struct json_hints scenario_flow_hints, scenario_host_hints, scenario_top_hints;

#endif
