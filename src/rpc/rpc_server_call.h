/* One call at a server: from its request to its status. */
#ifndef RPC_RPC_SERVER_CALL_H
#define RPC_RPC_SERVER_CALL_H

#include "rpc/rpc_internal.h"

/* A method that the server waits for. */
struct rpc_slot {
    struct rpc_server *server;
    const struct rpc_method *method; /* NULL: catches all that has no slot of its own */
    rpc_serve *serve;
    void *ctx;
    void *handle; /* gRPC's */
};

struct rpc_server {
    struct rpc_loop *loop;
    grpc_server *server;
    grpc_server_credentials *credentials;
    struct rpc_door *door; /* NULL: it was not opened */
    struct rpc_tag stopped_tag;
    bool stopped;
    size_t pending; /* operations under way, whose tags will yet come */
    size_t count;
    struct rpc_slot slots[]; /* count, the last one catches all */
};

/* Waits for the slot's next call.  0, or -1 when out of memory. */
int rpc_slot_await(struct rpc_slot *slot);

#endif
