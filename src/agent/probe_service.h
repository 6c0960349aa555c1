/* The call that opens the clock probe. */
#ifndef AGENT_PROBE_SERVICE_H
#define AGENT_PROBE_SERVICE_H

#include "agent/agent.h"
#include "probe/responder.h"
#include "proto/agent.pb-c.h"
#include "rpc/rpc.h"

/* Checks what a stranger may have sent, and finishes the call. */
void probe_serve(struct rpc_call *call, const Tcpflowgen__ProbeRequest *request,
                 const struct agent_options *options, struct responder *responder);

#endif
