/* Clock exchanges with the agents: bursts before, during and after the run, and the fit.  They are
 * made by the UDP probe where that gets through, else by calls. */
#ifndef MASTER_CLOCK_SYNC_H
#define MASTER_CLOCK_SYNC_H

#include "master/session.h"

/* A burst with every agent in use, waited for.  Agents that do not answer are told as problems if
 * `must`. */
void clock_sync_all(struct session *session, bool must);

/* Starts a short burst with each agent whose last one is over; the new mapping goes with it.
 * Called about once a second while flows run. */
void clock_sync_refresh(struct session *session);

/* Warns of clocks, the master's too, whose rate somebody changed since the first exchange. */
void clock_sync_warn(struct session *session);

/* No exchange is under way any more.  Before the session's agents go. */
void clock_sync_fini(struct session *session);

#endif
