/* Listening sockets. */
#ifndef RPC_RPC_LISTEN_H
#define RPC_RPC_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/address.h"

#define RPC_LISTENERS_MAX 16 /* addresses that a name may have */

struct rpc_listeners {
    int fds[RPC_LISTENERS_MAX]; /* non-blocking */
    size_t count;
    uint16_t port;                /* 0: a Unix socket */
    char path[ENDPOINT_PATH_MAX]; /* its; else empty */
    dev_t device;                 /* of the file there, as it was made */
    ino_t inode;
};

/* Listens on every address of at->host that is here, at one port, or makes a Unix socket, which
 * this user alone may connect to unless for_others.  A stale Unix socket of this user is replaced,
 * nothing else ever.  0, or ERROR_SYSTEM that names the address and why (in use, not here). */
int rpc_listen(struct rpc_listeners *out, const struct endpoint *at, bool for_others,
               struct error *err);
/* Closes them, and removes the Unix socket if it still is the one. */
void rpc_listen_end(struct rpc_listeners *listeners);

#endif
