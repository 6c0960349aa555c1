/* The loop: a completion queue, timers, and a way in for other threads.
 *
 * gRPC reports each finished operation on a completion queue, which has no descriptor to wait for:
 * so timers and wake-ups live here.  One thread runs a loop; servers, peers and calls belong to it
 * and need no locks. */
#include "rpc/rpc_internal.h"

#include <stdlib.h>

#include "rpc/rpc_gate.h"
#include "util/clock.h"

#define EVENTS_A_TURN 256 /* a flood must not starve the caller, nor one of large messages */
#define WAIT_NS       NS_PER_S

struct rpc_timer {
    struct rpc_timer *next;
    int64_t due_ns; /* the loop's time */
    void (*fn)(void *arg);
    void *arg;
};

struct post {
    struct rpc_tag tag;
    void (*fn)(void *arg);
    void *arg;
};

/* ThreadSanitizer cannot see that libgrpc hands a tag from one thread to another. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(HAVE_TSAN)
#include <sanitizer/tsan_interface.h>
#define TAG_ACQUIRE(tag) __tsan_acquire(tag)
#define TAG_RELEASE(tag) __tsan_release(tag)
#else
#define TAG_ACQUIRE(tag) ((void)0)
#define TAG_RELEASE(tag) ((void)0)
#endif

gpr_timespec rpc_time(int64_t monotonic_ns)
{
    return gpr_time_from_nanos(monotonic_ns, GPR_CLOCK_MONOTONIC);
}

int64_t rpc_after_ms(int64_t ms)
{
    int64_t now = clock_now();
    return ms < 0 || ms > (INT64_MAX - now) / NS_PER_MS ? INT64_MAX : now + ms * NS_PER_MS;
}

int rpc_loop_create(struct rpc_loop **out, struct error *err)
{
    struct rpc_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    /* gRPC writes to stderr by itself, and its own resolver passes /etc/hosts by. */
    setenv("GRPC_VERBOSITY", "NONE", 0);
    setenv("GRPC_DNS_RESOLVER", "native", 0);
    grpc_init();
    loop->queue = grpc_completion_queue_create_for_next(NULL);
    loop->lame = grpc_lame_client_channel_create("post", GRPC_STATUS_UNKNOWN, "");
    *out = loop;
    return 0;
}

int64_t rpc_loop_now(struct rpc_loop *loop)
{
    const int64_t now = clock_now();
    waking_come_round(&loop->waking, now, 0);
    return waking_time(&loop->waking, now);
}

int64_t rpc_loop_missed(const struct rpc_loop *loop)
{
    return loop->waking.missed_ns;
}

static bool run_due_timer(struct rpc_loop *loop)
{
    struct rpc_timer *timer = loop->timers;
    if (!timer || timer->due_ns > rpc_loop_now(loop))
        return false;
    loop->timers = timer->next;
    watch_busy(&loop->watched, "a timer", clock_now());
    timer->fn(timer->arg);
    watch_idle(&loop->watched);
    free(timer);
    return true;
}

static void dispatch(struct rpc_loop *loop, const grpc_event *event)
{
    struct rpc_tag *tag = event->tag;
    TAG_ACQUIRE(tag);
    watch_busy(&loop->watched, "an event", clock_now());
    tag->done(tag, event->success);
    watch_idle(&loop->watched);
}

/* The next event; waits for it until then (CLOCK_MONOTONIC), or until a timer is due.  gRPC does
 * its own work in here, where it also waits, and does not tell which.  So it never waits for longer
 * than WAIT_NS, and is busy with work from the moment on when it should be back. */
static grpc_event next_event(struct rpc_loop *loop, int64_t until_ns)
{
    const int64_t now = clock_now();
    const int64_t timer_ns =
        loop->timers ? waking_due(&loop->waking, loop->timers->due_ns) : INT64_MAX;
    const int64_t wake_ns = timer_ns < until_ns ? timer_ns : until_ns;
    const int64_t back_ns = wake_ns < now + WAIT_NS ? wake_ns : now + WAIT_NS;
    watch_busy(&loop->watched, "gRPC", back_ns > now ? back_ns : now);
    grpc_event event = grpc_completion_queue_next(loop->queue, rpc_time(back_ns), NULL);
    watch_idle(&loop->watched);
    waking_come_round(&loop->waking, clock_now(), back_ns);
    return event;
}

