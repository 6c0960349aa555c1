#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/timer_heap.h"

#define TIMERS 500

static void test_empty(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    struct timer idle = {0};
    assert_null(timer_heap_first(&heap));
    timer_heap_disarm(&heap, &idle);
    timer_heap_fini(&heap);
}

static void test_order(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    static struct timer timers[TIMERS];
    assert_int_equal(timer_heap_reserve(&heap, TIMERS), 0);
    for (size_t i = 0; i < TIMERS; i++)
        timer_heap_arm(&heap, &timers[i], (int64_t)(i * 7919 % TIMERS));
    for (int64_t due = 0; due < TIMERS; due++) {
        struct timer *first = timer_heap_first(&heap);
        assert_int_equal(first->due_ns, due);
        timer_heap_disarm(&heap, first);
        assert_int_equal(first->place, 0);
    }
    assert_null(timer_heap_first(&heap));
    timer_heap_fini(&heap);
}

/* Against the slow way: random arming, moving and disarming. */
static void test_random_changes(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    struct timer timers[64] = {0};
    assert_int_equal(timer_heap_reserve(&heap, 64), 0);
    srandom(1);
    for (int round = 0; round < 20000; round++) {
        struct timer *timer = &timers[random() % 64];
        if (random() % 3)
            timer_heap_arm(&heap, timer, random() % 1000);
        else
            timer_heap_disarm(&heap, timer);
        int64_t least = INT64_MAX;
        size_t armed = 0;
        for (int i = 0; i < 64; i++) {
            armed += timers[i].place != 0;
            if (timers[i].place && timers[i].due_ns < least)
                least = timers[i].due_ns;
        }
        assert_int_equal(heap.count, armed);
        const struct timer *first = timer_heap_first(&heap);
        assert_int_equal(first ? first->due_ns : INT64_MAX, least);
    }
    timer_heap_fini(&heap);
}

static void test_reserve_keeps(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    struct timer a = {0}, b = {0};
    assert_int_equal(timer_heap_reserve(&heap, 1), 0);
    timer_heap_arm(&heap, &a, 5);
    assert_int_equal(timer_heap_reserve(&heap, 5000), 0);
    assert_true(heap.capacity >= 5000);
    timer_heap_arm(&heap, &b, 4);
    assert_ptr_equal(timer_heap_first(&heap), &b);
    timer_heap_arm(&heap, &b, 6);
    assert_ptr_equal(timer_heap_first(&heap), &a);
    timer_heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_reserve_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
