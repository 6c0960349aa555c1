/* Timers in order of their due time: a binary heap of timers that are embedded in their owners.
 * Pure: no clock is read, nothing is called.  Not shared between threads. */
#ifndef ENGINE_TIMER_HEAP_H
#define ENGINE_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is idle. */
struct timer {
    int64_t due_ns;
    size_t place; /* in the heap, from 1; 0: idle */
    bool exact;   /* worth waking early and spinning for */
    void (*fire)(struct timer *timer);
};

/* Zero-initialised is empty. */
struct timer_heap {
    struct timer **slots;
    size_t count, capacity;
};

/* Room for `timers` in all.  0, or -1 when out of memory (unchanged then). */
int timer_heap_reserve(struct timer_heap *heap, size_t timers);
/* Arms the timer, or moves it.  There must be room for it. */
void timer_heap_arm(struct timer_heap *heap, struct timer *timer, int64_t due_ns);
/* An idle timer is fine. */
void timer_heap_disarm(struct timer_heap *heap, struct timer *timer);
/* The timer that is due first; NULL: none. */
struct timer *timer_heap_first(const struct timer_heap *heap);
void timer_heap_fini(struct timer_heap *heap);

#endif
