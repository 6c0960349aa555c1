#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/flow.h"
#include "model/pace.h"
#include "model/scenario.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define BEGIN (INT64_C(5) * NS_PER_S)

/* rate * time in bytes, rounded down, as it has to be. */
static uint64_t bytes_in(uint64_t rate, int64_t ns)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)rate * (wide)ns / ((wide)8 * NS_PER_S));
}

static const uint64_t rates[] = {RATE_MIN, 1001,     115840,     115841,        1000000,
                                 9999999,  10000000, 1000000000, 9876543210987, RATE_MAX};

static void nothing_is_due_before_the_begin(void **state)
{
    struct pace pace;
    (void)state;
    pace_begin(&pace, 10000000, BEGIN, BEGIN + NS_PER_S);
    assert_int_equal(pace_due(&pace, BEGIN - 1), 0);
    assert_int_equal(pace_due(&pace, INT64_MIN), 0);
    assert_int_equal(pace_next_ns(&pace), BEGIN);
    assert_int_equal(pace_due(&pace, BEGIN), 1448);
}

static void quanta_are_small(void **state)
{
    static const struct {
        uint64_t rate, quantum;
    } rows[] = {
        {1000, 13},           /* 100 ms */
        {80000, 1000},        /* 100 ms */
        {115840, 1448},       /* a segment */
        {10000000, 1448},     /* likewise, 1.16 ms */
        {11584000, 1448},     /* a segment in 1 ms */
        {11584001, 2 * 1448}, /* as many as take 1 ms */
        {1000000000, 87 * 1448},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pace pace;
        pace_begin(&pace, rows[i].rate, BEGIN, BEGIN + NS_PER_S);
        assert_int_equal(pace.quantum, rows[i].quantum);
    }
}

/* Moves all that is due whenever it is, as a worker that wakes `late` behind. */
static void follow(struct pace *pace, uint64_t rate, int64_t end_ns, int64_t late_ns)
{
    int64_t next;
    unsigned steps = 0;
    while ((next = pace_next_ns(pace)) < end_ns && steps++ < 5000) {
        const int64_t now = next + late_ns;
        if (late_ns == 0)
            assert_int_equal(pace_due(pace, next - 1), 0);
        const uint64_t due = pace_due(pace, now);
        assert_true(due > 0);
        pace_moved(pace, due);
        const uint64_t all = pace->moved + pace->skipped, exact = bytes_in(rate, now - BEGIN);
        assert_true(all >= (exact < pace->total ? exact : pace->total));
        assert_true(all <= exact + pace->quantum);
        assert_true(pace_next_ns(pace) > now);
    }
}

static void due_is_never_less_than_the_rate_nor_a_quantum_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        for (int64_t late = 0; late < 50 * NS_PER_MS; late = 3 * late + 17) {
            struct pace pace;
            pace_begin(&pace, rates[i], BEGIN, BEGIN + 2 * NS_PER_S);
            follow(&pace, rates[i], BEGIN + 2 * NS_PER_S, late);
            assert_int_equal(pace.skipped, 0);
        }
    }
}

static void in_all_it_is_the_rate_times_the_time(void **state)
{
    struct pace pace;
    (void)state;
    pace_begin(&pace, 10000000, BEGIN, BEGIN + 2 * NS_PER_S);
    follow(&pace, 10000000, INT64_MAX, 0);
    assert_int_equal(pace.moved, 2500000);
    assert_int_equal(pace_next_ns(&pace), INT64_MAX);
    assert_int_equal(pace_due(&pace, INT64_MAX), 0);

    pace_begin(&pace, 1000, BEGIN, BEGIN + 12 * NS_PER_MS); /* 1.5 bytes */
    assert_int_equal(pace_due(&pace, BEGIN + NS_PER_S), 2);
    pace_begin(&pace, RATE_MIN, BEGIN, BEGIN - 1); /* connected after the end */
    assert_int_equal(pace_due(&pace, BEGIN), 1);
}

