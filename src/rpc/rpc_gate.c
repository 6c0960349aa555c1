#include "rpc/rpc_gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "host/socket_owner.h"
#include "util/clock.h"
#include "util/waking.h"
#include "util/watchdog.h"

/* What another thread wants done; lies on its stack while it waits. */
struct errand {
    void (*fn)(void *arg);
    void *arg;
    bool done;
    struct errand *next;
};

struct rpc_gate {
    pthread_t thread;
    int epoll, wake;
    struct rpc_watch *watches;
    struct socket_owners *owners;
    bool quit;
    struct waking waking;
    struct watchdog *watchdog;
    struct watched watched; /* what is handled */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t done;
    struct errand *errands; /* to be done, in order */
};

/* ---- watches ---- */

int rpc_gate_add(struct rpc_gate *gate, struct rpc_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(gate->epoll, EPOLL_CTL_ADD, watch->fd, &event))
        return -errno;
    watch->next = gate->watches;
    watch->link = &gate->watches;
    if (watch->next)
        watch->next->link = &watch->next;
    gate->watches = watch;
    return 0;
}

void rpc_gate_change(struct rpc_gate *gate, struct rpc_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    epoll_ctl(gate->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void rpc_gate_remove(struct rpc_gate *gate, struct rpc_watch *watch)
{
    epoll_ctl(gate->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    watch->link = NULL;
}

struct socket_owners *rpc_gate_owners(struct rpc_gate *gate)
{
    return gate->owners;
}

/* ---- the thread ---- */

static struct rpc_watch *soonest(const struct rpc_gate *gate)
{
    struct rpc_watch *soonest = NULL;
    for (struct rpc_watch *watch = gate->watches; watch; watch = watch->next)
        if (watch->due_ns != INT64_MAX && (!soonest || watch->due_ns < soonest->due_ns))
            soonest = watch;
    return soonest;
}

int64_t rpc_gate_now(struct rpc_gate *gate)
{
    const int64_t now = clock_now();
    waking_come_round(&gate->waking, now, 0);
    return waking_time(&gate->waking, now);
}

/* One at a time: a handler may free the watch of the next one.  1, 0 when it is due, or -1. */
static int await(struct rpc_gate *gate, int64_t due_ns, struct epoll_event *event)
{
    const int64_t wake_ns = waking_due(&gate->waking, due_ns), left = wake_ns - clock_now();
    int wait_ms = left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
    if (wake_ns == INT64_MAX)
        wait_ms = -1;
    const int count = epoll_wait(gate->epoll, event, 1, wait_ms);
    waking_come_round(&gate->waking, clock_now(), wake_ns);
    return count;
}

static void run_errands(struct rpc_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->errands) {
        struct errand *errand = gate->errands;
        gate->errands = errand->next;
        pthread_mutex_unlock(&gate->lock);
        errand->fn(errand->arg);
        pthread_mutex_lock(&gate->lock);
        errand->done = true;
        pthread_cond_broadcast(&gate->done);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void handle(struct rpc_gate *gate, const struct epoll_event *event)
{
    struct rpc_watch *watch = event->data.ptr;
    uint64_t times;
    if (watch)
        watch->ready(watch, event->events);
    else if (read(gate->wake, &times, sizeof times) > 0)
        run_errands(gate);
}

static void *run(void *arg)
{
    struct rpc_gate *gate = arg;
    struct epoll_event event;
    while (!gate->quit) {
        const struct rpc_watch *next = soonest(gate);
        const int64_t due_ns = next ? next->due_ns : INT64_MAX;
        const int count = await(gate, due_ns, &event);
        watch_busy(&gate->watched, "connections", clock_now());
        if (count == 1)
            handle(gate, &event);
        struct rpc_watch *due = rpc_gate_now(gate) >= due_ns ? soonest(gate) : NULL;
        if (due && rpc_gate_now(gate) >= due->due_ns) {
            due->due_ns = INT64_MAX;
            due->ready(due, 0);
        }
        watch_idle(&gate->watched);
    }
    return NULL;
}

void rpc_gate_watch(struct rpc_gate *gate, struct watchdog *watchdog, int64_t limit_ns)
{
    if (!gate)
        return;
    watchdog_remove(gate->watchdog, &gate->watched);
    gate->watchdog = watchdog;
    watchdog_add(watchdog, &gate->watched, "gate", limit_ns);
}

void rpc_gate_do(struct rpc_gate *gate, void (*fn)(void *arg), void *arg)
{
    struct errand errand = {fn, arg, false, NULL};
    const uint64_t once = 1;
    pthread_mutex_lock(&gate->lock);
    struct errand **last = &gate->errands;
    while (*last)
        last = &(*last)->next;
    *last = &errand;
    while (write(gate->wake, &once, sizeof once) < 0 && errno == EINTR) {
    }
    while (!errand.done)
        pthread_cond_wait(&gate->done, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

/* ---- life ---- */

static void free_gate(struct rpc_gate *gate)
{
    if (gate->epoll >= 0)
        close(gate->epoll);
    if (gate->wake >= 0)
        close(gate->wake);
    socket_owners_close(gate->owners);
    pthread_cond_destroy(&gate->done);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* 0 or an errno. */
static int start(struct rpc_gate *gate)
{
    struct epoll_event event = {.events = EPOLLIN};
    gate->epoll = epoll_create1(EPOLL_CLOEXEC);
    gate->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (gate->epoll < 0 || gate->wake < 0 ||
        epoll_ctl(gate->epoll, EPOLL_CTL_ADD, gate->wake, &event))
        return errno;
    return pthread_create(&gate->thread, NULL, run, gate);
}

int rpc_gate_create(struct rpc_gate **out, struct error *err)
{
    struct rpc_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    gate->epoll = gate->wake = -1;
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->done, NULL);
    if (socket_owners_open(&gate->owners))
        gate->owners = NULL; /* whoever asks is told so */
    int failed = start(gate);
    if (failed) {
        free_gate(gate);
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL,
                               "cannot start the thread for connections");
    }
    *out = gate;
    return 0;
}

static void quit(void *arg)
{
    ((struct rpc_gate *)arg)->quit = true;
}

void rpc_gate_destroy(struct rpc_gate *gate)
{
    if (!gate)
        return;
    rpc_gate_do(gate, quit, gate);
    pthread_join(gate->thread, NULL);
    free_gate(gate);
}