/* A timer is looked at when no event is left: what it would call late may have come. */
int rpc_loop_run(struct rpc_loop *loop, int timeout_ms)
{
    const int64_t until = rpc_after_ms(timeout_ms);
    int handled = 0, timers = 0;
    rpc_loop_now(loop); /* the caller may have been away for long */
    while (handled < EVENTS_A_TURN && !(handled && timeout_ms > 0 && clock_now() >= until)) {
        grpc_event event = next_event(loop, handled ? 0 : until);
        const bool is_event = event.type == GRPC_OP_COMPLETE;
        if (is_event)
            dispatch(loop, &event);
        if (is_event || run_due_timer(loop))
            handled++;
        else if (handled || clock_now() >= until)
            break;
    }
    while (timers < EVENTS_A_TURN && run_due_timer(loop)) /* a flood must not starve them either */
        timers++;
    return handled + timers;
}

static void on_post(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* false: the watch ran out, as meant */
    struct post *post = CONTAINER_OF(tag, struct post, tag);
    post->fn(post->arg);
    free(post);
}

/* The C core has no way to put a tag of one's own on a queue.  But a lame channel never changes its
 * state: a watch with a deadline in the past comes back at once. */
void rpc_loop_tag(struct rpc_loop *loop, struct rpc_tag *tag)
{
    TAG_RELEASE(tag);
    grpc_channel_watch_connectivity_state(loop->lame, GRPC_CHANNEL_SHUTDOWN, rpc_time(0),
                                          loop->queue, tag);
}

int rpc_loop_post(struct rpc_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct post *post = malloc(sizeof *post);
    if (!post)
        return -1;
    *post = (struct post){{on_post}, fn, arg};
    rpc_loop_tag(loop, &post->tag);
    return 0;
}

int rpc_loop_gate(struct rpc_loop *loop, struct error *err)
{
    if (loop->gate)
        return 0;
    if (rpc_gate_create(&loop->gate, err))
        return ERROR_SYSTEM;
    rpc_gate_watch(loop->gate, loop->watchdog, loop->watched.limit_ns);
    return 0;
}

int rpc_loop_after(struct rpc_loop *loop, int64_t delay_ms, void (*fn)(void *arg), void *arg)
{
    struct rpc_timer *timer = malloc(sizeof *timer);
    if (!timer)
        return -1;
    struct rpc_timer **place = &loop->timers;
    const int64_t now = rpc_loop_now(loop), most_ms = (INT64_MAX - now) / NS_PER_MS;
    const int64_t due_ns =
        delay_ms > most_ms ? INT64_MAX : now + (delay_ms < 0 ? 0 : delay_ms) * NS_PER_MS;
    while (*place && (*place)->due_ns <= due_ns)
        place = &(*place)->next;
    *timer = (struct rpc_timer){*place, due_ns, fn, arg};
    *place = timer;
    return 0;
}

void rpc_loop_cancel(struct rpc_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct rpc_timer **place = &loop->timers;
    while (*place) {
        struct rpc_timer *timer = *place;
        if (timer->fn != fn || timer->arg != arg) {
            place = &timer->next;
            continue;
        }
        *place = timer->next;
        free(timer);
    }
}

void rpc_loop_watch(struct rpc_loop *loop, struct watchdog *watchdog, const char *name,
                    int64_t limit_ns)
{
    watchdog_remove(loop->watchdog, &loop->watched);
    loop->watchdog = watchdog;
    watchdog_add(watchdog, &loop->watched, name, limit_ns);
    rpc_gate_watch(loop->gate, watchdog, limit_ns);
}

struct watchdog *rpc_loop_watchdog(const struct rpc_loop *loop)
{
    return loop->watchdog;
}

void rpc_loop_destroy(struct rpc_loop *loop)
{
    if (!loop)
        return;
    rpc_loop_watch(loop, NULL, "", 0);
    rpc_gate_destroy(loop->gate);
    grpc_channel_destroy(loop->lame);
    grpc_completion_queue_shutdown(loop->queue);
    for (;;) {
        grpc_event event = grpc_completion_queue_next(loop->queue, rpc_time(INT64_MAX), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        dispatch(loop, &event);
    }
    grpc_completion_queue_destroy(loop->queue);
    while (loop->timers) {
        struct rpc_timer *timer = loop->timers;
        loop->timers = timer->next;
        free(timer);
    }
    free(loop);
    grpc_shutdown();
}
