/* How much of a thread's time it ran, and how much it waited for a core. */
#ifndef ENGINE_USAGE_H
#define ENGINE_USAGE_H

#include <stdint.h>

struct usage {
    int64_t t_ns;    /* when the two below were so */
    int64_t cpu_ns;  /* CLOCK_THREAD_CPUTIME_ID */
    int64_t wait_ns; /* second number of schedstat (Documentation/scheduler/sched-stats); -1: the
                        kernel was built without */
    int schedstat;   /* descriptor; -1: none */
};

/* By the thread itself, as usage_read(). */
void usage_open(struct usage *usage);
void usage_close(struct usage *usage);
/* Reads it anew, unless what is there is less than a millisecond old: thousands of flows may ask
 * at one moment. */
void usage_read(struct usage *usage, int64_t now_ns);

#endif
