/* What had been counted for one end at one moment: three of them stand in its report, and what
 * became of the bytes (model/ledger.h) and of the time (model/verdict.h) is told by them alone.
 *
 * The kernel's figures are raw, as struct tcp_info has them: acked and received hold the token,
 * acked the SYN at the end that opened, both the FIN. */
#ifndef MODEL_READING_H
#define MODEL_READING_H

#include <stdint.h>

struct reading {
    int64_t t_ns;                 /* when TCP_INFO was read; a time as in struct end_report */
    uint16_t info_length;         /* of TCP_INFO: which of its fields exist; 0: not read */
    uint8_t state;                /* Linux's own number */
    uint64_t written, read;       /* payload that send() took, that recv() gave */
    uint64_t acked, received;     /* bytes, as the next three */
    uint64_t sent, retransmitted; /* without SYN and FIN */
    uint64_t notsent;             /* written, not transmitted once */
    uint64_t unread;              /* SIOCINQ: received in order, not read; no FIN in it */
    uint64_t busy_us;             /* something was unacknowledged or unsent */
    uint64_t rwnd_limited_us;     /* of that: the peer's window was full */
    uint64_t sndbuf_limited_us;   /* of that: all was sent, and a write was cut */
    uint32_t rtt_us, min_rtt_us;  /* smoothed; least */
    uint32_t send_buffer;         /* SO_SNDBUF */
    uint32_t send_queued;         /* what is in it, with the kernel's own share */
    uint32_t data_segs;           /* that came, with data */
    uint32_t last_data_recv_ms;   /* since data last came in order, in whole jiffies */
    uint32_t jiffy_us;            /* how long these are; 0: these three were not read */

    /* Times of the engine, in all.  Of the source's waiting for its socket: */
    int64_t held_ns; /* all was under way, and the send buffer was full of it */
    int64_t late_ns; /* all was under way, and the buffer had room */
    /* Of its waiting for a moment, while nothing was unsent: */
    int64_t rest_ns;      /* the traffic model had nothing to send, as the moment had not come */
    int64_t overslept_ns; /* it had, but the source's worker did not wake up or get to it */
    /* What filled the peer's window and the send buffer, as model/queue_watch.h judges. */
    uint32_t queue_looks;     /* 0: it was not judged */
    uint64_t queue_window_us; /* of rwnd_limited_us: a queue of the network filled the window */
    uint64_t shut_window_us;  /* of the rest: the peer had less than half of the window open */
    int64_t queue_held_ns;    /* of held_ns: a queue of the network filled the buffer */

    int64_t worker_ns; /* when the next two were read, likewise a time; 0: they were not */
    int64_t cpu_ns;    /* CPU time of the worker's thread */
    int64_t wait_ns;   /* it was ready to run and got no core; -1: the kernel does not tell */
};

enum { READ_BEGIN, READ_STOP, READ_CLOSE, READINGS };

#endif
