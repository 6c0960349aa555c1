/* The earlier program's service (seed.proto) beside our own, so that a master of then can use an
 * agent of today: an adapter, nothing else knows of it.  Everything on the loop's thread. */
#ifndef AGENT_SEED_SERVICE_H
#define AGENT_SEED_SERVICE_H

#include "agent/agent.h"
#include "agent/service.h"
#include "rpc/rpc.h"

struct seed_service; /* opaque */

/* beside is served by the same server, and not to be shut down while it is busy.  quit(arg) is
 * called when a master's Shutdown is to be obeyed. */
int seed_service_create(struct seed_service **out, struct rpc_loop *loop,
                        const struct agent_options *options, const struct service *beside,
                        void (*quit)(void *arg), void *arg, struct error *err);

/* Both services' table, for rpc_server_create(); valid as long as both. */
const struct rpc_service *seed_service_table(const struct seed_service *service);

/* Ends all its flows.  The server must be gone.  NULL is fine. */
void seed_service_destroy(struct seed_service *service);

#endif
