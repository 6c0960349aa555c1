/* The log of connections that the agent refused: each one's reason, but not a flood of them. */
#ifndef AGENT_REFUSALS_H
#define AGENT_REFUSALS_H

#include "rpc/rpc.h"

struct refusals {
    struct rpc_loop *loop;
    unsigned logged; /* lines within this minute; 0: none has begun */
    uint64_t more;   /* that there was no line for */
};

/* What struct rpc_listening takes; arg is a struct refusals. */
void refusals_log(void *arg, const struct rpc_caller *caller, const char *why, unsigned more);
/* Logs how many there were besides.  The server must be gone. */
void refusals_fini(struct refusals *refusals);

#endif
