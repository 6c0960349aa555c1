/* A scenario as written: names, not yet checked against each other.  plan_build() checks. */
#ifndef MODEL_SCENARIO_H
#define MODEL_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"

struct scenario_host {
    char *name;
    char *mgmt;   /* HOST:PORT of its agent */
    char *host;   /* what others connect to */
    char *bind;   /* NULL: host; "any" */
    char *device; /* NULL: none */
};

struct scenario_flow {
    size_t place; /* index in the file's array, for messages */
    int32_t id;
    char *src, *dst;
    int64_t start_ns, duration_ns;
    char *ccalg; /* NULL: the host's default */
    bool ecn, nodelay;
    enum connect_mode connect;
    enum finish_mode finish;
    bool has_id, has_duration; /* false: missing or unreadable, already in the error list */
};

struct scenario {
    char *text; /* the file, whole; kept for the result */
    char *label;
    int64_t interval_ns;            /* 0: the agents' own */
    uint32_t read_size, write_size; /* 0: the agents' own */
    struct scenario_host *hosts;
    size_t host_count;
    struct scenario_flow *flows;
    size_t flow_count;
};

void scenario_free(struct scenario *scenario); /* NULL is fine */

#endif
