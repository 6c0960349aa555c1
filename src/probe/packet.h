/* The datagrams of the clock probe: a request and its reply have one size, so an answer is never
 * larger than what asked for it, and each carries HMAC-SHA256 (RFC 2104, cut to 16 bytes) under a
 * key that only the run's master and this agent know.  All integers are big-endian.
 *
 *    0  4  "tfgp"
 *    4  1  version, 1
 *    5  1  kind: 1 request, 2 reply
 *    6  1  flags of a reply: 1 received_ns is the kernel's stamp, 2 previous_sent_ns is known
 *    7  1  0
 *    8  8  sequence number, larger in each request
 *   16  8  reply: received_ns
 *   24  8  reply: sent_ns
 *   32  8  reply: previous_sent_ns
 *   40 16  HMAC of the bytes before
 *
 * A request has zeros where only a reply says something.  No thread, no I/O. */
#ifndef PROBE_PACKET_H
#define PROBE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/hmac.h"

#define PROBE_PACKET_SIZE 56
#define PROBE_KEY_SIZE    32

enum probe_kind { PROBE_REQUEST = 1, PROBE_REPLY = 2 };

/* Times are ns of the agent's CLOCK_MONOTONIC. */
struct probe_packet {
    enum probe_kind kind;
    uint64_t sequence;
    int64_t received_ns;      /* not before the request was there */
    int64_t sent_ns;          /* not after the reply left */
    bool received_by_kernel;  /* received_ns is made of the kernel's stamp */
    bool has_previous;        /* the next is known */
    int64_t previous_sent_ns; /* as sent_ns, of the reply to sequence - 1, by the kernel's stamp */
};

/* False: the library failed; out is not to be sent then. */
bool probe_packet_write(const struct probe_packet *packet, struct hmac *key,
                        uint8_t out[PROBE_PACKET_SIZE]);

/* False for whatever is not a whole packet of this kind under this key. */
bool probe_packet_read(struct probe_packet *out, enum probe_kind kind, struct hmac *key,
                       const uint8_t *data, size_t size);

#endif
