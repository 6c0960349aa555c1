#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/series.h"

static void columns_keep_their_rows(void **state)
{
    (void)state;
    struct series series = {0};
    for (size_t row = 0; row < 500; row++) {
        assert_int_equal(series_reserve(&series, row + 1), 0);
        assert_true(series.capacity > row);
        series.t_ns[row] = series.tick[row] = (int64_t)row;
        for (int i = 0; i < TCP_FIELD_COUNT; i++)
            series.field[i][row] = (int64_t)row + i;
        for (int i = 0; i < TCP_CC_WORDS; i++)
            series.cc[i][row] = (int64_t)row - i;
        series.count++;
    }
    for (size_t row = 0; row < 500; row++) {
        assert_int_equal(series.t_ns[row], row);
        assert_int_equal(series.field[TCP_FIELD_COUNT - 1][row], row + TCP_FIELD_COUNT - 1);
        assert_int_equal(series.cc[0][row], row);
    }
    size_t capacity = series.capacity;
    series.info_length = 232;
    series_clear(&series);
    assert_int_equal(series.count, 0);
    assert_int_equal(series.info_length, 0);
    assert_int_equal(series.capacity, capacity);
    assert_int_equal(series_reserve(&series, 0), 0);
    series_fini(&series);
    assert_null(series.t_ns);
    assert_int_equal(series.capacity, 0);
    series_fini(&series);
}

static void refuses_what_no_memory_holds(void **state)
{
    (void)state;
    struct series series = {0};
    assert_int_equal(series_reserve(&series, 3), 0);
    assert_int_equal(series_reserve(&series, SIZE_MAX), -1);
    assert_int_equal(series_reserve(&series, SIZE_MAX / sizeof(int64_t)), -1);
    assert_in_range(series.capacity, 3, 100);
    series_fini(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_keep_their_rows),
        cmocka_unit_test(refuses_what_no_memory_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
