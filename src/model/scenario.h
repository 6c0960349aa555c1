/* A scenario as written: names, not yet checked against each other.  plan_build() checks. */
#ifndef MODEL_SCENARIO_H
#define MODEL_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"
#include "util/error.h"

#define SCENARIO_NAME_MAX   63                                  /* bytes of a host's name */
#define SCENARIO_HOSTS_MAX  65535                               /* hosts of a scenario */
#define SCENARIO_FLOWS_MAX  1000000                             /* flows of a scenario */
#define SCENARIO_TIME_MAX   (INT64_C(366) * 86400 * 1000000000) /* ns: start + duration */
#define SCENARIO_ERRORS_MAX 1000 /* problems that are listed; the rest is summed up in a line */

/* The words of a scenario for enum connect_mode, finish_mode and capture_mode, NULL-terminated. */
extern const char *const scenario_connect_words[];
extern const char *const scenario_finish_words[];
extern const char *const scenario_capture_words[];

struct scenario_host {
    char *name;
    char *mgmt;       /* HOST:PORT of its agent */
    char *host;       /* what others connect to */
    char *bind;       /* NULL: host; "any" */
    char *device;     /* NULL: none */
    bool sample;      /* also without flows, and until the whole run is over */
    char *interfaces; /* to be sampled, names with commas between; NULL: device, or host's */
};

struct scenario_flow {
    size_t place; /* index in the file's array, for messages */
    int32_t id;
    char *src, *dst;
    int64_t start_ns, duration_ns;
    char *ccalg; /* NULL: the host's default */
    bool ecn, nodelay;
    struct tuning tuning;
    enum connect_mode connect;
    enum finish_mode finish;
    enum capture_mode capture;
    char *label;               /* NULL: none */
    bool has_id, has_duration; /* false: missing or unreadable */
};

struct scenario {
    char *text; /* the file, whole; kept for the result */
    char *label;
    int64_t interval_ns;                /* 0: the agents' own */
    uint32_t read_size, write_size;     /* 0: the agents' own */
    uint32_t max_flows;                 /* 0: no guard */
    int64_t max_duration_ns;            /* 0: no guard; of the whole run */
    uint64_t max_rate;                  /* bit/s; 0: no guard; of all flows at any one time */
    struct scenario_host host_defaults; /* "defaults" itself; hosts and flows have it already */
    struct scenario_flow flow_defaults;
    struct scenario_host *hosts;
    size_t host_count;
    struct scenario_flow *flows;
    size_t flow_count;
    bool bad_hosts, bad_flows; /* missing or not wholly readable */
};

/* Where something is missing or unreadable (has_..., bad_..., a name that is NULL), the reader has
 * put that in the error list already, and plan_build() does not say it again. */

/* Appends a problem to errors, the first SCENARIO_ERRORS_MAX of them.  0, or ERROR_SYSTEM when
 * memory ran out: what errors says is then not the whole truth. */
int scenario_report(struct error_list *errors, const struct error *err);

void scenario_free(struct scenario *scenario); /* NULL is fine */

#endif
