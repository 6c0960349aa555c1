/* Why was it slow?  What limited a flow between its begin and its stop, from the readings that its
 * two ends took at these moments.
 *
 * The kernel of the source knows how long anything was unsent or unacknowledged, and how long of
 * that the peer's window was full (tcp_chrono_start() in net/ipv4/tcp_output.c).  The engine knows
 * when its traffic model had nothing to send, when the send buffer held it up, when it came late
 * (the kernel's own tcpi_sndbuf_limited has both of these, in part), and whether the threads that
 * move the data had the time to.
 *
 * docs/results.md has the rules, and where the bounds come from. */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include "model/flow.h"

enum limit {
    LIMIT_UNKNOWN,     /* `reason` says why */
    LIMIT_NETWORK,     /* path and congestion control */
    LIMIT_RECEIVER,    /* its window was full */
    LIMIT_SEND_BUFFER, /* the sender's */
    LIMIT_TRAFFIC,     /* the application that the flow plays had nothing to send */
    LIMIT_HOST,        /* the CPU of one of the two hosts */
    LIMITS
};

/* Of a worker's thread, 0 to 1; -1: not known. */
struct worker_share {
    double cpu;  /* it ran */
    double wait; /* it waited for a core */
};

struct verdict {
    enum limit limit;
    double share[LIMITS]; /* of the time; they add up to 1 (of LIMIT_UNKNOWN always 0) */
    struct worker_share source, sink;
    char reason[200];
};

/* Of less the kernel's jiffies do not tell enough. */
#define VERDICT_TIME_MIN_NS INT64_C(100000000)
/* Of its time a worker may run or wait for a core. */
#define VERDICT_AWAKE_MAX 0.9
/* Of its time a flow lacks something that a worker gives, where it is such a worker's fault. */
#define VERDICT_LACK_MIN 0.05
/* Of what its send_rate offers, that a flow skips which something else than that rate limits. */
#define VERDICT_SKIPPED_MIN 0.05
/* Of its pacing rate, that a flow at that limit has. */
#define VERDICT_PACED_MIN 0.9

/* NULL: the report is missing. */
void verdict_judge(struct verdict *out, const struct end_report *source,
                   const struct end_report *sink);

/* "network", "receiver", "send buffer", "traffic", "host"; "-": unknown. */
const char *limit_text(enum limit limit);

#endif
