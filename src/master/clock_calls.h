/* Clock exchanges by calls of the control connection: each carries the agent's mapping along and
 * brings back how the agent's clocks are kept.  Their times are the points of agents that have no
 * probe. */
#ifndef MASTER_CLOCK_CALLS_H
#define MASTER_CLOCK_CALLS_H

#include "master/session.h"

#define CLOCK_CALLS_MAX COUNT_OF(((struct clock_sync *)0)->burst)

/* Starts count (1..CLOCK_CALLS_MAX) exchanges, one after another; nothing if some are under way. */
void clock_calls_start(struct master_agent *agent, size_t count);

#endif
