/* An interface's counters, by rtnetlink.  No privilege; any thread with a socket of its own. */
#ifndef HOST_INTERFACE_H
#define HOST_INTERFACE_H

#include <stdint.h>

#include "host/netlink.h"

/* As struct rtnl_link_stats64 in linux/if_link.h. */
struct interface_counters {
    uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
    uint64_t rx_errors, tx_errors, rx_dropped, tx_dropped;
};

/* index: if_nametoindex().  0 or -errno; socket and number as for netlink_ask_on(). */
int interface_read(struct mnl_socket *socket, uint32_t number, unsigned index,
                   struct interface_counters *out);

#endif
