/* Whether a path swallows packets for being large, and no router says so: a path MTU black hole.
 * By the samples of a source.  Two things show it.
 *
 * With net.ipv4.tcp_mtu_probing the kernel sends smaller segments after some timeouts in a row; the
 * path MTU that it was told stays.  Where the small ones get through it tries larger ones again and
 * again: if these do not, it is so; if a full one does, the path had only been down.  But it tries
 * them only while data for it wait, and both windows have room (tcp_mtu_probe() in
 * net/ipv4/tcp_output.c): of a flow that is held to a rate it is not known.
 *
 * Without it nothing moves any more.  Where not one full segment ever got through, but the
 * handshake did, it may be so, or the path went down between the two.  Pure. */
#ifndef MODEL_MTU_HOLE_H
#define MODEL_MTU_HOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/series.h"

enum mtu_verdict { MTU_NO_HOLE, MTU_MAY_BE_HOLE, MTU_HOLE };

struct mtu_hole {
    enum mtu_verdict verdict;
    uint32_t packet; /* bytes, with IP and TCP headers, that do not get through */
    uint32_t passed; /* the largest that did; 0: none with data but the token's */
};

/* Segments, in full ones' bytes, behind which a kernel that can has tried larger ones. */
#define MTU_TRIED_SEGMENTS 100
/* Congestion window with which it can. */
#define MTU_TRIED_CWND 11
/* Bytes that the kernel does not search any closer. */
#define MTU_CLOSE 8
/* Timeouts in a row. */
#define MTU_TIMEOUTS 3

/* Zero-initialised: nothing seen. */
struct mtu_watch {
    bool sampled;
    uint32_t pmtu, full; /* full: the largest snd_mss while the kernel was told this path MTU */
    uint32_t options;
    uint64_t acked;   /* at the last sample */
    uint64_t retrans; /* segments, in all, at the last sample with full ones */
    bool fell;        /* smaller segments are sent: */
    uint64_t acked_before;
    uint64_t tried;  /* bytes that were acknowledged since while larger ones could be tried */
    uint32_t passed; /* snd_mss, the largest with which something was acknowledged since */
    bool stuck;      /* timeouts in a row at the last sample, and no full segment got through yet */
};

void mtu_watch_add(struct mtu_watch *watch, const struct series *rows);
/* ip_header: bytes. */
struct mtu_hole mtu_watch_judge(const struct mtu_watch *watch, uint32_t ip_header);

#endif
