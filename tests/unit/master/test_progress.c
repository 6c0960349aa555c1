/* The rate that a person sees while flows run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/progress.h"
#include "util/clock.h"

#define STEP_NS (500 * NS_PER_MS)

static void test_rate(void **state)
{
    (void)state;
    struct progress progress = {0};
    uint64_t bytes = 0;
    int64_t now = 1;
    assert_true(progress_rate(&progress, bytes, now) == 0);
    for (int i = 0; i < 20; i++) { /* heartbeats that come unevenly */
        bytes += i % 2 ? 0 : 1000000;
        double rate = progress_rate(&progress, bytes, now += STEP_NS);
        if (i > 4)
            assert_true(rate > 6e6 && rate < 10e6);
    }
}

static void test_a_stall_shows(void **state)
{
    (void)state;
    struct progress progress = {0};
    int64_t now = 1;
    for (int i = 0; i < 10; i++)
        progress_rate(&progress, (uint64_t)i * 1000000, now += STEP_NS);
    double rate = 1;
    for (int i = 0; i < PROGRESS_POINTS; i++)
        rate = progress_rate(&progress, 9000000, now += STEP_NS);
    assert_true(rate == 0);
    assert_true(progress_rate(&progress, 10000000, now += STEP_NS) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_a_stall_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
