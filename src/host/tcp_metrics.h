/* The TCP metrics cache of this network namespace: what the kernel remembers of peers, and starts
 * new connections with (net/ipv4/tcp_metrics.c).  By generic netlink, family "tcp_metrics"; any
 * thread.  Reading needs no privilege, forgetting needs CAP_NET_ADMIN. */
#ifndef HOST_TCP_METRICS_H
#define HOST_TCP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/netlink.h"

/* An entry; the kernel keeps one for a peer and each local address.  0: nothing remembered. */
struct tcp_metrics {
    struct ip peer, local; /* family 0: the kernel does not say */
    int64_t age_ms;        /* since its last update; -1: not known */
    uint32_t rtt_us, rttvar_us;
    uint32_t ssthresh; /* segments */
    uint32_t cwnd;     /* segments; counts only where the route locks it */
    uint32_t reordering;
};

/* Older entries are not used: TCP_METRICS_TIMEOUT of the kernel. */
#define TCP_METRICS_STALE_MS INT64_C(3600000)

/* For qsort(): the order in which tcp_metrics_read() needs the peers.  By family and address, 0
 * where both are the same. */
int tcp_metrics_order(const void *a, const void *b);

/* Entries of the peers, which are sorted; at most room of them.  Their number, which may be larger
 * than room, or -errno; -ENOENT: this kernel keeps none. */
int tcp_metrics_read(const struct ip *peers, size_t peer_count, struct tcp_metrics *out,
                     size_t room);

/* Whether a connection that opens now would have another slow start threshold or reordering than
 * one to a stranger.  (Of the rest, RTT can only lengthen the first retransmission timeout.)
 * default_reordering: net.ipv4.tcp_reordering; keeps_ssthresh: tcp_no_ssthresh_metrics_save is 0
 * (it is 1 by default). */
bool tcp_metrics_matter(const struct tcp_metrics *entry, uint32_t default_reordering,
                        bool keeps_ssthresh);

/* Forgets all entries of the peers.  0, or -errno of the first that failed (-EPERM). */
int tcp_metrics_forget(const struct ip *peers, size_t peer_count);

/* Whether tcp_metrics_forget() may do so: 0 or -errno. */
int tcp_metrics_may_forget(void);

#endif
