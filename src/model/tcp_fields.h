/* struct tcp_info as the newest kernel has it, one table: everything that names, stores or
 * prints a kernel field goes through it.  Source: include/uapi/linux/tcp.h (6.18).
 *
 * A kernel may return less (older) or more (newer) than TCP_INFO_SIZE; the returned length
 * says which fields exist. */
#ifndef MODEL_TCP_FIELDS_H
#define MODEL_TCP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_INFO_SIZE 280 /* bytes of the newest struct tcp_info that is known here */
#define TCP_CC_WORDS  5   /* 32-bit words of TCP_CC_INFO that are kept: bbr's */

/* X(name, offset, bytes, shift, bits): the field is `bits` wide at `shift` of the little-endian
 * integer of `bytes` at `offset` (bits 0: all of it).  The name is that of the proto column. */
#define TCP_FIELDS(X)                        \
    X(state, 0, 1, 0, 0)                     \
    X(ca_state, 1, 1, 0, 0)                  \
    X(retransmits, 2, 1, 0, 0)               \
    X(probes, 3, 1, 0, 0)                    \
    X(backoff, 4, 1, 0, 0)                   \
    X(options, 5, 1, 0, 0)                   \
    X(snd_wscale, 6, 1, 0, 4)                \
    X(rcv_wscale, 6, 1, 4, 4)                \
    X(delivery_rate_app_limited, 7, 1, 0, 1) \
    X(fastopen_client_fail, 7, 1, 1, 2)      \
    X(rto, 8, 4, 0, 0)                       \
    X(ato, 12, 4, 0, 0)                      \
    X(snd_mss, 16, 4, 0, 0)                  \
    X(rcv_mss, 20, 4, 0, 0)                  \
    X(unacked, 24, 4, 0, 0)                  \
    X(sacked, 28, 4, 0, 0)                   \
    X(lost, 32, 4, 0, 0)                     \
    X(retrans, 36, 4, 0, 0)                  \
    X(fackets, 40, 4, 0, 0)                  \
    X(last_data_sent, 44, 4, 0, 0)           \
    X(last_ack_sent, 48, 4, 0, 0)            \
    X(last_data_recv, 52, 4, 0, 0)           \
    X(last_ack_recv, 56, 4, 0, 0)            \
    X(pmtu, 60, 4, 0, 0)                     \
    X(rcv_ssthresh, 64, 4, 0, 0)             \
    X(rtt, 68, 4, 0, 0)                      \
    X(rttvar, 72, 4, 0, 0)                   \
    X(snd_ssthresh, 76, 4, 0, 0)             \
    X(snd_cwnd, 80, 4, 0, 0)                 \
    X(advmss, 84, 4, 0, 0)                   \
    X(reordering, 88, 4, 0, 0)               \
    X(rcv_rtt, 92, 4, 0, 0)                  \
    X(rcv_space, 96, 4, 0, 0)                \
    X(total_retrans, 100, 4, 0, 0)           \
    X(pacing_rate, 104, 8, 0, 0)             \
    X(max_pacing_rate, 112, 8, 0, 0)         \
    X(bytes_acked, 120, 8, 0, 0)             \
    X(bytes_received, 128, 8, 0, 0)          \
    X(segs_out, 136, 4, 0, 0)                \
    X(segs_in, 140, 4, 0, 0)                 \
    X(notsent_bytes, 144, 4, 0, 0)           \
    X(min_rtt, 148, 4, 0, 0)                 \
    X(data_segs_in, 152, 4, 0, 0)            \
    X(data_segs_out, 156, 4, 0, 0)           \
    X(delivery_rate, 160, 8, 0, 0)           \
    X(busy_time, 168, 8, 0, 0)               \
    X(rwnd_limited, 176, 8, 0, 0)            \
    X(sndbuf_limited, 184, 8, 0, 0)          \
    X(delivered, 192, 4, 0, 0)               \
    X(delivered_ce, 196, 4, 0, 0)            \
    X(bytes_sent, 200, 8, 0, 0)              \
    X(bytes_retrans, 208, 8, 0, 0)           \
    X(dsack_dups, 216, 4, 0, 0)              \
    X(reord_seen, 220, 4, 0, 0)              \
    X(rcv_ooopack, 224, 4, 0, 0)             \
    X(snd_wnd, 228, 4, 0, 0)                 \
    X(rcv_wnd, 232, 4, 0, 0)                 \
    X(rehash, 236, 4, 0, 0)                  \
    X(total_rto, 240, 2, 0, 0)               \
    X(total_rto_recoveries, 242, 2, 0, 0)    \
    X(total_rto_time, 244, 4, 0, 0)          \
    X(received_ce, 248, 4, 0, 0)             \
    X(delivered_e1_bytes, 252, 4, 0, 0)      \
    X(delivered_e0_bytes, 256, 4, 0, 0)      \
    X(delivered_ce_bytes, 260, 4, 0, 0)      \
    X(received_e1_bytes, 264, 4, 0, 0)       \
    X(received_e0_bytes, 268, 4, 0, 0)       \
    X(received_ce_bytes, 272, 4, 0, 0)       \
    X(accecn_fail_mode, 276, 2, 0, 0)        \
    X(accecn_opt_seen, 278, 2, 0, 0)

enum tcp_field {
#define X(name, offset, bytes, shift, bits) TCP_##name,
    TCP_FIELDS(X)
#undef X
        TCP_FIELD_COUNT
};

/* Linux's TCP states (net/tcp_states.h) and option bits (linux/tcp.h) that are used here. */
enum {
    LINUX_TCP_ESTABLISHED = 1,
    LINUX_TCP_FIN_WAIT1 = 4,
    LINUX_TCP_FIN_WAIT2 = 5,
    LINUX_TCP_TIME_WAIT = 6,
    LINUX_TCP_CLOSE = 7,
    LINUX_TCP_CLOSE_WAIT = 8,
    LINUX_TCP_LAST_ACK = 9,
    LINUX_TCP_CLOSING = 11
};
enum { LINUX_TCP_CA_RECOVERY = 3 }; /* and 4: loss; segments are sent again */
enum { LINUX_TCPI_OPT_ECN = 8, LINUX_TCPI_OPT_ECN_SEEN = 16 };

struct tcp_field_info {
    const char *name;
    uint16_t offset;
    uint8_t bytes, shift, bits;
};

const struct tcp_field_info *tcp_field_info(enum tcp_field field);

/* The field's value in a tcp_info as the kernel returned it (length bytes); 64-bit unsigned values
 * keep their bits.  0 where the kernel did not return it. */
int64_t tcp_field_get(const void *tcp_info, size_t length, enum tcp_field field);
/* Whether a tcp_info of that length has the field. */
bool tcp_field_exists(size_t length, enum tcp_field field);

/* Linux's state number in the numbering of result files: 5 is established, see messages.proto. */
int tcp_state_seed(int64_t linux_state);

#endif
