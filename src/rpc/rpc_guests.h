/* The connections that gRPC serves, and who made each.  Any thread.
 *
 * A place is free when neither the relay nor gRPC has the connection any more, or it was yielded.
 * gRPC closes its end when no call on it is left either, and says nothing: it shows by the
 * descriptor, which then is none or another socket's.  So as long as a call can be asked for its
 * peer, "fd:7", 7 is the connection that it came on. */
#ifndef RPC_RPC_GUESTS_H
#define RPC_RPC_GUESTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/rpc.h"

struct rpc_guest {
    int fd;          /* gRPC's end */
    uint64_t cookie; /* the kernel's number of the socket, never used again */
    bool relayed, yielded;
    struct rpc_caller caller;
};

struct rpc_guests {
    pthread_mutex_t lock;
    size_t count; /* of those that yielded, too */
    struct rpc_guest items[RPC_CONNECTIONS_MAX + RPC_YIELDED_MAX];
};

void rpc_guests_init(struct rpc_guests *guests);
void rpc_guests_fini(struct rpc_guests *guests);

/* The cookie of fd, gRPC's end, or 0: there is no place. */
uint64_t rpc_guests_add(struct rpc_guests *guests, int fd, const struct rpc_caller *caller);
/* The relay of that one is over; if it yielded its place to another, that is free at once. */
void rpc_guests_leave(struct rpc_guests *guests, uint64_t cookie, bool yielded);
/* How many have places, and how many of them have the key. */
size_t rpc_guests_count(struct rpc_guests *guests, const char *key, size_t *of_key);
bool rpc_guests_find(struct rpc_guests *guests, int fd, struct rpc_caller *out);

/* 0: there is no such socket. */
uint64_t rpc_socket_cookie(int fd);

#endif
