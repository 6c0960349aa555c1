/* What is known of an agent's clock: the exchanges of each burst give one point
 * (model/clock_fit.h), and the points the mapping. */
#ifndef MASTER_CLOCK_POINTS_H
#define MASTER_CLOCK_POINTS_H

#include "master/session.h"
#include "model/axis.h"

/* Takes the exchanges of a burst, count >= 1. */
void clock_points_add(struct master_agent *agent, const struct clock_exchange *exchanges,
                      size_t count);

/* ns; INT64_MAX: there is none. */
int64_t clock_points_least_bound(const struct clock_sync *sync);

/* Whether the last point is much wider than the best: times beyond the good ones are told worse. */
bool clock_points_last_is_poor(const struct clock_sync *sync);

/* All zero without a point. */
struct clock_fit clock_points_fit(const struct master_agent *agent);

/* The run's axis on an agent's clock, by what is known now. */
struct axis clock_points_axis(const struct master_agent *agent, int64_t axis_ns);

#endif
