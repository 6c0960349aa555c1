#include "pair.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/watchdog.h"

#define POSTS 1000

struct trace {
    char text[16];
};

struct mark {
    struct trace *trace;
    char name;
};

static void leave_mark(void *arg)
{
    const struct mark *mark = arg;
    mark->trace->text[strlen(mark->trace->text)] = mark->name;
}

static struct rpc_loop *new_loop(void)
{
    struct rpc_loop *loop;
    assert_int_equal(rpc_loop_create(&loop, NULL), 0);
    return loop;
}

static void test_timers_fire_in_order(void **state)
{
    (void)state;
    struct rpc_loop *loop = new_loop();
    struct trace trace = {0};
    struct mark a = {&trace, 'a'}, b = {&trace, 'b'}, c = {&trace, 'c'}, d = {&trace, 'd'};
    assert_int_equal(rpc_loop_after(loop, 30, leave_mark, &c), 0);
    assert_int_equal(rpc_loop_after(loop, 10, leave_mark, &a), 0);
    assert_int_equal(rpc_loop_after(loop, 20, leave_mark, &d), 0);
    assert_int_equal(rpc_loop_after(loop, 10, leave_mark, &b), 0);
    rpc_loop_cancel(loop, leave_mark, &d);
    while (strlen(trace.text) < 3)
        assert_true(rpc_loop_run(loop, -1) > 0);
    assert_string_equal(trace.text, "abc");
    assert_int_equal(rpc_loop_run(loop, 0), 0);
    rpc_loop_destroy(loop);
}

static void test_timeout_without_events(void **state)
{
    (void)state;
    struct rpc_loop *loop = new_loop();
    struct trace trace = {0};
    struct mark late = {&trace, 'l'};
    assert_int_equal(rpc_loop_run(loop, 0), 0);
    assert_int_equal(rpc_loop_run(loop, 10), 0);
    assert_int_equal(rpc_loop_after(loop, 3600 * 1000, leave_mark, &late), 0);
    assert_int_equal(rpc_loop_run(loop, 10), 0);
    rpc_loop_destroy(loop); /* drops the timer */
    assert_string_equal(trace.text, "");
}

struct restless {
    struct rpc_loop *loop;
    unsigned turns;
    bool posted;
};

static void again(void *arg)
{
    struct restless *restless = arg;
    restless->turns++;
    rpc_loop_after(restless->loop, 0, again, restless);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void test_restless_timer_starves_nobody(void **state)
{
    (void)state;
    struct restless restless = {.loop = new_loop()};
    again(&restless);
    assert_int_equal(rpc_loop_post(restless.loop, set_flag, &restless.posted), 0);
    loop_until(restless.loop, &restless.posted);
    assert_true(restless.turns > 1);
    rpc_loop_destroy(restless.loop);
}

struct counter {
    struct rpc_loop *loop;
    pthread_t looping;
    unsigned count;
    bool full;
};

static void count_up(void *arg)
{
    struct counter *counter = arg;
    assert_true(pthread_equal(pthread_self(), counter->looping));
    counter->full = ++counter->count == POSTS;
}

static void *post_many(void *arg)
{
    struct counter *counter = arg;
    for (int i = 0; i < POSTS; i++)
        if (rpc_loop_post(counter->loop, count_up, counter))
            break;
    return NULL;
}

static void test_posts_from_another_thread(void **state)
{
    (void)state;
    struct counter counter = {.loop = new_loop(), .looping = pthread_self()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_many, &counter), 0);
    loop_until(counter.loop, &counter.full);
    pthread_join(thread, NULL);
    rpc_loop_destroy(counter.loop);
    assert_int_equal(counter.count, POSTS);
}

static void test_post_wakes_a_waiting_loop(void **state)
{
    (void)state;
    struct counter counter = {.loop = new_loop(), .looping = pthread_self()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_many, &counter), 0);
    assert_true(rpc_loop_run(counter.loop, -1) > 0);
    pthread_join(thread, NULL);
    rpc_loop_destroy(counter.loop); /* runs the rest */
    assert_int_equal(counter.count, POSTS);
}

