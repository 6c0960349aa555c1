/* The plan: a scenario that was checked, with names resolved to indices.  Immutable once built. */
#ifndef MODEL_PLAN_H
#define MODEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"
#include "model/scenario.h"
#include "util/error.h"

struct plan_host {
    const char *name, *mgmt, *host;
    const char *bind;       /* "" : host */
    const char *device;     /* "" : none */
    bool sample;            /* as struct scenario_host */
    const char *interfaces; /* "" : device, or host's */
};

struct plan_flow {
    int32_t id;
    uint32_t src, dst; /* indices of hosts */
    int64_t start_ns, duration_ns;
    char ccalg[CCALG_MAX];
    bool ecn, nodelay;
    struct tuning tuning;
    enum connect_mode connect;
    enum finish_mode finish;
    enum capture_mode capture;
    const char *label; /* "" : none */
};

struct plan {
    const char *label;         /* "" : none */
    const char *scenario_text; /* the file */
    int64_t interval_ns;       /* 0: the agents' own */
    uint32_t read_size, write_size;
    int64_t end_ns; /* when the last flow's duration is over, on the axis */
    struct plan_host *hosts;
    size_t host_count;
    struct plan_flow *flows; /* in the file's order */
    size_t flow_count;
    struct scenario *scenario; /* owns the texts */
};

/* Checks the scenario as a whole and takes it over (also on failure: then it is freed).
 * Every problem is appended to errors, each with its place in the file ("flows[3].src").
 * Returns the plan, or NULL if errors is not empty at the end, whoever put them there. */
struct plan *plan_build(struct scenario *scenario, struct error_list *errors);
void plan_free(struct plan *plan);

#endif
