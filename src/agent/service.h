/* agent.proto's service, served: the runs of this agent and the calls about them.
 * Everything on the loop's thread. */
#ifndef AGENT_SERVICE_H
#define AGENT_SERVICE_H

#include <stdbool.h>

#include "agent/agent.h"
#include "rpc/rpc.h"

struct service; /* opaque */

/* quit(arg) is called when a master's Shutdown is to be obeyed. */
int service_create(struct service **out, struct rpc_loop *loop, const struct agent_options *options,
                   void (*quit)(void *arg), void *arg, struct error *err);

/* What rpc_server_create() wants; valid as long as the service. */
const struct rpc_service *service_table(const struct service *service);

/* What it looks names up by; as long as the service. */
struct names *service_names(const struct service *service);

/* Whether a run is under way. */
bool service_is_busy(const struct service *service);

/* Ends all runs (their spools stay on disk unless they were forgotten).  The server must be gone.
 */
void service_destroy(struct service *service);

#endif
