#include "util/watchdog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/signals.h"

#define LOOK_NS NS_PER_S

struct watchdog {
    watchdog_tell *tell;
    void *arg;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool quit;
    struct watched *first;
    int64_t looked_ns;
    int64_t awake_ns; /* the machine ran since then, as far as is known */
};

/* ---- looking; with the lock ---- */

static void report(const struct watchdog *watchdog, const struct watched *watched, int64_t for_ns,
                   bool came_round)
{
    const char *stage = atomic_load_explicit(&watched->stage, memory_order_relaxed);
    const struct watchdog_news news = {watched->name, stage ? stage : "", for_ns, came_round};
    watchdog->tell(watchdog->arg, &news);
}

static void look_at(const struct watchdog *watchdog, struct watched *watched, int64_t now_ns)
{
    int64_t since = atomic_load_explicit(&watched->since_ns, memory_order_relaxed);
    const bool waits = since == 0;
    since = since > watchdog->awake_ns ? since : watchdog->awake_ns;
    const int64_t for_ns = waits ? 0 : now_ns - since;
    if (for_ns >= watched->limit_ns && for_ns >= 2 * watched->told_ns) {
        watched->told_ns = for_ns;
        report(watchdog, watched, for_ns, false);
    } else if (watched->told_ns && for_ns < watched->told_ns) {
        report(watchdog, watched, watched->told_ns, true);
        watched->told_ns = 0;
    }
}

static void look(struct watchdog *watchdog, int64_t now_ns)
{
    if (now_ns - watchdog->looked_ns > 2 * LOOK_NS)
        watchdog->awake_ns = now_ns;
    watchdog->looked_ns = now_ns;
    for (struct watched *at = watchdog->first; at; at = at->next)
        look_at(watchdog, at, now_ns);
}

void watchdog_look(struct watchdog *watchdog, int64_t now_ns)
{
    pthread_mutex_lock(&watchdog->lock);
    look(watchdog, now_ns);
    pthread_mutex_unlock(&watchdog->lock);
}

static void *run(void *arg)
{
    struct watchdog *watchdog = arg;
    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->quit) {
        const int64_t until = clock_now() + LOOK_NS;
        const struct timespec due = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
        if (pthread_cond_clockwait(&watchdog->changed, &watchdog->lock, CLOCK_MONOTONIC, &due))
            look(watchdog, clock_now());
    }
    pthread_mutex_unlock(&watchdog->lock);
    return NULL;
}

/* ---- life ---- */

int watchdog_create(struct watchdog **out, watchdog_tell *tell, void *arg, struct error *err)
{
    struct watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (!watchdog)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    watchdog->tell = tell;
    watchdog->arg = arg;
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_cond_init(&watchdog->changed, NULL);
    *out = watchdog;
    return 0;
}

int watchdog_start(struct watchdog *watchdog, struct error *err)
{
    const int failed = signals_spare_thread(&watchdog->thread, run, watchdog);
    if (failed)
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL, "cannot start a thread");
    watchdog->started = true;
    return 0;
}

void watchdog_destroy(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    pthread_mutex_lock(&watchdog->lock);
    watchdog->quit = true;
    pthread_cond_signal(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
    if (watchdog->started)
        pthread_join(watchdog->thread, NULL);
    pthread_cond_destroy(&watchdog->changed);
    pthread_mutex_destroy(&watchdog->lock);
    free(watchdog);
}

void watchdog_add(struct watchdog *watchdog, struct watched *watched, const char *name,
                  int64_t limit_ns)
{
    if (!watchdog)
        return;
    snprintf(watched->name, sizeof watched->name, "%s", name);
    watched->limit_ns = limit_ns;
    watched->told_ns = 0;
    pthread_mutex_lock(&watchdog->lock);
    watched->next = watchdog->first;
    watchdog->first = watched;
    pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_remove(struct watchdog *watchdog, struct watched *watched)
{
    if (!watchdog)
        return;
    pthread_mutex_lock(&watchdog->lock);
    for (struct watched **at = &watchdog->first; *at; at = &(*at)->next) {
        if (*at != watched)
            continue;
        *at = watched->next;
        break;
    }
    pthread_mutex_unlock(&watchdog->lock);
}
