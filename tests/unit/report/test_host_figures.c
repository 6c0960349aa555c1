#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report/host_figures.h"

/* Two rows of one interface; all values of a row are the same but for the tick. */
static struct host_series made(int64_t from, int64_t to)
{
    struct host_series series = {.interfaces = {{.name = "eth0"}}, .interface_count = 1};
    int64_t row[HOST_FIELD_COUNT + INTERFACE_FIELD_COUNT];
    const int64_t values[] = {from, to};
    for (int64_t tick = 0; tick < 2; tick++) {
        for (size_t i = 0; i < sizeof row / sizeof *row; i++)
            row[i] = values[tick];
        row[HOST_tick] = tick;
        assert_int_equal(host_series_add(&series, row, 10), 0);
    }
    return series;
}

static void test_counters_grow(void **state)
{
    (void)state;
    struct host_series series = made(5, 12);
    assert_int_equal(host_growth(&series, HOST_softnet_dropped), 7);
    assert_int_equal(host_interface_growth(&series, 0, INTERFACE_rx_bytes), 7);
    assert_int_equal(host_drops(&series), 4 * 7);
    host_series_fini(&series);
    series = made(HOST_UNKNOWN, 12);
    assert_int_equal(host_growth(&series, HOST_softnet_dropped), HOST_UNKNOWN);
    assert_int_equal(host_drops(&series), 0);
    host_series_fini(&series);
}

/* No counter does that, but a file may say so. */
static void test_what_no_counter_grows_by(void **state)
{
    (void)state;
    struct host_series series = made(INT64_MIN, INT64_MAX);
    assert_int_equal(host_growth(&series, HOST_softnet_dropped), HOST_UNKNOWN);
    assert_int_equal(host_interface_growth(&series, 0, INTERFACE_qdisc_drops), HOST_UNKNOWN);
    assert_false(host_cpu(&series).known);
    host_series_fini(&series);
    series = made(0, INT64_MAX);
    assert_int_equal(host_drops(&series), INT64_MAX);
    char *text = host_text(&series);
    assert_non_null(text);
    free(text);
    host_series_fini(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_grow),
        cmocka_unit_test(test_what_no_counter_grows_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
