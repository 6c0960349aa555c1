#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/machine.h"

static void test_settings_by_name(void **state)
{
    struct machine machine = {0};
    (void)state;
    assert_string_equal(machine_value(&machine, "cpu.model"), "");
    assert_int_equal(machine_add_setting(&machine, "cpu.model", "a fast one"), 0);
    assert_int_equal(machine_add_setting(&machine, "cpu.smt", ""), 0);
    assert_string_equal(machine_value(&machine, "cpu.model"), "a fast one");
    assert_string_equal(machine_value(&machine, "cpu.smt"), "");
    assert_int_equal(machine.setting_count, 2);
    machine_fini(&machine);
    assert_int_equal(machine.setting_count, 0);
}

static void test_the_first_word_on_a_peer_stays(void **state)
{
    struct machine machine = {0};
    struct cached_metrics metrics = {.peer = "10.0.0.1", .local = "10.0.0.2", .ssthresh = 7};
    (void)state;
    assert_int_equal(machine_add_metrics(&machine, &metrics), 0);
    metrics.ssthresh = 0; /* as a later piece sees it, after it was forgotten */
    assert_int_equal(machine_add_metrics(&machine, &metrics), 0);
    strcpy(metrics.local, "10.0.0.3");
    assert_int_equal(machine_add_metrics(&machine, &metrics), 0);
    assert_int_equal(machine.metrics_count, 2);
    assert_int_equal(machine.metrics[0].ssthresh, 7);
    machine_fini(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_by_name),
        cmocka_unit_test(test_the_first_word_on_a_peer_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
