/* Puts an agent's clock on the master's: offset and rate fitted to clock exchanges, with a bound.
 *
 * An exchange that left at t1 and came back at t4 (master's clock), and met the agent between t2
 * and t3 (agent's clock), says that the offset, agent - master, is at most t2 - t1 at the agent's
 * t2, and at least t3 - t4 at its t3, whatever the two ways' shares of the trip were (RFC 5905,
 * section 8, has the same as the middle and half the round trip).  So times may be wrong to one
 * side only: t1 and t3 too early, t2 and t4 too late.  The fastest exchanges count.
 *
 * Clocks do not wander faster than 2 ppm from one exchange that counts to the next, unless the
 * exchanges show it.  Pure arithmetic, no clock is read. */
#ifndef MODEL_CLOCK_FIT_H
#define MODEL_CLOCK_FIT_H

#include <stddef.h>
#include <stdint.h>

/* How an exchange was made, the worst first. */
enum clock_method {
    CLOCK_RPC,        /* by a call */
    CLOCK_UDP,        /* by datagrams, stamped by the programs */
    CLOCK_UDP_KERNEL, /* by datagrams, their arrival stamped by both kernels */
};

const char *clock_method_name(enum clock_method method); /* "rpc", "udp", "udp-kernel" */

struct clock_exchange {
    int64_t t1, t2, t3, t4; /* ns; t1, t4 of the master's clock, t2, t3 of the agent's */
    enum clock_method method;
};

/* What one burst says. */
struct clock_point {
    int64_t agent_ns;  /* (t2 + t3) / 2 of the fastest exchange */
    int64_t offset_ns; /* agent - master */
    int64_t bound_ns;  /* the offset is wrong by at most this */
    enum clock_method method;
};

#define CLOCK_KNOTS_MAX 64

struct clock_knot {
    int64_t agent_ns, offset_ns;
};

struct clock_fit {
    int64_t reference_ns; /* on the agent's clock */
    int64_t offset_ns;    /* agent - master at the reference */
    double rate;          /* d offset / d agent time; where there are knots, over all */
    int64_t error_ns;     /* a converted time is wrong by at most this, within the points' span */
    int64_t residual_ns;  /* largest distance of a used point from the fit */
    int64_t rtt_min_ns;   /* twice the narrowest point's bound */
    uint32_t exchanges, used;
    enum clock_method method; /* the worst of the points used */
    size_t knot_count;        /* 0: reference, offset and rate are all; else 2 or more */
    struct clock_knot knots[CLOCK_KNOTS_MAX]; /* in order of time, joined by straight lines */
};

/* The point of count exchanges (count >= 1) of one burst, about the fastest of them, narrowed by
 * the others.  Exchanges that cannot be (t4 < t1, t3 < t2, a trip of less than no time) never
 * count, and a point of such alone has a bound of decades. */
struct clock_point clock_best(const struct clock_exchange *exchanges, size_t count);

/* Fits count >= 1 points in order of time.  Rate 0 where one offset explains all points, or over a
 * span under 100 ms; one rate where a straight line does; else a line with as few knots as explain
 * them.  No rate is over 1000 ppm, which no two clocks of the kernel's reach (without a change of
 * the tick).  Points more than three times as wide as the narrowest are left out of the line, and
 * more of them if the bound is better without; but it must pass through their bounds, or error_ns
 * grows until it does.  `exchanges` is passed through for the report. */
struct clock_fit clock_fit(const struct clock_point *points, size_t count, uint32_t exchanges);

int64_t clock_fit_to_master(const struct clock_fit *fit, int64_t agent_ns);
int64_t clock_fit_to_agent(const struct clock_fit *fit, int64_t master_ns);
/* From the agent's clock to an axis whose 0 is t0_ns of the master's; within CLOCK_FAR_NS of it,
 * whatever the agent says, as result files have no times beyond. */
#define CLOCK_FAR_NS (INT64_C(1) << 62)
int64_t clock_fit_to_axis(const struct clock_fit *fit, int64_t agent_ns, int64_t t0_ns);
/* The rate at a moment of the agent's clock, as of struct clock_fit. */
double clock_fit_rate(const struct clock_fit *fit, int64_t agent_ns);

#endif
