/* The rate that a person sees while flows run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/meter.h"
#include "util/clock.h"

#define BEGIN_NS (100 * NS_PER_S)
#define TELL_NS  (500 * NS_PER_MS)

/* From the first half second on, whatever was told before flows began. */
static void test_a_link_that_is_full_at_once(void **state)
{
    (void)state;
    struct meter meter = {0};
    for (int64_t t = BEGIN_NS - 3 * NS_PER_S; t < BEGIN_NS; t += TELL_NS)
        meter_take(&meter, 0, t, BEGIN_NS);
    assert_true(meter_rate(&meter, BEGIN_NS) == 0);
    for (int i = 1; i < 20; i++) {
        const int64_t now = BEGIN_NS + i * TELL_NS;
        meter_take(&meter, (uint64_t)i * 1000000, now, BEGIN_NS);
        assert_true(meter_rate(&meter, now) == 16e6);
    }
}

static void test_what_comes_often(void **state)
{
    (void)state;
    struct meter meter = {0};
    for (int i = 1; i < 1000; i++) {
        const int64_t now = BEGIN_NS + i * 10 * NS_PER_MS;
        meter_take(&meter, (uint64_t)i * 10000, now, BEGIN_NS);
        assert_true(meter_rate(&meter, now) == (i < 40 ? 0 : 8e6));
    }
}

static void test_a_stall_shows(void **state)
{
    (void)state;
    struct meter meter = {0};
    int64_t now = BEGIN_NS;
    for (int i = 0; i < 10; i++)
        meter_take(&meter, (uint64_t)i * 1000000, now += TELL_NS, BEGIN_NS);
    assert_true(meter_rate(&meter, now + NS_PER_S) > 0);
    assert_true(meter_rate(&meter, now + 3 * NS_PER_S) == 0); /* nothing is heard */
    meter_take(&meter, 9000000, now += TELL_NS, BEGIN_NS);
    assert_true(meter_rate(&meter, now) == 0);
    meter_take(&meter, 1000000, now += TELL_NS, BEGIN_NS); /* nobody received less */
    assert_true(meter_rate(&meter, now) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_link_that_is_full_at_once),
        cmocka_unit_test(test_what_comes_often),
        cmocka_unit_test(test_a_stall_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
