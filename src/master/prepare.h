/* Gives the agents their ends: first those that accept, whose answers have the ports, then
 * those that open. */
#ifndef MASTER_PREPARE_H
#define MASTER_PREPARE_H

#include "master/session.h"

/* Problems are added to the session's; with best_effort a flow that cannot run is marked refused
 * instead. */
void prepare_all(struct session *session);

/* An agent's PrepareReply. */
void prepare_take(struct master_agent *agent, const ProtobufCMessage *message);

/* Starts what was prepared: t0 lies a little ahead, the same moment for all.  Where agents were too
 * late, and another try may follow, session->late_ns is set instead of a problem. */
void prepare_start(struct session *session);

/* What was prepared was called off: of those that were late, one that did not even take that hangs,
 * and is a problem.  With any problem there is no other try. */
void prepare_judge_late(struct session *session);

#endif
