#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "util/cleanup.h"
#include "util/units.h"

static void prints_rates(void **state)
{
    (void)state;
    static const struct {
        double rate;
        const char *text;
    } rows[] = {
        {0, "0 bit/s"},          {1, "1 bit/s"},          {999, "999 bit/s"},
        {999.6, "1.00 kbit/s"},  {1234, "1.23 kbit/s"},   {9994, "9.99 kbit/s"},
        {9995.1, "10.0 kbit/s"}, {12345, "12.3 kbit/s"},  {99951, "100 kbit/s"},
        {123456, "123 kbit/s"},  {999600, "1.00 Mbit/s"}, {9.41e9, "9.41 Gbit/s"},
        {100e9, "100 Gbit/s"},   {1.5e12, "1.50 Tbit/s"}, {-1, "-"},
    };
    char text[UNITS_TEXT_MAX];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(units_rate(rows[i].rate, text), rows[i].text);
    assert_string_equal(units_rate(NAN, text), "-");
    assert_string_equal(units_rate(INFINITY, text), "-");
    assert_string_equal(units_rate(1e300, text), "-");
}

static void prints_bytes(void **state)
{
    (void)state;
    char text[UNITS_TEXT_MAX];
    assert_string_equal(units_bytes(0, text), "0 B");
    assert_string_equal(units_bytes(999, text), "999 B");
    assert_string_equal(units_bytes(1000, text), "1.00 kB");
    assert_string_equal(units_bytes(1214000000, text), "1.21 GB");
    assert_string_equal(units_bytes(UINT64_MAX, text), "18.4 EB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_rates),
        cmocka_unit_test(prints_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
