#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/goodput.h"
#include "model/phases.h"
#include "util/clock.h"

static void test_by_the_time_that_passed(void **state)
{
    (void)state;
    assert_true(goodput_between(1000000, 0, NS_PER_S) == 8e6);
    assert_true(goodput_between(0, 5, 6) == 0);
    /* Two ticks of 250 ms were missed, and the next came 10 ms late: it is of 760 ms. */
    assert_true(goodput_between(760000, -10, 760 * NS_PER_MS - 10) == 8e6);
}

static void test_no_time_no_rate(void **state)
{
    (void)state;
    assert_true(goodput_between(1, 5, 5) == -1);
    assert_true(goodput_between(1, 5, 4) == -1);
    assert_true(goodput_between(1, INT64_MIN, INT64_MAX) == -1);
}

static void test_phases_are_apart(void **state)
{
    (void)state;
    struct end_report source = {
        .times = (1u << END_TIMES) - 1,
        .at = {[T_CONNECT] = -2000,
               [T_CONNECTED] = -1500,
               [T_FIRST_BYTE] = 10,
               [T_STOP] = 1010,
               [T_LAST_BYTE] = 1040,
               [T_CLOSED] = 2000},
    };
    struct phases phases = phases_of(&source);
    assert_int_equal(phases.setup_ns, 500);
    assert_int_equal(phases.transfer_ns, 1000);
    assert_int_equal(phases.drain_ns, 30);

    source.times &= ~(1u << T_LAST_BYTE); /* aborted */
    assert_int_equal(phases_of(&source).drain_ns, -1);
    source.at[T_STOP] = 9;
    assert_int_equal(phases_of(&source).transfer_ns, -1);
    source.at[T_CONNECT] = INT64_MAX;
    source.at[T_CONNECTED] = INT64_MIN;
    assert_int_equal(phases_of(&source).setup_ns, -1);
    phases = phases_of(NULL);
    assert_int_equal(phases.setup_ns, -1);
    assert_int_equal(phases.transfer_ns, -1);
    assert_int_equal(phases.drain_ns, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_the_time_that_passed),
        cmocka_unit_test(test_no_time_no_rate),
        cmocka_unit_test(test_phases_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
