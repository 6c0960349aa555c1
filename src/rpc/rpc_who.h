/* Who is at the other end of a connection, and whether he may be.
 *
 * Over loopback and Unix sockets that is a user of this machine, whom the kernel names.  A
 * connection counts as loopback if either of its addresses is: a local program may bind to any
 * address of the machine before it connects. */
#ifndef RPC_RPC_WHO_H
#define RPC_RPC_WHO_H

#include "rpc/rpc.h"
#include "rpc/rpc_farewell.h"
#include "util/users.h"

#define RPC_WHY_MAX RPC_FAREWELL_WHY_MAX

struct socket_owners;

enum rpc_who {
    RPC_WHO_FINE,
    RPC_WHO_GONE,   /* he closed the connection, or nobody holds it yet */
    RPC_WHO_FOREIGN /* a user who is not trusted, or none that could be named: why says it */
};

/* Of an accepted connection.  *caller is filled as far as it is known, in any case. */
enum rpc_who rpc_who_calls(struct socket_owners *owners, const struct users *trusted, int fd,
                           struct rpc_caller *caller, char why[RPC_WHY_MAX]);

/* Of a connection that we made.  RPC_WHO_GONE: nothing listens there any more. */
enum rpc_who rpc_who_listens(struct socket_owners *owners, const struct users *trusted, int fd,
                             char why[RPC_WHY_MAX]);

#endif
