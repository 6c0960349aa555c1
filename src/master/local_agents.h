/* Agents of the master's own, for `run --local`: processes of this program on loopback. */
#ifndef MASTER_LOCAL_AGENTS_H
#define MASTER_LOCAL_AGENTS_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct local_agents {
    int *pids;
    uint16_t *ports;
    size_t count;
};

/* Starts `count` agents and waits until they listen.  Before any thread of gRPC exists. */
int local_agents_start(struct local_agents *agents, size_t count, struct error *err);
/* Ends them in good order, and waits for them.  A zeroed one is fine. */
void local_agents_stop(struct local_agents *agents);

#endif
