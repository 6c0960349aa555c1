/* What loop, server and client share.  The only header that shows gRPC. */
#ifndef RPC_RPC_INTERNAL_H
#define RPC_RPC_INTERNAL_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#if __has_include(<grpc/credentials.h>) /* its place in newer versions */
#include <grpc/credentials.h>
#endif

#include "rpc/rpc.h"
#include "util/waking.h"
#include "util/watchdog.h"

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* What a completion queue's tag points at: embedded in the owner of the operation. */
struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
};

struct rpc_timer;

struct rpc_loop {
    grpc_completion_queue *queue;
    grpc_channel *lame; /* its watches are how rpc_loop_post() reaches the queue */
    struct waking waking;
    struct rpc_timer *timers; /* soonest first */
    struct rpc_gate *gate;    /* NULL: it was not needed yet */
    struct watchdog *watchdog;
    struct watched watched; /* what is handled */
};

/* Head of server's and client's calls. */
struct rpc_call {
    const struct rpc_method *method; /* NULL: at a server, none of its table */
    grpc_call *call;
};

int64_t rpc_after_ms(int64_t ms); /* CLOCK_MONOTONIC, ns; INT64_MAX if ms is negative: never */
gpr_timespec rpc_time(int64_t monotonic_ns); /* INT64_MAX: for ever */

/* Any thread: tag->done(tag, false) will run in the loop.  Needs no memory. */
void rpc_loop_tag(struct rpc_loop *loop, struct rpc_tag *tag);
/* The loop's gate.  0, or ERROR_SYSTEM. */
int rpc_loop_gate(struct rpc_loop *loop, struct error *err);

/* Submits a batch; tag->done() will run in the loop. */
void rpc_submit(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag);

grpc_byte_buffer *rpc_encode(const ProtobufCMessage *message);
/* Takes the bytes; NULL if they are no such message, one that would take too much memory, or out of
 * memory. */
ProtobufCMessage *rpc_decode(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *bytes);

/* ---- arguments of channels and servers ---- */

#define RPC_ARGS_MAX 16

struct rpc_args {
    grpc_arg items[RPC_ARGS_MAX];
    grpc_channel_args args; /* points to items */
};

/* Those that both sides have: message sizes and keepalive. */
void rpc_args_init(struct rpc_args *args);
void rpc_args_add(struct rpc_args *args, const char *key, int value);
void rpc_args_add_pointer(struct rpc_args *args, const char *key, void *value,
                          const grpc_arg_pointer_vtable *vtable);

/* ---- addresses ---- */

struct addrinfo;

/* What host resolves to, for freeaddrinfo(); flags are getaddrinfo's.  0, or code with err set. */
int rpc_address_resolve(struct addrinfo **out, const char *host, int flags, int code,
                        const char *where, struct error *err);

/* Room for any socket address. */
union rpc_address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

/* One of what a name resolved to, with a port.  The length, or 0: of no family that is known. */
socklen_t rpc_address_take(union rpc_address *out, const struct addrinfo *info, uint16_t port);
/* A Unix socket's.  The length. */
socklen_t rpc_address_unix(union rpc_address *out, const char *path);

#endif
