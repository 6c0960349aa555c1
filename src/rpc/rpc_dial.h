/* One attempt to connect: each address of a target in turn, in the gate. */
#ifndef RPC_RPC_DIAL_H
#define RPC_RPC_DIAL_H

#include "rpc/rpc_internal.h"
#include "rpc/rpc_who.h"

#define RPC_TARGET_MAX 16 /* addresses; further ones are not tried */

struct rpc_target {
    union rpc_address addresses[RPC_TARGET_MAX];
    socklen_t sizes[RPC_TARGET_MAX];
    size_t count;
    struct users trusted;
};

struct rpc_dialled {
    int fd;      /* connected, and the receiver's from now on; -1: it failed */
    int code;    /* then: enum rpc_code */
    bool nobody; /* nothing listens there */
    char why[RPC_WHY_MAX];
};

struct rpc_dial; /* opaque */

/* The loop's thread.  done(arg, what came of it) is called in the loop, later, unless the dial is
 * abandoned; the dial is gone then.  target must stay until then, or until it is abandoned.  NULL:
 * out of memory.  The loop has a gate. */
struct rpc_dial *rpc_dial_start(struct rpc_loop *loop, const struct rpc_target *target,
                                void (*done)(void *arg, const struct rpc_dialled *dialled),
                                void *arg);
void rpc_dial_abandon(struct rpc_dial *dial);

#endif
