/* What a result file says, in memory: the run, and one flow with both its ends. */
#ifndef MODEL_RESULT_H
#define MODEL_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/clock_discipline.h"
#include "model/clock_fit.h"
#include "model/flow.h"
#include "model/host_series.h"
#include "model/ledger.h"
#include "model/machine.h"
#include "model/packet.h"
#include "model/series.h"
#include "model/verdict.h"

struct run_host {
    char *name, *mgmt, *host, *bind, *device;
    uint32_t agent; /* index */
};

struct run_agent {
    char *mgmt, *instance, *version, *hostname, *kernel, *machine;
    uint32_t cpus, workers;
    int64_t interval_ns;
    struct clock_fit clock;
    char clock_network[8]; /* that datagrams took: "mgmt", "test"; empty: there were none */
    struct clock_discipline clock_before, clock_after; /* the run */
    char *lost;              /* why it was lost in mid-run; NULL: it was not */
    uint32_t other_runs;     /* that had flows there while this one had */
    struct host_series host; /* its machine beside the flows; t_ns on the axis; may be empty */
    struct machine about;    /* its machine */
};

struct run_event {
    int64_t t_ns; /* on the axis */
    char *text;
};

/* All strings are owned (NULL reads as empty). */
struct run_info {
    char *version, *id, *label, *scenario;
    int64_t started_unix_ns; /* wall clock of the master at t0 */
    int64_t t0_ns;           /* the master's CLOCK_MONOTONIC at t0 */
    struct run_host *hosts;
    size_t host_count;
    struct run_agent *agents;
    size_t agent_count;
    struct run_event *events;
    size_t event_count;
    char **warnings;
    size_t warning_count;
    bool interrupted;
    bool recovered;           /* put together from what agents and a master left */
    uint32_t repeat, repeats; /* 1..repeats; both 0 where nothing is known of them */
    uint64_t seed;            /* of random traffic */
    int64_t warmup_ns;        /* begin of each flow that summaries leave out */
    struct clock_discipline clock_before, clock_after; /* the master's own */
};

int run_info_add_event(struct run_info *run, int64_t t_ns, const char *text); /* 0, -1: no memory */
int run_info_add_warning(struct run_info *run, const char *text);
void run_agent_fini(struct run_agent *agent);
void run_info_fini(struct run_info *run);

#define CAPTURE_FILE_MAX 256

enum flow_status { FLOW_UNKNOWN, FLOW_COMPLETE, FLOW_PARTIAL, FLOW_FAILED };

/* One flow without its samples.  Plain data, no pointers. */
struct flow_result {
    int32_t id;
    char label[208];       /* the scenario's, cut if longer; empty: none */
    char src[64], dst[64]; /* host names, likewise */
    uint32_t src_host, dst_host;
    uint16_t port; /* of the accepting end */
    int64_t start_ns, duration_ns;
    char ccalg[CCALG_MAX]; /* as asked; empty: the default */
    bool ecn, nodelay;     /* as asked */
    struct tuning tuning;  /* as asked */
    enum connect_mode connect;
    enum finish_mode finish;
    enum capture_mode capture;
    enum flow_status status;
    char error[256];
    char family[8];              /* "ipv4", "ipv6" */
    bool has_report[2];          /* by enum flow_end */
    struct end_report report[2]; /* times on the axis */
    struct verdict verdict;      /* src sends, dst receives */
    struct ledger ledger;
    bool has_captured[2];
    struct capture_report captured[2];      /* error_ns with the clock's */
    char capture_file[2][CAPTURE_FILE_MAX]; /* beside the result; empty: none */
};

/* The status that two reports (NULL: missing) make, and the first error's text.  A flow is complete
 * where all that was written was read, and the end of it, whether the source heard of that or not;
 * one of which nothing got across has failed, however its ends ended. */
void flow_result_judge(struct flow_result *flow);
/* Likewise its verdict and its ledger. */
void flow_result_account(struct flow_result *flow);

/* Puts a report's times, and those of its readings, from the agent's clock on the axis, whose 0 is
 * t0_ns of the clock that fit leads to. */
void end_report_to_axis(struct end_report *report, const struct clock_fit *fit, int64_t t0_ns);
/* The end's report; NULL: missing. */
const struct end_report *flow_result_report(const struct flow_result *flow, enum flow_end end);

#endif
