#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/stats.h"

static void nothing_has_no_middle(void **state)
{
    (void)state;
    assert_int_equal(stats_of(NULL, 0).count, 0);
}

static void one_value_is_all(void **state)
{
    (void)state;
    double values[] = {-7.5};
    struct stats stats = stats_of(values, 1);
    assert_int_equal(stats.count, 1);
    assert_true(stats.min == -7.5 && stats.quartile_1 == -7.5 && stats.median == -7.5 &&
                stats.quartile_3 == -7.5 && stats.max == -7.5);
}

static void odd_counts_have_a_value_in_the_middle(void **state)
{
    (void)state;
    double values[] = {5, 1, 4, 2, 3};
    struct stats stats = stats_of(values, 5);
    assert_true(stats.min == 1 && stats.max == 5);
    assert_true(stats.median == 3);
    assert_true(stats.quartile_1 == 2 && stats.quartile_3 == 4);
}

static void even_counts_lie_between(void **state)
{
    (void)state;
    double values[] = {40, 10, 30, 20};
    struct stats stats = stats_of(values, 4);
    assert_true(stats.median == 25);
    assert_true(stats.quartile_1 == 17.5 && stats.quartile_3 == 32.5);
    double two[] = {2, 0};
    stats = stats_of(two, 2);
    assert_true(stats.median == 1 && stats.quartile_1 == 0.5 && stats.quartile_3 == 1.5);
}

static void equal_values_have_no_spread(void **state)
{
    (void)state;
    double values[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
    struct stats stats = stats_of(values, 6);
    assert_true(stats.min == 0.1 && stats.quartile_1 == 0.1 && stats.median == 0.1 &&
                stats.quartile_3 == 0.1 && stats.max == 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_no_middle),
        cmocka_unit_test(one_value_is_all),
        cmocka_unit_test(odd_counts_have_a_value_in_the_middle),
        cmocka_unit_test(even_counts_lie_between),
        cmocka_unit_test(equal_values_have_no_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
