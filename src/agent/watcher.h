/* One Watch or Collect call in progress: sends what the spool holds, from an offset on.
 * Main thread. */
#ifndef AGENT_WATCHER_H
#define AGENT_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/run.h"
#include "rpc/rpc.h"

struct service;

struct watcher {
    struct service *service; /* the owner's; not used here */
    struct rpc_call *call;
    struct run *run;
    uint64_t offset;
    bool follow;            /* Watch: until the run is over; Collect: until what there is is sent */
    bool blocked;           /* the call's queue is full */
    bool gone;              /* the master went away */
    int64_t quiet_since_ns; /* when the last message was sent */
    struct watcher *next;   /* the owner's list */
};

/* Sends what can be sent.  Returns false when the call is over: it is finished, free the watcher.
 */
bool watcher_pump(struct watcher *watcher, int64_t now_ns);

#endif
