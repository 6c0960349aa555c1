/* The agents' service: agent.proto's `Agent` as a table.  Index with enum agent_method. */
#ifndef RPC_SERVICE_H
#define RPC_SERVICE_H

#include "rpc/rpc.h"

#define AGENT_PROTOCOL 2u /* raised when master and agent can no longer understand each other */

enum agent_method {
    AGENT_HELLO,
    AGENT_CLOCK,
    AGENT_PROBE,
    AGENT_PREPARE,
    AGENT_START,
    AGENT_WATCH,
    AGENT_STOP,
    AGENT_COLLECT,
    AGENT_FORGET,
    AGENT_SHUTDOWN,
    AGENT_METHODS
};

extern const struct rpc_method agent_methods[AGENT_METHODS];

#endif
