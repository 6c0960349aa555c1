/* Puts an agent's clock on the master's: offset and rate fitted to clock exchanges, with a bound.
 *
 * An exchange that left at t1 and came back at t4 (master's clock), and met the agent between t2
 * and t3 (agent's clock), says offset = ((t2 - t1) + (t3 - t4)) / 2, wrong by at most half of
 * (t4 - t1) - (t3 - t2) whatever the two ways' shares were (RFC 5905, section 8).  The fastest
 * exchanges count.  Pure arithmetic, no clock is read. */
#ifndef MODEL_CLOCK_FIT_H
#define MODEL_CLOCK_FIT_H

#include <stddef.h>
#include <stdint.h>

struct clock_exchange {
    int64_t t1, t2, t3, t4; /* ns; t1, t4 of the master's clock, t2, t3 of the agent's */
};

/* The best (fastest) exchange of one burst. */
struct clock_point {
    int64_t agent_ns;  /* (t2 + t3) / 2 */
    int64_t offset_ns; /* agent - master */
    int64_t bound_ns;  /* half the round trip, and what t3 - t2 may be wrong by */
};

struct clock_fit {
    int64_t reference_ns; /* on the agent's clock */
    int64_t offset_ns;    /* agent - master at the reference */
    double rate;          /* d offset / d agent time */
    int64_t error_ns;     /* a converted time is wrong by at most this, within the points' span */
    int64_t residual_ns;  /* largest distance of a used point from the fit */
    int64_t rtt_min_ns;
    uint32_t exchanges, used;
};

/* The point of the fastest of count exchanges (count >= 1); an exchange with t4 < t1 or t3 < t2
 * never counts, and a point of such alone has a bound of decades. */
struct clock_point clock_best(const struct clock_exchange *exchanges, size_t count);

/* Fits count >= 1 points in order of time.  Rate 0 where one offset explains all points, or over a
 * span under 100 ms; it is never over 1000 ppm, which no two clocks of the kernel's reach.  Points
 * wider than the best of each half of them, or more than three times as wide as the narrowest, are
 * left out of the line, but the line must pass through their bounds, or error_ns grows until it
 * does.  `exchanges` is passed through for the report. */
struct clock_fit clock_fit(const struct clock_point *points, size_t count, uint32_t exchanges);

int64_t clock_fit_to_master(const struct clock_fit *fit, int64_t agent_ns);
int64_t clock_fit_to_agent(const struct clock_fit *fit, int64_t master_ns);

#endif
