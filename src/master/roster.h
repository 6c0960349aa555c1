/* Which agents serve which hosts: from the plan, then by what the agents say in Hello. */
#ifndef MASTER_ROSTER_H
#define MASTER_ROSTER_H

#include "master/session.h"

/* Makes an agent for each distinct mgmt of a host that a flow uses.  ports (NULL, or by agent in
 * the order of their first host) replaces the address by 127.0.0.1 and that port. */
int roster_build(struct session *session, struct error *err);
/* Where the agents started by this master listen. */
int roster_connect(struct session *session, const uint16_t *local_ports, struct error *err);

/* Says hello to all, merges what is one agent under two names, and settles the addresses of each
 * flow. Problems are added to the session's. */
void roster_hello(struct session *session);

void roster_fini(struct session *session);

#endif
