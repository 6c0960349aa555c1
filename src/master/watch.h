/* The streams on which the agents send what their spools hold. */
#ifndef MASTER_WATCH_H
#define MASTER_WATCH_H

#include "master/session.h"

/* Starts watching every agent that was prepared. */
void watch_start(struct session *session);

/* Watches again where a stream broke, and gives up agents that were silent too long. */
void watch_tend(struct session *session);

/* Gives up all agents whose spools are not here, and of which nothing came since then. */
void watch_give_up(struct session *session, int64_t since_ns);

/* Logs what failed of flows that are not complete, unless it was.  It is done by itself as soon as
 * both ends were heard. */
void watch_tell_failures(struct session *session);

/* Ends all streams now, and waits for that. */
void watch_end(struct session *session);

/* Whether the flow connects before t0, but has not yet, and has not failed. */
bool watch_flow_awaited(const struct session *session, size_t flow);
bool watch_all_ready(struct session *session); /* all flows that connect before t0 are, or failed */
bool watch_flows_over(const struct session *session); /* nothing of a flow is still to come */
bool watch_all_ended(struct session *session); /* every agent's spool is here, or the agent lost */

#endif
