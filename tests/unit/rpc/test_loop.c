#include "pair.h"

#include <pthread.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_timeout_without_events),
        cmocka_unit_test(test_restless_timer_starves_nobody),
        cmocka_unit_test(test_posts_from_another_thread),
        cmocka_unit_test(test_post_wakes_a_waiting_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
