/* ECN for one flow.  Linux has no socket option for it: whether a SYN asks for ECN is decided
 * inside connect(), from the route's features and from net.ipv4.tcp_ecn.  Where a route can be had,
 * the socket is led by a mark to one with `features ecn`; else the sysctl is set around a
 * non-blocking connect(), under a lock keyed by the network namespace that all agents on the
 * machine share, and put back.  Where the host's setting already gives what is wanted nothing is
 * changed.  A guardian undoes all of it should this process be killed, see ecn_guardian.h. */
#ifndef ENGINE_ECN_H
#define ENGINE_ECN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "util/error.h"

/* What one engine changes on its host: marked routes, a guardian.  Empty until the first
 * ecn_prepare() that needs something. */
struct ecn_setup;

/* guardian: the program to execute as one, kept as it is given: a constant; NULL: none. */
int ecn_setup_create(struct ecn_setup **out, const char *guardian, struct error *err);
/* Leaves nothing behind.  After all that use it; NULL is fine. */
void ecn_setup_destroy(struct ecn_setup *setup);

/* Makes ready for connections to the peer of sockets that are bound as fd is (address, device).
 * All that is slow is done here: control thread.  0, or ERROR_AGENT with the cure. */
int ecn_prepare(struct ecn_setup *setup, int fd, const struct sockaddr *peer, bool want,
                struct error *err);

struct ecn; /* one a worker: not shared between threads */

/* setup may be NULL: then it is the sysctl for all, and no guardian. */
int ecn_create(struct ecn **out, struct ecn_setup *setup, struct error *err);
void ecn_destroy(struct ecn *ecn);

/* connect() with the SYN asking for ECN or not, whatever the host's setting.  Returns what
 * connect() does, errno set. */
int ecn_connect(struct ecn *ecn, int fd, const struct sockaddr *peer, socklen_t size, bool want);

/* Whether flows with (want) or without ECN can be opened here, to some peer at least: 0, or
 * ERROR_AGENT with the cure (CAP_NET_ADMIN, a writable /proc/sys). */
int ecn_can_connect(bool want, struct error *err);
/* Whether a listener here accepts ECN (tcp_ecn is not 0): 0, or ERROR_AGENT with the cure. */
int ecn_can_accept(struct error *err);

#endif
