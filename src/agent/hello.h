/* The answer to Hello: who this agent is, and whether it can serve what the master wants. */
#ifndef AGENT_HELLO_H
#define AGENT_HELLO_H

#include "agent/agent.h"
#include "proto/agent.pb-c.h"
#include "rpc/rpc.h"

/* Answers and finishes the call. */
void hello_serve(struct rpc_call *call, const Tcpflowgen__HelloRequest *request,
                 const struct agent_options *options, const char *instance);

#endif
