/* The gate: the thread of a loop that waits for sockets which gRPC does not have, yet or any more.
 * Listening ones, their arrivals (rpc_door.h) and what was let in (rpc_relay.h), and attempts to
 * connect (rpc_dial.h).
 *
 * Handlers run on the gate's thread and never block.  Everything but rpc_gate_do() is for them
 * alone. */
#ifndef RPC_RPC_GATE_H
#define RPC_RPC_GATE_H

#include <stdint.h>

#include "util/error.h"

struct rpc_gate;
struct socket_owners;
struct watchdog;

struct rpc_watch {
    int fd;         /* >= 0; not closed by the gate */
    int64_t due_ns; /* rpc_gate_now(); INT64_MAX: never */
    /* events are epoll's, or 0 when it is due (due_ns is INT64_MAX then).  It may remove any watch,
     * and free what holds it. */
    void (*ready)(struct rpc_watch *watch, uint32_t events);
    struct rpc_watch *next, **link; /* the gate's */
};

int rpc_gate_create(struct rpc_gate **out, struct error *err);
/* All watches must be removed.  NULL is fine. */
void rpc_gate_destroy(struct rpc_gate *gate);

/* Has a watchdog tell if a handler takes longer than limit_ns; NULL: none any more.  The gate may
 * be NULL. */
void rpc_gate_watch(struct rpc_gate *gate, struct watchdog *watchdog, int64_t limit_ns);

/* Any thread but the gate's: fn(arg) runs on the gate's thread, and this returns behind it. */
void rpc_gate_do(struct rpc_gate *gate, void (*fn)(void *arg), void *arg);

/* 0 or -errno. */
int rpc_gate_add(struct rpc_gate *gate, struct rpc_watch *watch, uint32_t events);
void rpc_gate_change(struct rpc_gate *gate, struct rpc_watch *watch, uint32_t events);
/* Before its fd is closed, or given away. */
void rpc_gate_remove(struct rpc_gate *gate, struct rpc_watch *watch);

/* The gate's time, ns, which stands still while its process is stopped (util/waking.h); what came
 * meanwhile is read before anything is due. */
int64_t rpc_gate_now(struct rpc_gate *gate);

/* NULL: the kernel does not let us ask. */
struct socket_owners *rpc_gate_owners(struct rpc_gate *gate);

#endif
