/* What other threads ask of a worker, whatever its sockets and timers do. */
#include "engine/loop.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/worker.h"
#include "util/clock.h"

#define SOCKETS 500
#define TIMERS  500

/* A data plane that is never done: sockets that are always ready, timers that are always due. */
struct rig {
    struct loop loop;
    struct watch watches[SOCKETS];
    struct timer timers[TIMERS];
    int fds[SOCKETS];
    unsigned handled, ask_after;
    struct loop_call post;
    bool axis;         /* it is an axis that is posted */
    unsigned taken_at; /* handled so many by then */
};

static struct rig *rig; /* handlers are given their watch or timer alone */

static void handle(void)
{
    const struct axis axis = {.local_ns = 1};
    if (++rig->handled != rig->ask_after)
        return;
    if (rig->axis)
        loop_post_axis(&rig->loop, &axis);
    else
        loop_post(&rig->loop, &rig->post);
}

static void on_ready(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    handle();
    rig->loop.quit = rig->handled > 2 * SOCKETS;
}

static void on_timer(struct timer *timer)
{
    (void)timer;
    handle();
}

static int taken(void *context, void *arg)
{
    (void)arg;
    struct rig *it = context;
    it->taken_at = it->handled;
    it->loop.quit = true;
    return 0;
}

static int64_t no_round(void *context, int64_t now_ns)
{
    (void)now_ns;
    struct rig *it = context;
    if (it->loop.axis_known && !it->taken_at) {
        it->taken_at = it->handled;
        it->loop.quit = true;
    }
    return INT64_MAX;
}

static void open_rig(void)
{
    rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    assert_int_equal(loop_init(&rig->loop, rig, NULL), 0);
    assert_int_equal(loop_reserve(&rig->loop, TIMERS), 0);
    rig->post.run = taken;
    for (int i = 0; i < SOCKETS; i++) {
        rig->watches[i].ready = on_ready;
        rig->fds[i] = eventfd(1, EFD_CLOEXEC);
        assert_int_equal(loop_watch(&rig->loop, rig->fds[i], &rig->watches[i], EPOLLIN), 0);
    }
}

static void close_rig(void)
{
    for (int i = 0; i < SOCKETS; i++)
        close(rig->fds[i]);
    loop_fini(&rig->loop);
    free(rig);
    rig = NULL;
}

static void test_a_call_waits_for_one_socket(void **state)
{
    (void)state;
    for (int axis = 0; axis < 2; axis++) {
        open_rig();
        rig->ask_after = 7;
        rig->axis = axis;
        loop_run(&rig->loop, no_round);
        assert_int_equal(rig->taken_at, 7);
        close_rig();
    }
}

static void test_a_call_waits_for_one_timer(void **state)
{
    (void)state;
    open_rig();
    for (int i = 0; i < TIMERS; i++) {
        rig->timers[i].fire = on_timer;
        loop_arm(&rig->loop, &rig->timers[i], 1);
    }
    rig->ask_after = 7;
    loop_run(&rig->loop, no_round);
    assert_int_equal(rig->taken_at, 7);
    close_rig();
}

/* ---- a loop that stood ---- */

static struct {
    struct watch standing, waiting;
    struct timer patience;
    int fds[2];
    char order[4];
} stood;

static void note(char what)
{
    stood.order[strlen(stood.order)] = what;
}

static void on_standing(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    eventfd_t count;
    const struct timespec stands = {.tv_nsec = 400 * NS_PER_MS};
    eventfd_read(stood.fds[0], &count);
    nanosleep(&stands, NULL);
    eventfd_write(stood.fds[1], 1); /* it has come meanwhile */
    note('s');
}

static void on_waiting(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    eventfd_t count;
    eventfd_read(stood.fds[1], &count);
    note('w');
}

static void on_patience(struct timer *timer)
{
    (void)timer;
    note('p');
    rig->loop.quit = true;
}

static int64_t no_round_at_all(void *context, int64_t now_ns)
{
    return ((struct rig *)context)->loop.quit ? now_ns : INT64_MAX;
}

static void test_what_waits_comes_before_patience(void **state)
{
    (void)state;
    rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    assert_int_equal(loop_init(&rig->loop, rig, NULL), 0);
    assert_int_equal(loop_reserve(&rig->loop, 1), 0);
    stood.standing.ready = on_standing;
    stood.waiting.ready = on_waiting;
    stood.patience.fire = on_patience;
    stood.fds[0] = eventfd(1, EFD_CLOEXEC);
    stood.fds[1] = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(loop_watch(&rig->loop, stood.fds[0], &stood.standing, EPOLLIN), 0);
    assert_int_equal(loop_watch(&rig->loop, stood.fds[1], &stood.waiting, EPOLLIN), 0);
    loop_arm(&rig->loop, &stood.patience, clock_now() + 200 * NS_PER_MS);
    loop_run(&rig->loop, no_round_at_all);
    assert_string_equal(stood.order, "swp");
    close(stood.fds[0]);
    close(stood.fds[1]);
    loop_fini(&rig->loop);
    free(rig);
}

/* ---- a worker that is held ---- */

struct hold {
    struct worker *worker;
    sem_t held, go;
    bool axis_was_known;
};

static int hold(void *context, void *arg)
{
    (void)context;
    struct hold *this = arg;
    sem_post(&this->held);
    sem_wait(&this->go);
    return 0;
}

static void *call(void *arg)
{
    struct hold *this = arg;
    loop_call(&this->worker->loop, hold, this);
    return NULL;
}

static int look(void *context, void *arg)
{
    *(int64_t *)arg = ((struct worker *)context)->loop.axis_target.local_ns;
    return 42;
}

/* The agent's main thread, which owes its master a sign of life, is not held with it. */
static void test_nobody_waits_for_a_worker_that_is_held(void **state)
{
    (void)state;
    struct worker_setup setup = {.interval_ns = NS_PER_S, .read_size = 4096, .write_size = 4096};
    struct hold this = {0};
    pthread_t thread;
    setup.workers = setup.connecting_max = 1;
    setup.recorder_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sem_init(&this.held, 0, 0);
    sem_init(&this.go, 0, 0);
    assert_int_equal(ecn_setup_create(&setup.ecn, NULL, NULL), 0);
    assert_int_equal(worker_create(&this.worker, &setup, -1, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, call, &this), 0);
    sem_wait(&this.held);

    for (int64_t i = 1; i <= 1000; i++) /* with one that waits this would hang */
        worker_set_axis(this.worker, &(struct axis){.local_ns = i});
    worker_stop(this.worker);
    worker_stop(this.worker);
    assert_false(this.worker->loop.axis_known);

    sem_post(&this.go);
    int64_t newest = 0;
    assert_int_equal(loop_call(&this.worker->loop, look, &newest), 42);
    assert_int_equal(newest, 1000);
    pthread_join(thread, NULL);
    worker_destroy(this.worker);
    ecn_setup_destroy(setup.ecn);
    close(setup.recorder_fd);
    sem_destroy(&this.held);
    sem_destroy(&this.go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_waits_for_one_socket),
        cmocka_unit_test(test_a_call_waits_for_one_timer),
        cmocka_unit_test(test_what_waits_comes_before_patience),
        cmocka_unit_test(test_nobody_waits_for_a_worker_that_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
