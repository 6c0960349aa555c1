/* Packets of a flow as they were captured at one end of it.  Plain data. */
#ifndef MODEL_PACKET_H
#define MODEL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"

#define LINKTYPE_ETHERNET 1   /* https://www.tcpdump.org/linktypes.html */
#define LINKTYPE_RAW      101 /* begins with the IP header */

#define CAPTURE_SNAP 192   /* bytes: Ethernet with tags, IPv6 with extensions, TCP with options */
#define CAPTURES_MAX 64    /* ends that an agent captures at once */
#define PACKETS_MAX  4096u /* in a batch */

struct packet {
    int64_t t_ns;      /* CLOCK_MONOTONIC of the agent, until the master puts it elsewhere */
    uint32_t length;   /* bytes that it had */
    uint32_t captured; /* bytes of them that are kept, the first ones */
};

/* Packets of one end in the order in which they were seen, and their bytes one after another. */
struct packet_batch {
    uint32_t flow;
    enum flow_end end;
    uint32_t link_type;
    const struct packet *packets;
    size_t count;        /* up to PACKETS_MAX */
    const uint8_t *data; /* the sum of `captured` */
    size_t size;
};

/* What came of capturing at one end. */
struct capture_report {
    uint32_t flow;
    enum flow_end end;
    uint64_t packets; /* kept */
    uint64_t dropped; /* by the kernel, whose buffer was full */
    uint64_t lost;    /* by the agent, whose spool was too slow */
    int64_t error_ns; /* a time is wrong by at most this, on the agent's own clock */
    char device[DEVICE_MAX];
    char error[128]; /* empty: none */
};

/* How many of the first `captured` bytes are headers, up to and with TCP's: payload is nobody's
 * business.  0 where that cannot be told: no TCP over IP, or an unknown link type. */
uint32_t packet_headers(uint32_t link_type, const uint8_t *bytes, uint32_t captured);

/* Whose it is. */
struct packet_tcp {
    uint16_t from, to; /* ports */
    bool opens;        /* SYN without ACK */
};
/* False where that cannot be told, likewise, or the packet is cut before. */
bool packet_tcp(struct packet_tcp *out, uint32_t link_type, const uint8_t *bytes,
                uint32_t captured);

#endif
