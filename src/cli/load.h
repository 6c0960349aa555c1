/* From a scenario's file to the plan, with what the command line overrides. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include <stdint.h>

#include "cli/say.h"
#include "model/plan.h"

struct scenario_overrides {
    int64_t interval_ns; /* 0: the scenario's own */
    uint32_t read_size, write_size;
    const char *label; /* NULL: the scenario's own */
};

/* NULL when the scenario cannot be run; all problems have been said then (said may be NULL). */
struct plan *load_plan(const char *path, const struct scenario_overrides *overrides,
                       struct said *said);

#endif
