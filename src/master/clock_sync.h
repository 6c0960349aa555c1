/* Clock exchanges with the agents: bursts before, during and after the run, and the fit. */
#ifndef MASTER_CLOCK_SYNC_H
#define MASTER_CLOCK_SYNC_H

#include "master/session.h"
#include "model/axis.h"

/* A burst with every agent in use, waited for.  Agents that do not answer are told as problems if
 * `must`. */
void clock_sync_all(struct session *session, bool must);

/* Starts a short burst with each agent whose last one is over; the new mapping goes with it.
 * Called about once a second while flows run. */
void clock_sync_refresh(struct session *session);

struct clock_fit clock_sync_fit(const struct master_agent *agent);

/* The run's axis on an agent's clock, by what is known now. */
struct axis clock_sync_axis(const struct master_agent *agent, int64_t axis_ns);

#endif
