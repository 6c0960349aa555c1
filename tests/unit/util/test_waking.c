#include "util/waking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S  NS_PER_S
#define MS NS_PER_MS

/* A loop that turns every 50 ms is stopped for 25 s, with 9 s of a limit of 10 s over. */
static void test_a_pause_is_no_time(void **state)
{
    (void)state;
    struct waking waking = {0};
    int64_t now = 1000 * S;
    waking_come_round(&waking, now, 0);
    const int64_t limit = waking_time(&waking, now) + 10 * S;
    for (int i = 0; i < 180; i++) {
        now += 50 * MS;
        waking_come_round(&waking, now, now);
    }
    assert_int_equal(waking.missed_ns, 0);
    assert_int_equal(waking_due(&waking, limit), now + S);

    const int64_t due = now + 50 * MS;
    now += 25 * S;
    waking_come_round(&waking, now, due);
    assert_int_equal(waking.missed_ns, 25 * S - 50 * MS - WAKING_LATE_NS);
    assert_true(waking_time(&waking, now) < limit);
    assert_int_equal(waking_due(&waking, limit), now + S - 50 * MS - WAKING_LATE_NS);
}

static void test_it_never_goes_back_and_never_stands_for_ever(void **state)
{
    (void)state;
    struct waking waking = {0};
    int64_t now = 5 * S, before = 0;
    /* Each turn takes 3 s: slow, but it comes round. */
    for (int i = 0; i < 100; i++, now += 3 * S) {
        waking_come_round(&waking, now, 0);
        assert_true(waking_time(&waking, now) > before);
        before = waking_time(&waking, now);
    }
    assert_int_equal(before, 5 * S + 99 * WAKING_LATE_NS);
}

static void test_sleeping_as_meant_is_time(void **state)
{
    (void)state;
    struct waking waking = {0};
    int64_t now = 7 * S;
    waking_come_round(&waking, now, 0);
    now += 3600 * S;
    waking_come_round(&waking, now, INT64_MAX); /* an event ended it */
    now += 60 * S;
    waking_come_round(&waking, now, now + 5 * S);
    now += 60 * S;
    waking_come_round(&waking, now, now - WAKING_LATE_NS); /* a little late */
    assert_int_equal(waking.missed_ns, 0);
    assert_int_equal(waking_time(&waking, now), now);
}

/* The first time is no pause, however late on the clock; what never is due never is. */
static void test_edges(void **state)
{
    (void)state;
    struct waking waking = {0};
    waking_come_round(&waking, 1000000 * S, 0);
    assert_int_equal(waking.missed_ns, 0);
    waking_come_round(&waking, 1000009 * S, 0);
    assert_int_equal(waking.missed_ns, 9 * S - WAKING_LATE_NS);
    assert_int_equal(waking_due(&waking, INT64_MAX), INT64_MAX);
    assert_int_equal(waking_due(&waking, INT64_MAX - 1), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pause_is_no_time),
        cmocka_unit_test(test_it_never_goes_back_and_never_stands_for_ever),
        cmocka_unit_test(test_sleeping_as_meant_is_time),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
