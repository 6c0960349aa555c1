/* How busy a machine was, also of runs that are too short for the kernel's counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report/host_figures.h"
#include "util/clock.h"

#define MS NS_PER_MS

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct host_series));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    host_series_fini(*state);
    free(*state);
    return 0;
}

/* A row; user and idle are what the kernel has counted. */
static void add(struct host_series *series, int64_t tick, int64_t t_ms, int64_t agent_ms,
                int64_t user_ms, int64_t idle_ms)
{
    int64_t row[HOST_FIELD_COUNT] = {0};
    row[HOST_tick] = tick;
    row[HOST_t_ns] = t_ms * MS;
    row[HOST_agent_cpu_ns] = agent_ms < 0 ? HOST_UNKNOWN : agent_ms * MS;
    row[HOST_user_ns] = user_ms * MS;
    row[HOST_idle_ns] = idle_ms * MS;
    assert_int_equal(host_series_add(series, row, 100), 0);
}

static void test_ticks_alone_count(void **state)
{
    struct host_series *series = *state;
    add(series, -1, -500, 0, 0, 0); /* the order to start */
    add(series, 0, 0, 10, 100, 1000);
    add(series, 5, 50, 50, 120, 1020);
    add(series, 10, 100, 90, 140, 1160);
    add(series, -1, 900, 900, 940, 1160);
    const struct host_cpu cpu = host_cpu(series);
    assert_true(cpu.known && cpu.agent_known);
    assert_float_equal(cpu.agent, 0.8, 1e-9);
    assert_float_equal(cpu.busy, 0.2, 1e-9);
}

/* One tick and the end: the agent's own time is exact. */
static void test_a_short_run_tells_of_its_agent(void **state)
{
    struct host_series *series = *state;
    add(series, -1, -500, 0, 0, 0);
    add(series, 0, 0, 10, 100, 1000);
    add(series, -1, 20, 25, 110, 1010);
    const struct host_cpu cpu = host_cpu(series);
    assert_true(cpu.agent_known);
    assert_float_equal(cpu.agent, 0.75, 1e-9);
    assert_false(cpu.known);
}

/* Between two ticks, and yet the kernel counted nothing. */
static void test_the_kernel_counted_nothing(void **state)
{
    struct host_series *series = *state;
    add(series, 0, 0, 10, 100, 1000);
    add(series, 5, 50, 60, 100, 1000);
    const struct host_cpu cpu = host_cpu(series);
    assert_true(cpu.agent_known && !cpu.known);
    assert_float_equal(cpu.agent, 1, 1e-9);
}

static void test_nothing_to_tell(void **state)
{
    struct host_series *series = *state;
    assert_false(host_cpu(series).agent_known);
    add(series, -1, -500, 0, 0, 0);
    add(series, -1, -100, 10, 0, 0);
    assert_false(host_cpu(series).agent_known); /* not of t0 on */
    add(series, 0, 0, -1, 100, 1000);
    assert_false(host_cpu(series).agent_known);
    add(series, 5, 50, -1, 120, 1030);
    assert_false(host_cpu(series).agent_known);
    assert_true(host_cpu(series).known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ticks_alone_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_short_run_tells_of_its_agent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_kernel_counted_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_to_tell, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
