/* Whose a socket of this machine is, asked of the kernel (sock_diag), which needs no privilege.
 * Any thread, one at a time for each struct socket_owners. */
#ifndef HOST_SOCKET_OWNER_H
#define HOST_SOCKET_OWNER_H

#include <sys/types.h>

struct socket_owners; /* a way to ask; opaque */

/* 0, or -errno.  It asks about the network namespace of the calling thread. */
int socket_owners_open(struct socket_owners **out);
void socket_owners_close(struct socket_owners *owners); /* NULL is fine */

/* fd is a TCP socket that is connected within this machine over an address of loopback.  0, or:
 * -ENOENT     there is no such socket, or nobody holds it any more: it was closed, or it was not
 *             accepted yet.  The kernel calls such a one root's;
 * -EOPNOTSUPP this kernel does not tell (it has no inet_diag);
 * -EOVERFLOW  its user is none of this user namespace's;
 * or another -errno.  */

/* Whose the socket at the other end of the connection is, while it is connected. */
int socket_owner_of_peer(struct socket_owners *owners, int fd, uid_t *uid);
/* Whose the listening socket is that fd's address of the other side leads to. */
int socket_owner_of_listener(struct socket_owners *owners, int fd, uid_t *uid);

/* Whose the other end of a Unix socket is: who connected it, or who made it listen. */
int socket_owner_of_unix_peer(int fd, uid_t *uid);

/* What the errors above mean, for people. */
const char *socket_owner_problem(int failed);

#endif
