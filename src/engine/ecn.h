/* ECN for one flow.  Linux has no socket option for it: whether a SYN asks for ECN is decided
 * inside connect() from net.ipv4.tcp_ecn, so the sysctl is set around a non-blocking connect(),
 * under a lock keyed by the network namespace that all agents on the machine share, and put back.
 */
#ifndef ENGINE_ECN_H
#define ENGINE_ECN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "util/error.h"

struct ecn; /* one a worker: not shared between threads */

int ecn_create(struct ecn **out, struct error *err);
void ecn_destroy(struct ecn *ecn);

/* connect() with the SYN asking for ECN or not, whatever the host's setting.  Returns what
 * connect() does, errno set. If the host's setting already gives what is wanted nothing is written.
 */
int ecn_connect(struct ecn *ecn, int fd, const struct sockaddr *peer, socklen_t size, bool want);

/* Whether flows with (want) or without ECN can be opened here: 0, or ERROR_AGENT with the cure
 * (CAP_NET_ADMIN, a writable /proc/sys). */
int ecn_can_connect(bool want, struct error *err);
/* Whether a listener here accepts ECN (tcp_ecn is not 0): 0, or ERROR_AGENT with the cure. */
int ecn_can_accept(struct error *err);

#endif
