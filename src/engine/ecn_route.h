/* Routes that ask for ECN, for packets with a mark only.  Private to ECN. */
#ifndef ENGINE_ECN_ROUTE_H
#define ENGINE_ECN_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/netlink.h"

/* Each engine of a network namespace is an owner of its own mark, rules and table. */
#define ECN_ROUTE_OWNERS 16u

/* What a connecting socket's route depends on. */
struct ecn_path {
    struct ip peer;
    struct ip local;    /* that it is bound to; family 0: none */
    unsigned interface; /* likewise */
};

uint32_t ecn_route_mark(unsigned owner);

/* Whether this process may change rules and routes here: 0, or the errno why not. */
int ecn_route_refused(void);

/* Whether the path's route can be had with ECN: only simple ones that leave this machine can.
 * 0, or -errno (-EOPNOTSUPP). */
int ecn_route_check(const struct ecn_path *path);

/* Makes the process that holds token, an unbound unix socket, an owner until the socket is closed
 * or the process is dead.  Returns its number, or -errno. */
int ecn_route_claim(int token);
/* Sees to it that sockets on the path with the owner's mark connect with ECN, by the route that
 * they have without it.  0, or -errno. */
int ecn_route_add(unsigned owner, const struct ecn_path *path);
/* Removes rules and routes. */
void ecn_route_clear(unsigned owner);

/* Clears what owners left that are dead; returns how many. */
unsigned ecn_route_sweep(void);

#endif
