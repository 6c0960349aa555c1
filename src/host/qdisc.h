/* Queueing disciplines and what they count, by rtnetlink (RTM_GETQDISC).  No privilege; any thread
 * with a socket of its own. */
#ifndef HOST_QDISC_H
#define HOST_QDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/netlink.h"
#include "model/flow.h"

struct qdisc_counters {
    char kind[DEVICE_MAX]; /* of the root; empty: it has none that the kernel shows */
    /* Of the root, which has the sums of its classes: struct gnet_stats_basic and _queue. */
    uint64_t bytes, packets;
    uint32_t backlog_bytes, qlen, drops, requeues, overlimits;
    /* Packets marked CE, by all queues of the interface that tell (TCA_STATS_APP). */
    bool tells_marks;
    uint64_t marks;
};

/* Of count interfaces (if_nametoindex()), in one question.  0 or -errno; socket and number as for
 * netlink_ask_on(). */
int qdisc_read(struct mnl_socket *socket, uint32_t number, const unsigned *indices, size_t count,
               struct qdisc_counters *out);

#endif
