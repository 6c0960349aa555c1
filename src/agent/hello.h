/* The answer to Hello: who this agent is, and whether it can serve what the master wants. */
#ifndef AGENT_HELLO_H
#define AGENT_HELLO_H

#include "agent/agent.h"
#include "agent/names.h"
#include "agent/runs.h"
#include "proto/agent.pb-c.h"
#include "rpc/rpc.h"

#define HELLOS_MAX          64    /* at once */
#define HELLOS_A_CALLER     16    /* of them, for callers that share limits */
#define HELLO_HOSTS_MAX     4096  /* of one caller's together, */
#define HELLO_HOSTS_ALL     16384 /* of all */
#define HELLO_NAMES_MAX     64    /* hosts of one Hello that a name server may be asked for */
#define HELLO_BYTES_MAX     (1u << 20)
#define HELLO_ADDRESSES_MAX 16000 /* that an answer has, evenly of all hosts */

/* What answering takes; lives as long as the loop runs. */
struct hello_desk {
    struct rpc_loop *loop;
    const struct agent_options *options;
    const char *instance;
    const struct runs *runs;
    struct names *names;
    struct hello *hellos; /* that are being answered */
};

/* Answers and finishes the call, later: a resolver may be slow.  Main thread. */
void hello_serve(struct rpc_call *call, const Tcpflowgen__HelloRequest *request,
                 struct hello_desk *desk);

/* Runs the loop until no Hello is left.  Their callers must be gone. */
void hello_fini(struct hello_desk *desk);

#endif
