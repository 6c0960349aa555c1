#include "agent/errand.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "util/clock.h"

struct errand {
    struct rpc_loop *loop;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void *run(void *memory)
{
    struct errand errand = *(struct errand *)memory;
    const struct timespec moment = {.tv_nsec = 10 * NS_PER_MS};
    free(memory);
    errand.work(errand.arg);
    while (rpc_loop_post(errand.loop, errand.done, errand.arg)) /* out of memory: not for ever */
        nanosleep(&moment, NULL);
    return NULL;
}

static bool start(const struct errand *errand)
{
    pthread_t thread;
    struct errand *memory = malloc(sizeof *memory);
    if (!memory)
        return false;
    *memory = *errand;
    if (pthread_create(&thread, NULL, run, memory)) {
        free(memory);
        return false;
    }
    pthread_detach(thread);
    return true;
}

void errand_run(struct rpc_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    const struct errand errand = {loop, work, done, arg};
    if (start(&errand))
        return;
    work(arg);
    done(arg);
}
