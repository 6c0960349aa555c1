/* Sleeps until the next deadline to the nanosecond, and looks at the clock after every event, so
 * that a deadline waits for one socket operation at most, however many sockets are ready.  What
 * other threads ask for is looked at as often: a wake-up would come behind all of them. */
#include "engine/loop.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define EVENTS_A_TURN 64
#define EARLY_NS      INT64_C(150000) /* the scheduler wakes us later than asked: rather poll */
#define SLEW_NS       (2 * NS_PER_S)

/* ---- between threads ---- */

/* It only ends a sleep. */
static void on_wake(struct watch *watch, uint32_t events)
{
    (void)events;
    eventfd_t count;
    eventfd_read(CONTAINER_OF(watch, struct loop, wake)->wake_fd, &count);
}

/* With the lock. */
static void wake(struct loop *loop)
{
    atomic_store_explicit(&loop->asked, true, memory_order_relaxed);
    eventfd_write(loop->wake_fd, 1);
}

/* With the lock. */
static void enqueue(struct loop *loop, struct loop_call *call)
{
    struct loop_call **last = &loop->calls;
    while (*last)
        last = &(*last)->next;
    *last = call;
    call->next = NULL;
    call->waits = true;
    wake(loop);
}

int loop_call(struct loop *loop, int (*run)(void *context, void *arg), void *arg)
{
    struct loop_call call = {.run = run, .arg = arg};
    pthread_mutex_lock(&loop->lock);
    enqueue(loop, &call);
    while (!call.done)
        pthread_cond_wait(&loop->answered, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
    return call.result;
}

void loop_post(struct loop *loop, struct loop_call *call)
{
    pthread_mutex_lock(&loop->lock);
    if (!call->waits)
        enqueue(loop, call);
    pthread_mutex_unlock(&loop->lock);
}

void loop_post_axis(struct loop *loop, const struct axis *axis)
{
    pthread_mutex_lock(&loop->lock);
    loop->posted_axis = *axis;
    loop->axis_posted = true;
    wake(loop);
    pthread_mutex_unlock(&loop->lock);
}

/* With the lock. */
static void take_axis(struct loop *loop)
{
    if (loop->axis_posted)
        loop_set_axis(loop, &loop->posted_axis);
    loop->axis_posted = false;
}

/* All that other threads want.  They need not wait for the lock while a call is made. */
static void take_calls(struct loop *loop)
{
    struct loop_call *call;
    if (!atomic_load_explicit(&loop->asked, memory_order_relaxed))
        return;
    pthread_mutex_lock(&loop->lock);
    atomic_store_explicit(&loop->asked, false, memory_order_relaxed);
    take_axis(loop);
    while ((call = loop->calls)) {
        loop->calls = call->next;
        call->waits = false;
        pthread_mutex_unlock(&loop->lock);
        const int result = call->run(loop->context, call->arg);
        pthread_mutex_lock(&loop->lock);
        call->result = result;
        call->done = true;
        pthread_cond_broadcast(&loop->answered);
        take_axis(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    loop->now_ns = loop->due_ns = clock_now(); /* a round is due */
}

/* ---- the loop ---- */

int loop_init(struct loop *loop, void *context, struct error *err)
{
    *loop = (struct loop){.epoll_fd = -1, .wake_fd = -1, .context = context};
    loop->wake.ready = on_wake;
    loop->slewed_ns = INT64_MAX;
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->answered, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        loop_watch(loop, loop->wake_fd, &loop->wake, EPOLLIN) < 0)
        error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make an event loop");
    else
        return 0;
    loop_fini(loop);
    return ERROR_SYSTEM;
}

void loop_fini(struct loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    timer_heap_fini(&loop->scheduled);
    timer_heap_fini(&loop->timers);
    pthread_cond_destroy(&loop->answered);
    pthread_mutex_destroy(&loop->lock);
}

int loop_reserve(struct loop *loop, size_t timers)
{
    if (timer_heap_reserve(&loop->scheduled, timers) < 0)
        return -1;
    return timer_heap_reserve(&loop->timers, timers);
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void loop_schedule(struct loop *loop, struct timer *timer, int64_t axis_ns)
{
    timer_heap_arm(&loop->scheduled, timer, axis_ns);
    if (loop->axis_known)
        loop->due_ns = min_ns(loop->due_ns, axis_to_local(&loop->axis, axis_ns));
}

void loop_unschedule(struct loop *loop, struct timer *timer)
{
    timer_heap_disarm(&loop->scheduled, timer);
}

void loop_arm(struct loop *loop, struct timer *timer, int64_t local_ns)
{
    timer_heap_arm(&loop->timers, timer, waking_time(&loop->waking, local_ns));
    loop->due_ns = min_ns(loop->due_ns, local_ns);
}

void loop_disarm(struct loop *loop, struct timer *timer)
{
    timer_heap_disarm(&loop->timers, timer);
}

int loop_watch(struct loop *loop, int fd, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int loop_rewatch(struct loop *loop, int fd, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

void loop_set_axis(struct loop *loop, const struct axis *axis)
{
    const int64_t now = clock_now();
    if (loop->axis_known) {
        loop->axis = axis_slew(&loop->axis, axis, now, SLEW_NS);
        loop->slewed_ns = now + SLEW_NS;
    } else {
        loop->axis = *axis;
        loop->axis_known = true;
    }
    loop->axis_target = *axis;
    loop->due_ns = now;
}

int64_t loop_axis_time(const struct loop *loop, int64_t local_ns)
{
    return axis_from_local(&loop->axis, local_ns);
}

static void fire_due(struct loop *loop, struct timer_heap *heap, int64_t until_ns)
{
    struct timer *timer;
    while ((timer = timer_heap_first(heap)) && timer->due_ns <= until_ns) {
        timer_heap_disarm(heap, timer);
        timer->fire(timer);
        take_calls(loop);
    }
}

static void look_at_clock(struct loop *loop, int64_t meant_ns)
{
    loop->now_ns = clock_now();
    waking_come_round(&loop->waking, loop->now_ns, meant_ns);
}

/* All that is due; finds out when something is due next. */
static void keep_house(struct loop *loop, loop_round *round)
{
    const int64_t now = loop->now_ns;
    if (now >= loop->slewed_ns) {
        loop->axis = loop->axis_target;
        loop->slewed_ns = INT64_MAX;
    }
    if (loop->axis_known)
        fire_due(loop, &loop->scheduled, loop_axis_time(loop, now));
    fire_due(loop, &loop->timers, waking_time(&loop->waking, now));

    loop->due_ns = min_ns(round(loop->context, now), loop->slewed_ns);
    const struct timer *timer = timer_heap_first(&loop->timers);
    if (timer)
        loop->due_ns = min_ns(loop->due_ns, waking_due(&loop->waking, timer->due_ns));
    loop->wake_ns = loop->due_ns;
    timer = loop->axis_known ? timer_heap_first(&loop->scheduled) : NULL;
    if (timer) {
        const int64_t due = axis_to_local(&loop->axis, timer->due_ns);
        loop->due_ns = min_ns(loop->due_ns, due);
        loop->wake_ns = min_ns(loop->wake_ns, timer->exact ? due - EARLY_NS : due);
    }
}

static int wait_events(struct loop *loop, struct epoll_event *events)
{
    int64_t left = -1;
    if (loop->wake_ns != INT64_MAX) {
        left = loop->wake_ns - clock_now();
        left = left > 0 ? left : 0;
    }
    if (!loop->no_pwait2) {
        const struct timespec timeout = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
        const int count =
            epoll_pwait2(loop->epoll_fd, events, EVENTS_A_TURN, left < 0 ? NULL : &timeout, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
        loop->no_pwait2 = true;
    }
    const int64_t ms = left < 0 ? -1 : left / NS_PER_MS; /* down: the last of it is polled */
    return epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, ms > 60000 ? 60000 : (int)ms);
}

void loop_run(struct loop *loop, loop_round *round)
{
    struct epoll_event events[EVENTS_A_TURN];
    look_at_clock(loop, 0);
    while (!loop->quit) {
        keep_house(loop, round);
        watch_idle(&loop->watched);
        const int count = wait_events(loop, events);
        look_at_clock(loop, loop->wake_ns);
        watch_busy(&loop->watched, "flows", loop->now_ns);
        for (int i = 0; i < count; i++) {
            struct watch *watch = events[i].data.ptr;
            watch->ready(watch, events[i].events);
            look_at_clock(loop, 0);
            take_calls(loop);
            if (loop->now_ns < loop->due_ns)
                continue;
            keep_house(loop, round);
            look_at_clock(loop, 0);
        }
    }
}