/* A day of a rate that divides nothing evenly ends where it has to. */
static void it_never_drifts(void **state)
{
    const int64_t day = 86400 * NS_PER_S;
    struct pace pace;
    (void)state;
    pace_begin(&pace, 9999991, BEGIN, BEGIN + day);
    int64_t now = BEGIN;
    while (now < BEGIN + day) {
        pace_moved(&pace, pace_due(&pace, now));
        now += 70 * NS_PER_MS + 1;
    }
    const uint64_t all = pace.moved + pace_due(&pace, now);
    assert_int_equal(pace.skipped, 0);
    assert_int_equal(all, bytes_in(9999991, day));
}

static void catching_up_is_bounded(void **state)
{
    const uint64_t rate = 80000000; /* 10 kB a ms */
    struct pace pace;
    (void)state;
    pace_begin(&pace, rate, BEGIN, BEGIN + 4 * NS_PER_S);
    pace_moved(&pace, pace_due(&pace, BEGIN));
    const uint64_t limit = bytes_in(rate, PACE_CATCH_UP_NS) + pace.quantum;
    /* Up to that it is all made up for. */
    assert_in_range(pace_due(&pace, BEGIN + PACE_CATCH_UP_NS), limit - 2 * pace.quantum, limit);
    assert_int_equal(pace.skipped, 0);
    /* Three seconds away: no more than that, the rest is counted. */
    const int64_t back = BEGIN + 3 * NS_PER_S;
    assert_int_equal(pace_due(&pace, back), limit);
    assert_int_equal(pace_due(&pace, back), limit); /* asking changes nothing */
    assert_true(pace.moved + pace.skipped + limit >= bytes_in(rate, 3 * NS_PER_S));
    assert_true(pace.moved + pace.skipped + limit <= bytes_in(rate, 3 * NS_PER_S) + pace.quantum);
    pace_moved(&pace, limit);
    /* Then the schedule goes on where it would have been. */
    const uint64_t skipped = pace.skipped;
    follow(&pace, rate, INT64_MAX, 0);
    assert_int_equal(pace.skipped, skipped);
    assert_int_equal(pace.moved + pace.skipped, bytes_in(rate, 4 * NS_PER_S));
}

/* What could not move at once stays due. */
static void a_part_may_move(void **state)
{
    struct pace pace;
    (void)state;
    pace_begin(&pace, 1000000000, BEGIN, BEGIN + NS_PER_S);
    const uint64_t due = pace_due(&pace, BEGIN);
    pace_moved(&pace, 1000);
    assert_int_equal(pace_due(&pace, BEGIN), due - 1000);
    assert_true(pace_next_ns(&pace) <= BEGIN);
}

static void nothing_overflows(void **state)
{
    struct pace pace;
    (void)state;
    pace_begin(&pace, RATE_MAX, 0, SCENARIO_TIME_MAX);
    assert_int_equal(pace.total, INT64_MAX);
    assert_int_equal(pace_due(&pace, SCENARIO_TIME_MAX), pace.limit);
    assert_true(pace.skipped <= pace.total);
    assert_true(pace_next_ns(&pace) <= SCENARIO_TIME_MAX);
    pace_moved(&pace, pace.limit);
    assert_int_equal(pace_next_ns(&pace), INT64_MAX);

    pace_begin(&pace, RATE_MIN, 0, SCENARIO_TIME_MAX);
    for (int64_t t = 0; t < SCENARIO_TIME_MAX; t += SCENARIO_TIME_MAX / 100)
        pace_moved(&pace, pace_due(&pace, t));
    pace_moved(&pace, pace_due(&pace, SCENARIO_TIME_MAX));
    assert_int_equal(pace.moved + pace.skipped, bytes_in(RATE_MIN, SCENARIO_TIME_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_before_the_begin),
        cmocka_unit_test(quanta_are_small),
        cmocka_unit_test(due_is_never_less_than_the_rate_nor_a_quantum_more),
        cmocka_unit_test(in_all_it_is_the_rate_times_the_time),
        cmocka_unit_test(it_never_drifts),
        cmocka_unit_test(catching_up_is_bounded),
        cmocka_unit_test(a_part_may_move),
        cmocka_unit_test(nothing_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
