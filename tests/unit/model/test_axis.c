#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "model/axis.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define MS NS_PER_MS
#define S  NS_PER_S

static void assert_near(int64_t a, int64_t b, int64_t by)
{
    if (a - b > by || b - a > by)
        fail_msg("%lld and %lld differ by more than %lld", (long long)a, (long long)b,
                 (long long)by);
}

static void converts_exactly_without_a_rate(void **state)
{
    (void)state;
    const struct axis axis = {.axis_ns = 5 * S, .local_ns = INT64_C(1234567890123456789)};
    assert_int_equal(axis_to_local(&axis, 5 * S), INT64_C(1234567890123456789));
    assert_int_equal(axis_to_local(&axis, -1), INT64_C(1234567885123456788));
    assert_int_equal(axis_from_local(&axis, INT64_C(1234567885123456788)), -1);
}

static void converts_with_a_rate(void **state)
{
    (void)state;
    const struct axis axis = {.axis_ns = 0, .local_ns = 100 * S, .rate = 200e-6};
    assert_int_equal(axis_to_local(&axis, 10 * S), 110 * S + 2 * MS);
    assert_int_equal(axis_from_local(&axis, 110 * S + 2 * MS), 10 * S);
    for (int64_t t = -100 * S; t < 100 * S; t += 123456789)
        assert_near(axis_from_local(&axis, axis_to_local(&axis, t)), t, 1);
}

static void nothing_overflows(void **state)
{
    (void)state;
    static const int64_t values[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    static const double rates[] = {-1, -2, 0, 1e-4, 1e300, INFINITY, NAN};
    for (size_t i = 0; i < COUNT_OF(values) * COUNT_OF(values) * COUNT_OF(rates); i++) {
        const struct axis axis = {
            .axis_ns = values[i % 5], .local_ns = values[i / 5 % 5], .rate = rates[i / 25]};
        const struct axis other = {.axis_ns = values[i / 5 % 5], .local_ns = values[i % 5]};
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            axis_to_local(&axis, values[k]);
            axis_from_local(&axis, values[k]);
            axis_slew(&axis, &other, values[k], S);
            axis_slew(&other, &axis, values[k], S);
        }
    }
}

/* The way from one mapping to another: where it begins, that it arrives, never backwards. */
static void check_slew(const struct axis *from, const struct axis *to, int64_t now, int64_t over)
{
    struct axis slew = axis_slew(from, to, now, over);
    assert_near(axis_from_local(&slew, now), axis_from_local(from, now), 1);
    assert_near(axis_from_local(&slew, now + over), axis_from_local(to, now + over), 2);
    int64_t last = axis_from_local(&slew, now);
    for (int i = 1; i <= 1000; i++) {
        int64_t t = axis_from_local(&slew, now + over / 1000 * i);
        assert_true(t > last);
        assert_near(axis_to_local(&slew, t), now + over / 1000 * i, 2);
        last = t;
    }
}

static void slews_to_the_target(void **state)
{
    (void)state;
    const int64_t now = INT64_C(1000000) * S;
    static const int64_t steps[] = {0, 1, -1, 1000, -1000, 5 * MS, -5 * MS, 800 * MS, -800 * MS};
    static const double rates[] = {0, 200e-6, -200e-6, 1e-3};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (size_t k = 0; k < COUNT_OF(rates); k++) {
            const struct axis from = {.axis_ns = 100 * S, .local_ns = now - 3 * S, .rate = 50e-6};
            const struct axis to = {
                .axis_ns = 102 * S + steps[i], .local_ns = now - S, .rate = rates[k]};
            check_slew(&from, &to, now, 2 * S);
        }
    }
}

static void same_mapping_stays(void **state)
{
    (void)state;
    const struct axis axis = {.axis_ns = 7, .local_ns = 1000 * S, .rate = 0};
    struct axis slew = axis_slew(&axis, &axis, 1003 * S, 2 * S);
    assert_true(slew.rate == 0);
    assert_int_equal(axis_from_local(&slew, 1010 * S), 10 * S + 7);
}

static void never_runs_backwards_to_a_target_far_behind(void **state)
{
    (void)state;
    const struct axis from = {.axis_ns = 100 * S, .local_ns = 0};
    const struct axis to = {.axis_ns = 50 * S, .local_ns = 0};
    struct axis slew = axis_slew(&from, &to, 0, 2 * S);
    assert_int_equal(axis_from_local(&slew, 0), 100 * S);
    assert_near(axis_from_local(&slew, 2 * S), 101 * S, 2);
}

static void no_time_is_the_target_at_once(void **state)
{
    (void)state;
    const struct axis from = {.axis_ns = 100 * S}, to = {.axis_ns = 50 * S};
    assert_int_equal(axis_slew(&from, &to, 0, 0).axis_ns, 50 * S);
}

static void counts_ticks(void **state)
{
    (void)state;
    static const struct {
        int64_t t_ns, interval_ns, after, before;
    } rows[] = {
        {INT64_MIN, 250, 0, -1},
        {-251, 250, 0, -1},
        {-250, 250, 0, -1},
        {-1, 250, 0, -1},
        {0, 250, 0, 0},
        {1, 250, 1, 0},
        {249, 250, 1, 0},
        {250, 250, 1, 1},
        {251, 250, 2, 1},
        {500, 250, 2, 2},
        {INT64_MAX, 1, INT64_MAX, INT64_MAX},
        {INT64_MAX, INT64_MAX, 1, 1},
        {INT64_MAX - 1, INT64_MAX, 1, 0},
        {INT64_MAX, 2, INT64_MAX / 2 + 1, INT64_MAX / 2},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(tick_at_or_after(rows[i].t_ns, rows[i].interval_ns), rows[i].after);
        assert_int_equal(tick_at_or_before(rows[i].t_ns, rows[i].interval_ns), rows[i].before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts_exactly_without_a_rate),
        cmocka_unit_test(converts_with_a_rate),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(slews_to_the_target),
        cmocka_unit_test(same_mapping_stays),
        cmocka_unit_test(never_runs_backwards_to_a_target_far_behind),
        cmocka_unit_test(no_time_is_the_target_at_once),
        cmocka_unit_test(counts_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
