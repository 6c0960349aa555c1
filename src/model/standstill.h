/* The longest time in which a flow had data to move, and nothing of it moved: the source had data
 * unacknowledged or unsent, neither its count of acknowledged bytes nor the sink's of received ones
 * grew.  By the samples of both ends, on one clock.
 *
 * It is a time that is certain: two samples that count alike prove that nothing moved between them,
 * also where others were missed; what may have moved between two samples did.  So it is too short
 * by less than the time from one sample to the next.
 *
 * Where the source's samples have nothing under way, nothing can arrive: so they prove it alone, as
 * when a receiver that was stopped has no samples.  Once the sink has all, nothing is left to move.
 *
 * What a flow is asked to wait for is no standstill: with a pacing rate only data under way count,
 * and for a sink with a read rate, which shuts its window, only where the window is open.  Pure. */
#ifndef MODEL_STANDSTILL_H
#define MODEL_STANDSTILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/series.h"

struct standstill {
    int64_t from_ns, ns; /* ns 0: there was none */
    bool shut;           /* at its last sample the peer's window had no room for a segment */
};

/* A time in which the source saw nothing acknowledged, and the longest part of it in which, so far,
 * the sink received nothing. */
struct source_span {
    int64_t from_ns, to_ns;
    bool shut;
    bool idle;             /* nothing was under way at its last sample: */
    int64_t idle_since_ns; /* nor at those before it from here on */
    int64_t since_ns;      /* the sink's last arrival in it */
    int64_t best_from_ns, best_ns;
};

/* So many are compared with the sink's samples, which come behind the source's. */
#define STANDSTILL_SPANS 8

struct span_list {
    bool open;               /* the source owed data at its last sample: */
    struct source_span last; /* which goes on */
    struct source_span spans[STANDSTILL_SPANS];
    size_t count;
};

/* Zero-initialised: nothing seen. */
struct standstill_watch {
    bool sampled[2]; /* each end; its last sample: */
    int64_t t_ns[2];
    uint64_t bytes[2];
    struct span_list all, under_way; /* what is owed; data under way to an open window */
};

/* The source's next samples: all of them before any of the sink's. */
void standstill_add_source(struct standstill_watch *watch, const struct series *rows);
void standstill_add_sink(struct standstill_watch *watch, const struct series *rows);
/* reads_by_rate: the sink has a read rate.  all_ns: since when it has all; INT64_MAX: never.
 * Nothing can be added behind it. */
struct standstill standstill_longest(struct standstill_watch *watch, bool reads_by_rate,
                                     int64_t all_ns);

#endif
