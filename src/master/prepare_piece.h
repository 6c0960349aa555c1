/* What is prepared goes to an agent in pieces, a call each, that are bounded whatever the scenario
 * has: an agent is told of its ends, and of the hosts that they name, and of nothing else. */
#ifndef MASTER_PREPARE_PIECE_H
#define MASTER_PREPARE_PIECE_H

#include "master/session.h"
#include "proto/agent.pb-c.h"
#include "rpc/rpc.h"

/* Bytes of a piece at most: PIECE_BYTES of ends and hosts and the last of these, and in the first
 * piece what is known of run and agent. */
#define PIECE_MAX RPC_SHARE

struct prepare_piece; /* opaque */

/* For the session's pieces, one after another; NULL: out of memory. */
struct prepare_piece *prepare_piece_create(struct session *session);

/* The agent's next piece, of its ends of this kind from the plan's flow *next on, which moves
 * behind them: the piece's until the next one.  It is the agent's first if nothing was prepared
 * there. NULL: there is none. */
const Tcpflowgen__PrepareRequest *prepare_piece_next(struct prepare_piece *piece,
                                                     struct master_agent *agent, enum flow_end end,
                                                     size_t *next);

void prepare_piece_free(struct prepare_piece *piece); /* NULL is fine */

#endif
