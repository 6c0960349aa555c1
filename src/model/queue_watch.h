/* Whether what fills a peer's window, or a send buffer, is a queue of the network: judged again and
 * again while data move, a round trip or more at a time, because a flow may meet both in turn: a
 * full link, and a peer that does not read.
 *
 * A window or a buffer that is full of what waits in a queue of the network bounds that queue, and
 * not the rate.  A queue shows in the RTT.  By Little's law rate * RTT is what the network holds in
 * the mean: little of a window of which most waits at the peer to be read, however much the RTT
 * swings with that.  Pure. */
#ifndef MODEL_QUEUE_WATCH_H
#define MODEL_QUEUE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* RTT by least RTT where a queue stands. */
#define QUEUE_RTTS 2.0
/* Of the widest window so far, that the network holds where it is what fills the window. */
#define QUEUE_WINDOW_MIN 0.5
/* Likewise of a buffer (SO_RCVBUF, SO_SNDBUF: half of it and more is the kernel's own). */
#define QUEUE_BUFFER_MIN 0.25
/* A look is of so long a time at least: the kernel's jiffies do not tell enough of less. */
#define QUEUE_LOOK_NS INT64_C(10000000)

/* What a source sees at one moment; counters as in struct reading. */
struct queue_look {
    int64_t t_ns;
    uint64_t acked;
    uint64_t window_us; /* rwnd_limited_us */
    int64_t held_ns;
    uint32_t rtt_us, min_rtt_us;
    uint32_t window; /* the peer's, bytes; the kernel does not tell: no look counts */
    uint32_t send_buffer;
    bool knows_window;
};

struct queue_watch {
    struct queue_look last;                /* since when it is to be judged; t_ns 0: not begun */
    uint32_t widest;                       /* window */
    bool fills_window, fills_buffer, shut; /* at the last look that counted */
    /* Sums over the looks that counted. */
    uint32_t looks;
    uint64_t window_us; /* of what the window held up: a queue filled it */
    uint64_t shut_us;   /* of the rest: less than half of the widest was open */
    int64_t held_ns;    /* of what the buffer held up: a queue filled it */
};

void queue_watch_begin(struct queue_watch *watch, const struct queue_look *look);
/* Counts if a round trip has passed since the last one. */
void queue_watch_look(struct queue_watch *watch, const struct queue_look *look);
/* The last one: what has passed since is, if it is too little, as it was before. */
void queue_watch_end(struct queue_watch *watch, const struct queue_look *look);

#endif
