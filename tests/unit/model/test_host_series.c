/* Rows of a machine: all are kept while they are few, then every second one, and always the last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/host_series.h"

#define LIMIT 8

static void add(struct host_series *series, int64_t first, int64_t behind)
{
    int64_t row[HOST_FIELD_COUNT + 2 * INTERFACE_FIELD_COUNT] = {0};
    for (int64_t i = first; i < behind; i++) {
        row[HOST_tick] = i;
        row[host_series_place(1) + INTERFACE_qdisc_marks] = -i;
        assert_int_equal(host_series_add(series, row, LIMIT), 0);
    }
}

static void expect(const struct host_series *series, size_t count, const int64_t *ticks)
{
    assert_int_equal(series->count, count);
    for (size_t i = 0; i < count; i++) {
        const int64_t *row = host_series_row(series, i);
        assert_int_equal(row[HOST_tick], ticks[i]);
        assert_int_equal(row[host_series_place(1) + INTERFACE_qdisc_marks], -ticks[i]);
    }
}

static void test_few_rows_are_all_kept(void **state)
{
    (void)state;
    struct host_series series = {.interface_count = 2};
    add(&series, 0, LIMIT);
    expect(&series, LIMIT, (int64_t[]){0, 1, 2, 3, 4, 5, 6, 7});
    assert_int_equal(series.stride, 1);
    host_series_fini(&series);
}

static void test_many_rows_are_thinned_and_the_last_is_there(void **state)
{
    (void)state;
    struct host_series series = {.interface_count = 2};
    add(&series, 0, LIMIT + 1);
    expect(&series, 5, (int64_t[]){0, 2, 4, 6, 8});
    assert_int_equal(series.stride, 2);
    add(&series, LIMIT + 1, LIMIT + 2);
    expect(&series, 6, (int64_t[]){0, 2, 4, 6, 8, 9});
    add(&series, LIMIT + 2, LIMIT + 3);
    expect(&series, 6, (int64_t[]){0, 2, 4, 6, 8, 10});
    host_series_fini(&series);
}

/* However many there are: bounded, evenly spaced but for the last, the first and the last there. */
static void test_any_number(void **state)
{
    (void)state;
    for (int64_t many = 1; many < 300; many++) {
        struct host_series series = {.interface_count = 2};
        add(&series, 0, many);
        assert_in_range(series.count, 1, LIMIT);
        assert_int_equal(series.seen, many);
        assert_int_equal(host_series_row(&series, series.count - 1)[HOST_tick], many - 1);
        for (size_t i = 0; i + 1 < series.count; i++)
            assert_int_equal(host_series_row(&series, i)[HOST_tick], i * series.stride);
        host_series_fini(&series);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_rows_are_all_kept),
        cmocka_unit_test(test_many_rows_are_thinned_and_the_last_is_there),
        cmocka_unit_test(test_any_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
