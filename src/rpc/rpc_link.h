/* A client's connection to one server: made when it is wanted, and made again after it broke, with
 * a pause after an attempt that failed.  Knows nothing of calls but how many are on it. */
#ifndef RPC_RPC_LINK_H
#define RPC_RPC_LINK_H

#include "rpc/rpc_dial.h"
#include "rpc/rpc_internal.h"

/* gRPC closes its descriptor when it is over, and does not connect again. */
struct rpc_connection {
    grpc_channel *channel;
    int fd;
    uint64_t cookie; /* tells whether fd still is it */
    size_t calls;    /* that were begun on it */
    bool retired;    /* takes no more: goes with the last of them */
};

enum rpc_link_news {
    RPC_LINK_UP,     /* there is a connection */
    RPC_LINK_FAILED, /* the attempt did, see failure */
    RPC_LINK_RESTED, /* the pause behind that is over */
};

struct rpc_link {
    struct rpc_loop *loop;
    struct rpc_target target;
    struct rpc_connection *connection; /* NULL: none */
    struct rpc_dial *dial;             /* under way; NULL: none */
    bool resting;                      /* until the next attempt */
    int64_t rest_ms;                   /* how long next time */
    struct rpc_dialled failure;        /* of the last attempt */
    /* In the loop, outside all functions here. */
    void (*changed)(struct rpc_link *link, enum rpc_link_news news);
};

/* No connection is made yet.  trusted may be NULL: those of users_add_own().  0; ERROR_AGENT: no
 * such host; ERROR_SYSTEM. */
int rpc_link_init(struct rpc_link *link, struct rpc_loop *loop, const struct endpoint *to,
                  const struct users *trusted,
                  void (*changed)(struct rpc_link *link, enum rpc_link_news news),
                  struct error *err);
/* No call is on it any more. */
void rpc_link_fini(struct rpc_link *link);

/* The connection if it stands, else NULL. */
struct rpc_connection *rpc_link_connection(struct rpc_link *link);
/* Sees to it that there will be one, or a failure.  False: the last attempt failed just now, and
 * when it may be tried again is told. */
bool rpc_link_connect(struct rpc_link *link);
/* A call on it is over; broken: the connection is of no use any more. */
void rpc_link_release(struct rpc_link *link, struct rpc_connection *connection, bool broken);

#endif
