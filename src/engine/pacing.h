/* Halves of ends that move no more than a rate: a source with send_rate, a sink with read_rate.
 * They follow a schedule (model/pace.h) in time of the axis from the flow's start, or from the
 * connection where that comes later, to start + duration.  A half either waits for its time, by its
 * timer, and its socket is not watched for it; or it waits for its socket, which holds it up.
 *
 * Ends without a rate pass by here at the cost of a comparison.  In the worker's thread. */
#ifndef ENGINE_PACING_H
#define ENGINE_PACING_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/timer_heap.h"
#include "model/pace.h"

struct end;
struct end_spec;
struct tuning;

struct paced_half {
    struct pace pace; /* rate 0: none, or not now */
    struct timer timer;
    bool waits;         /* for its time */
    bool starved;       /* the socket had less than was due when it was last read */
    uint64_t neglected; /* bytes that were given up though they were there */
};

/* Timers of the axis that an end like this needs. */
size_t pacing_timers(const struct end_spec *spec);
void pacing_init(struct end *end);
/* At the begin of the counted time; the source is not moving yet, the sink may read from now on. */
void pacing_begin(struct end *end);
/* At the end of the counted time: moves what was due in it, if the worker was late for that. */
void pacing_catch_up(struct end *end);
/* At the end of the counted time, or before: what is left moves without a limit.  To the report. */
void pacing_end(struct end *end);

/* The end's socket may take data: writes up to `most` bytes, less if no more are due. */
void pacing_write(struct end *end, size_t most);
/* The end's socket has data. */
void pacing_read(struct end *end);

#endif
