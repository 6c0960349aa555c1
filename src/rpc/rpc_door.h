/* The door of a server: accepts connections, looks at each before gRPC does, and relays
 * between it and gRPC (rpc_relay.h).
 *
 * A connection must be one of a user who is served (rpc_who.h), have room (of all, and of those of
 * its key), and begin as HTTP/2 does within 5 s.  Where there is no room, the connection on which
 * nothing has been under way for longest gives way.  Whoever is refused is told why as the status
 * of his first call (rpc_farewell.h). */
#ifndef RPC_RPC_DOOR_H
#define RPC_RPC_DOOR_H

#include "rpc/rpc_internal.h"

struct rpc_door;

/* Connections come from now on.  The server must have been started. */
int rpc_door_open(struct rpc_door **out, struct rpc_loop *loop, grpc_server *server,
                  grpc_server_credentials *credentials, const struct rpc_listening *how,
                  uint16_t *port, struct error *err);
/* No connection comes any more; those that gRPC has stay. */
void rpc_door_close(struct rpc_door *door);
/* Closed before, and gRPC's server has ended.  Runs the loop until what gRPC wrote was sent, but
 * not beyond until_ns (CLOCK_MONOTONIC), and until the last refusal was told.  NULL is fine. */
void rpc_door_free(struct rpc_door *door, int64_t until_ns);

/* Who made the connection that gRPC calls "fd:N", as long as a call of it is known to gRPC. */
bool rpc_door_caller(struct rpc_door *door, int fd, struct rpc_caller *out);

#endif
