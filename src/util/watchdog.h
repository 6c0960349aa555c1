/* Tells of threads that do not come round: each says when it begins with something and when it
 * waits again, and another thread looks once a second.  It only tells; nothing is ended.
 *
 * Where a watchdog or what is watched may be NULL, that is fine and means none. */
#ifndef UTIL_WATCHDOG_H
#define UTIL_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/clock.h"
#include "util/error.h"

struct watchdog; /* opaque */

/* Embedded in what has the thread. */
struct watched {
    atomic_int_least64_t since_ns; /* when it began; 0: it waits */
    const char *_Atomic stage;     /* with what: a text that stays */
    /* the watchdog's */
    char name[48];
    int64_t limit_ns, told_ns; /* told_ns: how long it had taken; 0: not told */
    struct watched *next;
};

/* Of a thread that does not come round, and again each time that has taken twice as long; or that
 * it came round after all, after for_ns or more. */
struct watchdog_news {
    const char *name, *stage;
    int64_t for_ns;
    bool came_round;
};
typedef void watchdog_tell(void *arg, const struct watchdog_news *news);

/* tell(arg, ...) runs on the watchdog's thread, with its lock: it may not add or remove. */
int watchdog_create(struct watchdog **out, watchdog_tell *tell, void *arg, struct error *err);
int watchdog_start(struct watchdog *watchdog, struct error *err); /* its thread */
void watchdog_destroy(struct watchdog *watchdog);

/* To be removed before its memory goes. */
void watchdog_add(struct watchdog *watchdog, struct watched *watched, const char *name,
                  int64_t limit_ns);
void watchdog_remove(struct watchdog *watchdog, struct watched *watched);

/* What the thread does once a second.  Where the machine itself stood still it starts counting
 * anew. */
void watchdog_look(struct watchdog *watchdog, int64_t now_ns);

/* ---- in the watched thread ---- */

static inline void watch_stage(struct watched *watched, const char *stage)
{
    if (watched)
        atomic_store_explicit(&watched->stage, stage, memory_order_relaxed);
}

static inline void watch_busy(struct watched *watched, const char *stage, int64_t now_ns)
{
    watch_stage(watched, stage);
    if (watched)
        atomic_store_explicit(&watched->since_ns, now_ns, memory_order_relaxed);
}

static inline void watch_idle(struct watched *watched)
{
    if (watched)
        atomic_store_explicit(&watched->since_ns, 0, memory_order_relaxed);
}

#endif
