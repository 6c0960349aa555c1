/* The schedule of a half that moves no more than its rate: how many bytes are due at a moment, and
 * when the next are.  Pure: the time is an argument, on whatever clock the caller keeps to.
 *
 * The schedule is absolute.  It is cut into quanta; quantum k = 0, 1, ... is due when k quanta
 * would have passed at the rate since begin, so no rounding adds up, the first bytes are due at
 * begin, and what is due is never less than rate * time, nor more than that and a quantum.  The
 * last quantum is cut, so that in all exactly rate * (end - begin), at least a byte, is due.
 *
 * Who cannot keep up for a while catches up, but with no more than PACE_CATCH_UP_NS's worth: what
 * is older is skipped, and counted.  Always: due = moved + skipped + what pace_due() returns. */
#ifndef MODEL_PACE_H
#define MODEL_PACE_H

#include <stdint.h>

#define PACE_CATCH_UP_NS INT64_C(100000000) /* and a quantum */

struct pace {
    uint64_t rate;    /* bit/s; 0: no schedule */
    uint64_t quantum; /* bytes */
    uint64_t limit;   /* bytes that may be due and not moved */
    uint64_t total;   /* bytes, rounded up; at most INT64_MAX */
    uint64_t moved, skipped;
    int64_t begin_ns;
};

/* A schedule of rate > 0 bit/s from begin_ns to end_ns, of 366 days or less.  A quantum is the
 * fewest segments of 1448 bytes that are worth 1 ms; below 115.84 kbit/s it is what 100 ms are
 * worth, rounded up. */
void pace_begin(struct pace *pace, uint64_t rate, int64_t begin_ns, int64_t end_ns);

/* Bytes that are due and have not moved. */
uint64_t pace_due(struct pace *pace, int64_t now_ns);
/* So many of the bytes that were due have moved. */
void pace_moved(struct pace *pace, uint64_t bytes);
/* When more is due than has moved or was skipped; INT64_MAX: never, all has. */
int64_t pace_next_ns(const struct pace *pace);

#endif
