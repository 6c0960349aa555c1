/* Work that may take long, away from the agent's main thread, which goes on serving. */
#ifndef AGENT_ERRAND_H
#define AGENT_ERRAND_H

#include "rpc/rpc.h"

/* `what` names it to the watchdog: a text that stays.
 *
 * work(arg) runs on a thread of its own, then done(arg) in the loop, if that still runs.  0, or -1
 * when no thread can be had: neither runs.  For what others ask for, who can ask again. */
int errand_try(struct rpc_loop *loop, const char *what, void (*work)(void *arg),
               void (*done)(void *arg), void *arg);

/* Likewise, for what the agent has to do: without a thread it is tried again. */
void errand_run(struct rpc_loop *loop, const char *what, void (*work)(void *arg),
                void (*done)(void *arg), void *arg);

#endif
