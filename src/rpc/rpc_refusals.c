#include "rpc/rpc_refusals.h"

#include <stdio.h>
#include <stdlib.h>

/* Out of the lock, as it may do anything. */
static void on_told(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct rpc_refusals *refusals = CONTAINER_OF(tag, struct rpc_refusals, tag);
    pthread_mutex_lock(&refusals->lock);
    for (size_t i = 0; i < refusals->count; i++) {
        struct rpc_caller caller = refusals->items[i].caller;
        char why[RPC_WHY_MAX];
        snprintf(why, sizeof why, "%s", refusals->items[i].why);
        unsigned more = i + 1 == refusals->count ? refusals->more : 0;
        pthread_mutex_unlock(&refusals->lock);
        refusals->refused(refusals->arg, &caller, why, more);
        pthread_mutex_lock(&refusals->lock);
    }
    refusals->count = 0;
    refusals->more = 0;
    refusals->pending = false;
    pthread_mutex_unlock(&refusals->lock);
}

void rpc_refusals_init(struct rpc_refusals *refusals, struct rpc_loop *loop, rpc_refused *refused,
                       void *arg)
{
    refusals->loop = loop;
    refusals->refused = refused;
    refusals->arg = arg;
    refusals->tag.done = on_told;
    pthread_mutex_init(&refusals->lock, NULL);
}

void rpc_refusals_add(struct rpc_refusals *refusals, const struct rpc_caller *caller,
                      const char *why)
{
    if (!refusals->refused)
        return;
    pthread_mutex_lock(&refusals->lock);
    if (refusals->count < RPC_REFUSALS_MAX) {
        refusals->items[refusals->count].caller = *caller;
        snprintf(refusals->items[refusals->count++].why, RPC_WHY_MAX, "%s", why);
    } else {
        refusals->more++;
    }
    bool post = !refusals->pending;
    refusals->pending = true;
    pthread_mutex_unlock(&refusals->lock);
    if (post)
        rpc_loop_tag(refusals->loop, &refusals->tag);
}

static bool is_pending(struct rpc_refusals *refusals)
{
    pthread_mutex_lock(&refusals->lock);
    bool pending = refusals->pending;
    pthread_mutex_unlock(&refusals->lock);
    return pending;
}

void rpc_refusals_fini(struct rpc_refusals *refusals)
{
    while (is_pending(refusals))
        rpc_loop_run(refusals->loop, -1);
    pthread_mutex_destroy(&refusals->lock);
}
