/* A client's side of one server: the connection, made when calls want it, and what waits for it. */
#ifndef RPC_RPC_PEER_H
#define RPC_RPC_PEER_H

#include "rpc/rpc_dial.h"
#include "rpc/rpc_internal.h"

struct client_call;

/* gRPC closes its descriptor when it is over, and does not connect again. */
struct rpc_connection {
    grpc_channel *channel;
    int fd;
    uint64_t cookie; /* tells whether fd still is it */
    size_t calls;    /* that were begun on it */
    bool retired;    /* takes no more: goes with the last of them */
};

struct rpc_peer {
    struct rpc_loop *loop;
    struct rpc_target target;
    struct rpc_connection *connection; /* NULL: none */
    struct rpc_dial *dial;             /* under way; NULL: none */
    bool resting;                      /* until the next attempt */
    int64_t rest_ms;                   /* how long next time */
    struct rpc_dialled failure;        /* of the last attempt */
    struct client_call *calls;         /* in progress, or waiting */
    bool closing;
};

/* The connection if it stands, else NULL. */
struct rpc_connection *rpc_peer_connection(struct rpc_peer *peer);
/* Sees to it that there will be one, or a failure: rpc_calls_go_on() or rpc_calls_fail()
 * follow.  False: the last attempt failed just now, and the next one comes after a pause. */
bool rpc_peer_connect(struct rpc_peer *peer);

/* A call on it is over; broken: the connection is of no use any more. */
void rpc_peer_release(struct rpc_peer *peer, struct rpc_connection *connection, bool broken);

/* ---- rpc_client.c ---- */

/* The calls that wait go on with the connection. */
void rpc_calls_go_on(struct rpc_peer *peer);
/* Those that do not wait until it is ready end with the peer's failure. */
void rpc_calls_fail(struct rpc_peer *peer);
bool rpc_calls_wait(const struct rpc_peer *peer); /* whether one does */
void rpc_calls_cancel(struct rpc_peer *peer);

#endif
