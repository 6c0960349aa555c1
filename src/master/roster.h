/* Which agents serve which hosts: from the plan, then by what the agents say in Hello. */
#ifndef MASTER_ROSTER_H
#define MASTER_ROSTER_H

#include "master/session.h"

/* Makes an agent for each distinct mgmt of a host that a flow uses or that is sampled. */
int roster_build(struct session *session, struct error *err);

/* Says where each listens: at mgmt, or on loopback_address() at local_ports (by agent) if not NULL.
 * An agent whose name does not resolve is a problem of the session. */
int roster_connect(struct session *session, const uint16_t *local_ports, struct error *err);

/* After Hello: makes one of agents that turned out to be the same under two names. */
void roster_merge(struct session *session);

/* Adds an interface to those that are sampled, once. */
void roster_add_interface(struct master_agent *agent, const char *name);

void roster_fini(struct session *session);

#endif
