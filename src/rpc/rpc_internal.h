/* What loop, server and client share.  The only header that shows gRPC. */
#ifndef RPC_RPC_INTERNAL_H
#define RPC_RPC_INTERNAL_H

#include <stddef.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#if __has_include(<grpc/credentials.h>) /* its place in newer versions */
#include <grpc/credentials.h>
#endif

#include "rpc/rpc.h"
#include "util/watchdog.h"

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* What a completion queue's tag points at: embedded in the owner of the operation. */
struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
};

struct rpc_timer;

struct rpc_loop {
    grpc_completion_queue *queue;
    grpc_channel *lame;       /* its watches are how rpc_loop_post() reaches the queue */
    struct rpc_timer *timers; /* soonest first */
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

/* ---- addresses ---- */

struct addrinfo;
struct sockaddr;

#define RPC_ADDRESS_MAX 320

/* "127.0.0.1:80", "[::1]:80", "localhost:80", ":80": for people. */
char *rpc_address_text(const char *host, uint16_t port, char out[RPC_ADDRESS_MAX]);
/* The same from a socket address, as gRPC reads it. */
char *rpc_address_uri(const struct addrinfo *address, uint16_t port, char out[RPC_ADDRESS_MAX]);
/* What host resolves to, for freeaddrinfo(); flags are getaddrinfo's.  0, or code with err set. */
int rpc_address_resolve(struct addrinfo **out, const char *host, int flags, int code,
                        const char *where, struct error *err);
/* Replaces "%5B" by "[" and so on, in place. */
void rpc_address_unescape(char *text);

/* Makes the server listen on every address of host; *port is chosen if 0. */
int rpc_listen(grpc_server *server, grpc_server_credentials *credentials, const char *host,
               uint16_t *port, struct error *err);

#endif
