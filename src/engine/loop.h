/* The event loop of one worker thread: sockets, timers on two clocks, and calls from the control
 * thread.  It knows nothing of flows.
 *
 * Deadlines of the run are kept in time of the axis, so that a better mapping (loop_set_axis)
 * moves them all at once; the axis's timers fire only once the axis is known.  The rest are limits
 * of patience, in CLOCK_MONOTONIC: what the process was stopped for does not count
 * (util/waking.h).
 *
 * All but loop_call() and the loop_post functions belongs to the loop's own thread. */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/timer_heap.h"
#include "model/axis.h"
#include "util/error.h"
#include "util/waking.h"
#include "util/watchdog.h"

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Embedded in what owns the socket. */
struct watch {
    void (*ready)(struct watch *watch, uint32_t events);
};

/* What another thread has the loop's thread do. */
struct loop_call {
    int (*run)(void *context, void *arg);
    void *arg;
    /* the loop's */
    int result;
    bool waits, done;
    struct loop_call *next;
};

struct loop {
    int epoll_fd, wake_fd;
    bool no_pwait2; /* a kernel before 5.11 */
    bool quit;
    struct watch wake;

    struct timer_heap scheduled; /* due in time of the axis */
    struct timer_heap timers;    /* due in CLOCK_MONOTONIC less what was missed */
    struct waking waking;
    int64_t now_ns;  /* when the handler that runs was called, or the last one ended */
    int64_t due_ns;  /* when a timer or the round is due */
    int64_t wake_ns; /* when to stop sleeping for it */

    bool axis_known;
    struct axis axis, axis_target;
    int64_t slewed_ns; /* when the target is reached; INT64_MAX: it is */

    atomic_bool asked;    /* there is a call or an axis to be taken */
    pthread_mutex_t lock; /* of the next four */
    pthread_cond_t answered;
    struct loop_call *calls; /* the oldest first */
    bool axis_posted;
    struct axis posted_axis; /* the newest */
    void *context;           /* of calls and rounds */
    struct watched watched;
};

int loop_init(struct loop *loop, void *context, struct error *err);
void loop_fini(struct loop *loop);

/* What is done beside events: at least once before each sleep, and whenever it is due.  Returns
 * when it is due next. */
typedef int64_t loop_round(void *context, int64_t now_ns);
/* Until a call sets loop->quit. */
void loop_run(struct loop *loop, loop_round *round);

/* From any other thread.  Calls run in the order in which they came, each once the handler that
 * runs has returned, however many sockets are ready and timers are due.
 *
 * loop_call() has the loop's thread run run(context, arg), and returns what that does.  loop_post()
 * does not wait: the call must stay where it is; one that waits already is not made twice.
 * loop_post_axis() does not wait either: as loop_set_axis(), soon; only the newest counts. */
int loop_call(struct loop *loop, int (*run)(void *context, void *arg), void *arg);
void loop_post(struct loop *loop, struct loop_call *call);
void loop_post_axis(struct loop *loop, const struct axis *axis);

/* Room for `timers` on either clock.  0, or -1 when out of memory. */
int loop_reserve(struct loop *loop, size_t timers);
void loop_schedule(struct loop *loop, struct timer *timer, int64_t axis_ns);
void loop_unschedule(struct loop *loop, struct timer *timer);
void loop_arm(struct loop *loop, struct timer *timer, int64_t local_ns);
void loop_disarm(struct loop *loop, struct timer *timer);

/* Level-triggered, unless events has EPOLLET.  0, or -1 with errno. */
int loop_watch(struct loop *loop, int fd, struct watch *watch, uint32_t events);
int loop_rewatch(struct loop *loop, int fd, struct watch *watch, uint32_t events);

/* The first mapping holds at once, a later one is followed without a step. */
void loop_set_axis(struct loop *loop, const struct axis *axis);
int64_t loop_axis_time(const struct loop *loop, int64_t local_ns);

#endif
