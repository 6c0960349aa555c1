/* Clock exchanges by the UDP probe: opened by a call, made by the prober's thread, taken here. */
#ifndef MASTER_CLOCK_PROBE_H
#define MASTER_CLOCK_PROBE_H

#include "master/session.h"

/* Asks an agent that was never asked, or whose probe fell silent, for its UDP port; the answer
 * comes later.  What keeps it from being probed puts it to PROBE_OFF, with a warning. */
void clock_probe_open(struct master_agent *agent);

/* Starts a burst with an agent that is PROBE_READY and has none under way. */
void clock_probe_start(struct master_agent *agent, size_t count);

/* Takes the bursts that are over.  One that failed is told in probe_failure. */
void clock_probe_take(struct session *session, void (*over)(struct master_agent *agent));

/* No probe any more for this agent; why is for the warning. */
void clock_probe_off(struct master_agent *agent, const char *why);
/* Warns of agents that lost, or never had, the probe since it was last called: once for all that
 * have the same reason. */
void clock_probe_warn(struct session *session);

/* Closes all; the session's agents have no bursts under way then. */
void clock_probe_fini(struct session *session);

#endif
