#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/bracket.h"
#include "util/clock.h"

#define APART (INT64_C(1700000000) * NS_PER_S) /* the wall clock before the monotonic one */

/* Read at a monotonic time, by which the wall clock took 30 ns. */
static struct clock_bracket at(int64_t mono_ns, int64_t apart_ns)
{
    return bracket_make(mono_ns - 15, mono_ns + apart_ns, mono_ns + 15);
}

static void test_a_stamp_lies_within(void **state)
{
    const struct clock_bracket before = at(1000, APART), after = at(900000, APART);
    int64_t earliest, latest;
    (void)state;
    assert_true(bracket_earliest(&before, &after, 5000 + APART, &earliest));
    assert_true(bracket_latest(&before, &after, 5000 + APART, &latest));
    assert_in_range(earliest, 5000 - 40, 5000);
    assert_in_range(latest, 5000, 5000 + 40);
}

static void test_a_step_is_seen(void **state)
{
    const struct clock_bracket before = at(1000, APART);
    int64_t when;
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        const struct clock_bracket after = at(900000, APART + sign * 100);
        assert_false(bracket_earliest(&before, &after, 5000 + APART, &when));
        assert_false(bracket_latest(&before, &after, 5000 + APART, &when));
    }
}

static void test_a_stamp_from_elsewhere(void **state)
{
    const struct clock_bracket before = at(1000, APART), after = at(900000, APART), none = {0};
    int64_t when;
    (void)state;
    assert_false(bracket_earliest(&before, &after, 100 + APART, &when));
    assert_false(bracket_earliest(&before, &after, 1000000 + APART, &when));
    assert_false(bracket_earliest(&none, &after, 5000 + APART, &when));
    assert_false(bracket_latest(&before, &none, 5000 + APART, &when));
}

static void test_now(void **state)
{
    const struct clock_bracket before = bracket_read();
    const int64_t mono_before = clock_now(), real = clock_now_unix(), mono_after = clock_now();
    const struct clock_bracket after = bracket_read();
    int64_t earliest, latest;
    (void)state;
    assert_true(bracket_earliest(&before, &after, real, &earliest));
    assert_true(bracket_latest(&before, &after, real, &latest));
    assert_true(earliest <= mono_after);
    assert_true(latest >= mono_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stamp_lies_within),
        cmocka_unit_test(test_a_step_is_seen),
        cmocka_unit_test(test_a_stamp_from_elsewhere),
        cmocka_unit_test(test_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
