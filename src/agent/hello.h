/* The answer to Hello: who this agent is, and whether it can serve what the master wants. */
#ifndef AGENT_HELLO_H
#define AGENT_HELLO_H

#include "agent/agent.h"
#include "agent/runs.h"
#include "proto/agent.pb-c.h"
#include "rpc/rpc.h"

/* What answering takes; lives as long as the loop runs. */
struct hello_desk {
    struct rpc_loop *loop;
    const struct agent_options *options;
    const char *instance;
    const struct runs *runs;
    unsigned busy; /* Hellos that are being answered */
};

/* Answers and finishes the call, later: a resolver may be slow.  Main thread. */
void hello_serve(struct rpc_call *call, const Tcpflowgen__HelloRequest *request,
                 struct hello_desk *desk);

#endif
