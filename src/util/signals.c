#include "util/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct watcher {
    sigset_t set;
    void (*fn)(void *arg);
    void *arg;
    bool hung_up; /* SIGHUP was told */
};

static void *watch(void *arg)
{
    struct watcher *watcher = arg;
    for (;;) {
        int number = 0;
        if (sigwait(&watcher->set, &number) || (number == SIGHUP && watcher->hung_up))
            continue;
        watcher->hung_up |= number == SIGHUP;
        watcher->fn(watcher->arg);
    }
    return NULL;
}

static void fill(sigset_t *set)
{
    struct sigaction hangup;
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    /* One that is blocked would be waited for although it is ignored. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP);
}

void signals_block(void)
{
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files: write() tells of it */
}

int signals_spare_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

int signals_watch(void (*fn)(void *arg), void *arg, struct error *err)
{
    /* Lives as long as the thread: for ever. */
    struct watcher *watcher = malloc(sizeof *watcher);
    if (!watcher)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    *watcher = (struct watcher){.fn = fn, .arg = arg};
    fill(&watcher->set);
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, watch, watcher);
    if (failed) {
        free(watcher);
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL,
                               "cannot start a thread for signals");
    }
    pthread_detach(thread);
    return 0;
}
