/* Work that may take long, away from the agent's main thread, which goes on serving. */
#ifndef AGENT_ERRAND_H
#define AGENT_ERRAND_H

#include "rpc/rpc.h"

/* work(arg) runs on a thread of its own, then done(arg) in the loop, if that still runs.  Where no
 * thread can be had, both run before this function returns. */
void errand_run(struct rpc_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
