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

/* Whether the stamp of what was at mono_ns, when the clocks were apart_ns apart, is placed within
 * the bound that is stated; and the bound is no larger than most_ns. */
static void is_placed(const struct clock_bracket *brackets, size_t count, int64_t since_ns,
                      int64_t mono_ns, int64_t apart_ns, int64_t most_ns)
{
    int64_t error_ns;
    const int64_t place = bracket_place(brackets, count, mono_ns + apart_ns, since_ns, &error_ns);
    assert_in_range(error_ns, 1, most_ns);
    assert_in_range(mono_ns, place - error_ns, place + error_ns);
}

#define S NS_PER_S

static void a_stamp_is_placed_however_late_it_is_read(void **state)
{
    (void)state;
    /* Nothing was read for nine seconds, then so slowly that two brackets more were made. */
    const struct clock_bracket brackets[] = {at(1 * S, REAL, 400), at(2 * S, REAL, 900),
                                             at(11 * S, REAL, 300), at(12 * S, REAL, 300),
                                             at(13 * S, REAL, 500)};
    for (int64_t mono = 3 * S / 2; mono < 13 * S; mono += S / 10)
        is_placed(brackets, 5, 3 * S / 2, mono, REAL, 1300);
    /* Also where it should have been read long ago. */
    for (int64_t mono = 3 * S / 2; mono < 13 * S; mono += S / 10)
        is_placed(brackets, 5, 13 * S - 1, mono, REAL, 1300);
}

static void the_bound_holds_across_steps(void **state)
{
    (void)state;
    static const int64_t steps[] = {-3600 * S, -3 * S, -S / 10,   -NS_PER_MS, -2000, -200,
                                    200,       2000,   NS_PER_MS, S / 10,     3 * S, 3600 * S};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const int64_t stepped = REAL + steps[i];
        /* In the nine seconds. */
        const struct clock_bracket brackets[] = {at(1 * S, REAL, 400), at(2 * S, REAL, 900),
                                                 at(11 * S, stepped, 300), at(12 * S, stepped, 300),
                                                 at(13 * S, stepped, 500)};
        const int64_t most = (steps[i] < 0 ? -steps[i] : steps[i]) / 2 + 1300;
        for (int64_t mono = 3 * S / 2; mono < 7 * S; mono += S / 10)
            is_placed(brackets, 5, 3 * S / 2, mono, REAL, most);
        for (int64_t mono = 7 * S; mono < 13 * S; mono += S / 10)
            is_placed(brackets, 5, 3 * S / 2, mono, stepped, most);
    }
    /* Far steps leave no doubt. */
    const struct clock_bracket far[] = {at(1 * S, REAL, 400), at(2 * S, REAL + 3600 * S, 400)};
    is_placed(far, 2, 1 * S, 3 * S / 2, REAL, 250);
    is_placed(far, 2, 1 * S, 3 * S / 2, REAL + 3600 * S, 250);
}

static void without_a_bracket_the_bound_is_the_whole_time(void **state)
{
    (void)state;
    const struct clock_bracket brackets[] = {at(5 * S, REAL, 400), at(6 * S, REAL, 400)};
    for (int64_t mono = 2 * S; mono < 6 * S; mono += S / 10)
        is_placed(brackets, 2, 2 * S, mono, REAL, 2 * S + 1);
    is_placed(brackets, 1, 2 * S, 3 * S, REAL, 3 * S / 2 + 1);
    /* No bracket fits: of a step, and one back. */
    is_placed(brackets, 2, 5 * S, 11 * S / 2, REAL + 20 * S, S / 2 + 1);
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
        cmocka_unit_test(a_stamp_is_placed_however_late_it_is_read),
        cmocka_unit_test(the_bound_holds_across_steps),
        cmocka_unit_test(without_a_bracket_the_bound_is_the_whole_time),
        cmocka_unit_test(the_machine_can_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
