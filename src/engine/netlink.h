/* What the kernel knows of addresses and routes, by rtnetlink.  Private to the engine. */
#ifndef ENGINE_NETLINK_H
#define ENGINE_NETLINK_H

#include <stddef.h>
#include <stdint.h>

struct ip {
    int family;         /* AF_INET or AF_INET6 */
    unsigned interface; /* its index: the owner, or the scope of a link-local address; 0: none */
    uint8_t bytes[16];  /* network order; IPv4 has the first four */
};

/* All addresses of this network namespace's interfaces.  0 and *out to free(), or -errno. */
int netlink_addresses(struct ip **out, size_t *count);

struct netlink_route {
    unsigned char type; /* RTN_LOCAL, RTN_UNICAST, ... */
    unsigned interface; /* index of the interface that packets leave by */
};

/* Where packets to `to` go.  from may be NULL, interface 0.  0, or -errno (-ENETUNREACH, ...). */
int netlink_route_get(const struct ip *to, const struct ip *from, unsigned interface,
                      struct netlink_route *out);

#endif
