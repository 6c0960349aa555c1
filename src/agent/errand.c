#include "agent/errand.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "util/clock.h"
#include "util/watchdog.h"

#define AGAIN_MS 100
#define LIMIT_NS (15 * NS_PER_S) /* before the watchdog tells */

struct errand {
    struct rpc_loop *loop;
    const char *what;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void *run(void *memory)
{
    struct errand errand = *(struct errand *)memory;
    const struct timespec moment = {.tv_nsec = 10 * NS_PER_MS};
    struct watchdog *watchdog = rpc_loop_watchdog(errand.loop);
    struct watched watched = {0};
    free(memory);
    watchdog_add(watchdog, &watched, "an errand", LIMIT_NS);
    watch_busy(&watched, errand.what, clock_now());
    errand.work(errand.arg);
    watchdog_remove(watchdog, &watched);
    while (rpc_loop_post(errand.loop, errand.done, errand.arg)) /* out of memory: not for ever */
        nanosleep(&moment, NULL);
    return NULL;
}

/* Takes the memory over, if there is a thread. */
static bool start(struct errand *memory)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, memory))
        return false;
    pthread_detach(thread);
    return true;
}

static void insist(void *memory)
{
    struct errand *errand = memory;
    if (start(errand) || !rpc_loop_after(errand->loop, AGAIN_MS, insist, errand))
        return;
    errand->work(errand->arg); /* not even so little memory */
    errand->done(errand->arg);
    free(errand);
}

static struct errand *new_errand(struct rpc_loop *loop, const char *what, void (*work)(void *arg),
                                 void (*done)(void *arg), void *arg)
{
    struct errand *errand = malloc(sizeof *errand);
    if (errand)
        *errand = (struct errand){loop, what, work, done, arg};
    return errand;
}

int errand_try(struct rpc_loop *loop, const char *what, void (*work)(void *arg),
               void (*done)(void *arg), void *arg)
{
    struct errand *errand = new_errand(loop, what, work, done, arg);
    if (errand && start(errand))
        return 0;
    free(errand);
    return -1;
}

void errand_run(struct rpc_loop *loop, const char *what, void (*work)(void *arg),
                void (*done)(void *arg), void *arg)
{
    struct errand *errand = new_errand(loop, what, work, done, arg);
    if (errand) {
        insist(errand);
        return;
    }
    work(arg);
    done(arg);
}
