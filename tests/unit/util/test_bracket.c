#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/bracket.h"
#include "util/clock.h"

#define REAL INT64_C(1700000000000000000) /* the wall clock at monotonic 0 */

static struct clock_bracket at(int64_t mono_ns, int64_t apart_ns, int64_t width_ns)
{
    return bracket_make(mono_ns - width_ns, mono_ns - width_ns / 2 + apart_ns, mono_ns);
}

static void holds_what_was_read(void **state)
{
    (void)state;
    struct clock_bracket bracket = bracket_make(1000, REAL + 1040, 1100);
    assert_int_equal(bracket.at_ns, 1100);
    assert_in_range(REAL, bracket.low_ns, bracket.high_ns);
    assert_true(bracket.high_ns - bracket.low_ns <= 102);
}

/* The truth is REAL, of which the brackets know no more than they show. */
static void the_width_goes_to_the_safe_side(void **state)
{
    (void)state;
    struct clock_bracket before = at(1000000, REAL, 300), after = at(2000000, REAL, 800);
    int64_t earliest, latest;
    assert_true(bracket_earliest(&before, &after, REAL + 1500000, &earliest));
    assert_true(bracket_latest(&before, &after, REAL + 1500000, &latest));
    assert_true(earliest <= 1500000 && latest >= 1500000);
    assert_true(latest - earliest <= 300 + 800 + 4);
}

static void a_step_is_found(void **state)
{
    (void)state;
    static const int64_t steps[] = {-3600 * NS_PER_S, -2000, 2000, NS_PER_MS, 3600 * NS_PER_S};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct clock_bracket before = at(1000000, REAL, 300);
        struct clock_bracket after = at(2000000, REAL + steps[i], 300);
        int64_t mono;
        /* Whether the stamp was made before the step or behind it. */
        for (int64_t stepped = 0; stepped < 2; stepped++) {
            int64_t real = REAL + 1500000 + stepped * steps[i];
            assert_false(bracket_earliest(&before, &after, real, &mono));
            assert_false(bracket_latest(&before, &after, real, &mono));
        }
    }
}

/* A step that hides in the brackets' widths makes the bound no less true. */
static void a_step_that_is_not_found_is_within_the_width(void **state)
{
    (void)state;
    for (int64_t step = -900; step <= 900; step += 50) {
        struct clock_bracket before = at(1000000, REAL, 500);
        struct clock_bracket after = at(2000000, REAL + step, 500);
        for (int64_t stepped = 0; stepped < 2; stepped++) {
            int64_t earliest, latest, real = REAL + 1500000 + stepped * step;
            if (!bracket_earliest(&before, &after, real, &earliest))
                continue;
            assert_true(bracket_latest(&before, &after, real, &latest));
            assert_true(earliest <= 1500000 && latest >= 1500000);
        }
    }
}

static void a_stamp_lies_between(void **state)
{
    (void)state;
    struct clock_bracket before = at(1000000, REAL, 300), after = at(2000000, REAL, 300);
    const struct clock_bracket none = {0};
    int64_t mono;
    assert_true(bracket_latest(&before, &after, REAL + 1000000, &mono));
    assert_true(bracket_latest(&before, &after, REAL + 2000000, &mono));
    assert_false(bracket_latest(&before, &after, REAL + 990000, &mono));
    assert_false(bracket_latest(&before, &after, REAL + 2010000, &mono));
    assert_false(bracket_latest(&none, &after, REAL + 1500000, &mono));
    assert_false(bracket_latest(&before, &none, REAL + 1500000, &mono));
}

static void the_machine_can_be_asked(void **state)
{
    (void)state;
    struct clock_bracket before = bracket_read();
    int64_t earliest, latest, low = clock_now(), real = clock_now_unix(), high = clock_now();
    struct clock_bracket after = bracket_read();
    assert_true(bracket_earliest(&before, &after, real, &earliest));
    assert_true(bracket_latest(&before, &after, real, &latest));
    assert_true(earliest <= high && latest >= low && earliest <= latest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_read),
        cmocka_unit_test(the_width_goes_to_the_safe_side),
        cmocka_unit_test(a_step_is_found),
        cmocka_unit_test(a_step_that_is_not_found_is_within_the_width),
        cmocka_unit_test(a_stamp_lies_between),
        cmocka_unit_test(the_machine_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
