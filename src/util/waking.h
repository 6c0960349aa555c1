/* Time as a loop lives it.  A process that was stopped (Ctrl-Z, SIGSTOP, a machine that stood)
 * finds all its limits passed when it goes on, while what came in time still waits to be read.  So
 * limits of patience are kept in this time, which stands still while the loop does not come round,
 * and judged when what waits was read.  Schedules are not: they are the world's.  A machine that
 * was suspended needs no more: CLOCK_MONOTONIC, of which this is made, stands still with it.
 *
 * Pure: no clock is read.  Not shared between threads. */
#ifndef UTIL_WAKING_H
#define UTIL_WAKING_H

#include <stdint.h>

#include "util/clock.h"

/* So much a loop may be late for each time it comes round, and it counts as lived. */
#define WAKING_LATE_NS (100 * NS_PER_MS)
/* What was missed at once is worth telling from here on. */
#define WAKING_PAUSE_NS NS_PER_S

/* Zero-initialised is new. */
struct waking {
    int64_t seen_ns;   /* when it last came round; 0: never yet */
    int64_t missed_ns; /* in all; it only grows */
};

/* The loop has come round at now_ns (CLOCK_MONOTONIC).  It had meant to sleep until due_ns; a time
 * that has passed means not at all, INT64_MAX for ever: then no sleep is too long. */
void waking_come_round(struct waking *waking, int64_t now_ns, int64_t due_ns);

/* The time as lived: now_ns less what was missed. */
int64_t waking_time(const struct waking *waking, int64_t now_ns);

/* When, in CLOCK_MONOTONIC, a lived time comes if nothing more is missed; INT64_MAX never does. */
int64_t waking_due(const struct waking *waking, int64_t lived_ns);

#endif
