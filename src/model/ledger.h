/* What became of every byte of payload that went one way over a connection, from the closing
 * readings of its two ends:
 *
 *   written    = never_sent + sent_first      (the application's count against three of the kernel)
 *   sent_first = acked + unacked
 *   received   = read + unread                (the kernel's counts against the application's)
 *   acked     <= received <= sent_first       (one host against the other)
 *   where both ends ran to a drained end: written = read
 *
 * The kernel's counters hold more than payload: the token that opens the connection (where it has
 * one), in acked the SYN at the end that opened (net/ipv4/tcp_input.c: snd_una starts at it, but at
 * the accepting end behind it), in acked and received the FIN.  bytes_sent has neither. */
#ifndef MODEL_LEDGER_H
#define MODEL_LEDGER_H

#include <stdint.h>

#include "model/flow.h"

enum ledger_state {
    LEDGER_UNKNOWN,    /* `why` says what is missing */
    LEDGER_RECONCILES, /* to the byte */
    LEDGER_DIFFERS     /* `why` says what does not agree */
};

/* Bytes.  Where one end is not known, what stands for it is 0. */
struct ledger {
    enum ledger_state state;
    char why[256];
    uint64_t written;       /* send() took it */
    uint64_t never_sent;    /* left at close */
    uint64_t sent_first;    /* transmitted at least once */
    uint64_t retransmitted; /* transmitted again, in all */
    uint64_t requeued; /* given to the device again: the sender's own queue had dropped it, which
                          the kernel does not count as retransmitted */
    uint64_t acked;
    uint64_t unacked; /* transmitted, not acknowledged at close */
    uint64_t received;
    uint64_t read;
    uint64_t unread; /* left at close */
    /* Between the last reading and the reset that closes an end in mid-flow, some more may leave or
     * arrive.  What the other end knows of that is in the figures above, and here. */
    uint64_t sent_late, received_late;
    uint32_t token_acked, token_received, syn_acked, fin_acked, fin_received;
};

/* The payload that `source` sent to `sink`, two ends of a connection; NULL: its report is missing.
 */
void ledger_build(struct ledger *out, const struct end_report *source,
                  const struct end_report *sink);

#endif
