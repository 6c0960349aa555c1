/* The run's time axis on one agent's clock: axis 0 is t0, the same moment everywhere.
 *
 *   local = local_ns + (t - axis_ns) * (1 + rate)
 *
 * Pure arithmetic; a copy belongs to whoever holds it. */
#ifndef MODEL_AXIS_H
#define MODEL_AXIS_H

#include <stdint.h>

struct axis {
    int64_t axis_ns;
    int64_t local_ns; /* CLOCK_MONOTONIC of the agent at axis_ns */
    double rate;      /* the local clock runs faster than the axis by this, e.g. 200e-6 */
};

int64_t axis_to_local(const struct axis *axis, int64_t t_ns);
int64_t axis_from_local(const struct axis *axis, int64_t local_ns);

/* The mapping to follow from now_local on: it goes on where `current` stands at that moment, and
 * meets `target` over_ns later, so that a schedule never steps and never runs backwards.  A target
 * that is over_ns / 2 or more behind is not met: the axis then runs at half speed towards it. */
struct axis axis_slew(const struct axis *current, const struct axis *target, int64_t now_local,
                      int64_t over_ns);

/* Ticks are at k * interval, k = 0, 1, ... */
int64_t tick_at_or_after(int64_t t_ns,
                         int64_t interval_ns); /* first k with k * interval >= t (>= 0) */
int64_t tick_at_or_before(int64_t t_ns,
                          int64_t interval_ns); /* last k with k * interval <= t; -1: none */

#endif