/* ---- the watchdog ---- */

static atomic_bool held, stuck;

/* As if gRPC itself did not come back: it is what the signal interrupts. */
static void hold(int number)
{
    (void)number;
    atomic_store(&stuck, true);
    while (atomic_load(&held))
        usleep(1000);
}

struct kennel {
    struct rpc_loop *loop;
    struct watchdog *watchdog;
    pthread_t looping;
    unsigned told;
    char stage[32];
};

static void on_told(void *arg, const struct watchdog_news *news)
{
    struct kennel *kennel = arg;
    kennel->told++;
    snprintf(kennel->stage, sizeof kennel->stage, "%s", news->stage);
}

static void *wait_in_loop(void *arg)
{
    rpc_loop_run(arg, 60000);
    return NULL;
}

/* Looks once a second, of a clock that runs ahead. */
static void look_on(struct kennel *kennel, int seconds)
{
    int64_t now = clock_now();
    for (int i = 0; i <= seconds; i++)
        watchdog_look(kennel->watchdog, now + i * NS_PER_S);
}

static void test_grpc_does_not_come_back(void **state)
{
    (void)state;
    struct kennel kennel = {.loop = new_loop()};
    struct sigaction holding = {.sa_handler = hold}, before;
    bool posted = false;
    assert_int_equal(watchdog_create(&kennel.watchdog, on_told, &kennel, NULL), 0);
    rpc_loop_watch(kennel.loop, kennel.watchdog, "loop", 3 * NS_PER_S);
    assert_int_equal(sigaction(SIGUSR1, &holding, &before), 0);
    assert_int_equal(pthread_create(&kennel.looping, NULL, wait_in_loop, kennel.loop), 0);
    usleep(100000);
    look_on(&kennel, 2); /* it waits, and may */
    assert_int_equal(kennel.told, 0);
    atomic_store(&held, true);
    pthread_kill(kennel.looping, SIGUSR1);
    while (!atomic_load(&stuck))
        usleep(1000);
    look_on(&kennel, 6);
    assert_int_equal(kennel.told, 1);
    assert_string_equal(kennel.stage, "gRPC");
    atomic_store(&held, false);
    assert_int_equal(rpc_loop_post(kennel.loop, set_flag, &posted), 0);
    assert_int_equal(pthread_join(kennel.looping, NULL), 0);
    assert_true(posted);
    sigaction(SIGUSR1, &before, NULL);
    rpc_loop_destroy(kennel.loop);
    watchdog_destroy(kennel.watchdog);
}

/* As long as it comes back in time it waits, whatever for. */
static void test_who_waits_is_not_told(void **state)
{
    (void)state;
    struct kennel kennel = {.loop = new_loop()};
    assert_int_equal(watchdog_create(&kennel.watchdog, on_told, &kennel, NULL), 0);
    rpc_loop_watch(kennel.loop, kennel.watchdog, "loop", 300 * NS_PER_MS);
    assert_int_equal(pthread_create(&kennel.looping, NULL, wait_in_loop, kennel.loop), 0);
    for (int i = 0; i < 15; i++, usleep(100000))
        watchdog_look(kennel.watchdog, clock_now());
    assert_int_equal(kennel.told, 0);
    bool posted = false;
    assert_int_equal(rpc_loop_post(kennel.loop, set_flag, &posted), 0);
    assert_int_equal(pthread_join(kennel.looping, NULL), 0);
    rpc_loop_destroy(kennel.loop);
    watchdog_destroy(kennel.watchdog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_timeout_without_events),
        cmocka_unit_test(test_restless_timer_starves_nobody),
        cmocka_unit_test(test_posts_from_another_thread),
        cmocka_unit_test(test_post_wakes_a_waiting_loop),
        cmocka_unit_test(test_grpc_does_not_come_back),
        cmocka_unit_test(test_who_waits_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
