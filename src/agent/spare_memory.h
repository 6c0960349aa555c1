/* Gives memory back to the machine that was freed: libc keeps it, and what a large run or a
 * stranger had made the agent take would stay with it.  On the loop's thread. */
#ifndef AGENT_SPARE_MEMORY_H
#define AGENT_SPARE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/service.h"
#include "rpc/rpc.h"

struct spare_memory {
    struct rpc_loop *loop;
    const struct service *service; /* while it is busy nothing is done */
    uint64_t held;                 /* bytes, at the least since the last time */
    bool stopped;
};

/* Looks now and then from now on.  It must stay as long as the loop. */
void spare_memory_watch(struct spare_memory *spare, struct rpc_loop *loop,
                        const struct service *service);
/* Before the service goes. */
void spare_memory_stop(struct spare_memory *spare);

#endif
