/* What the gate refused, told to the loop: a few at a time; of a flood the rest is counted. */
#ifndef RPC_RPC_REFUSALS_H
#define RPC_RPC_REFUSALS_H

#include <pthread.h>

#include "rpc/rpc_internal.h"
#include "rpc/rpc_who.h"

#define RPC_REFUSALS_MAX 16

struct rpc_refusals {
    struct rpc_loop *loop;
    rpc_refused *refused; /* may be NULL */
    void *arg;
    struct rpc_tag tag;
    pthread_mutex_t lock; /* of what follows */
    bool pending;         /* the tag is under way */
    size_t count;
    unsigned more; /* that there was no room for */
    struct {
        struct rpc_caller caller;
        char why[RPC_WHY_MAX];
    } items[RPC_REFUSALS_MAX];
};

void rpc_refusals_init(struct rpc_refusals *refusals, struct rpc_loop *loop, rpc_refused *refused,
                       void *arg);
/* The gate's thread. */
void rpc_refusals_add(struct rpc_refusals *refusals, const struct rpc_caller *caller,
                      const char *why);
/* The loop's; nothing is added any more.  Runs the loop until all were told. */
void rpc_refusals_fini(struct rpc_refusals *refusals);

#endif
