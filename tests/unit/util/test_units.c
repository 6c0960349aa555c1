#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

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

static void reads_exact_rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t rate;
    } rows[] = {
        {"0", 0},
        {"0Mbit/s", 0},
        {"1bit/s", 1},
        {"1 bit/s", 1},
        {"10Mbit/s", 10000000},
        {"1.5Gbit/s", 1500000000},
        {"1.50 Gbit/s", 1500000000},
        {"0.1kbit/s", 100},
        {"007kbit/s", 7000},
        {"1.000000000001Tbit/s", 1000000000001},
        {"0.3Mbit/s", 300000},                       /* which no double is */
        {"9007199254740993bit/s", 9007199254740993}, /* nor this */
        {"1.00000000000000000000000000bit/s", 1},
        {"100.10kbit/s", 100100},
        {"18446744Tbit/s", 18446744000000000000u},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t rate = 99;
        assert_int_equal(units_parse_rate(rows[i].text, &rate, NULL), 0);
        assert_true(rate == rows[i].rate);
    }
}

static void refuses_what_is_no_rate(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what, *cure;
    } rows[] = {
        {"", "a number is missing", "\"10Mbit/s\""},
        {"10", "missing unit", "\"10Mbit/s\""},
        {"10 ", "missing unit", ""},
        {"00", "missing unit", ""},
        {"Mbit/s", "a number is missing", ""},
        {"-1Mbit/s", "a number is missing", ""},
        {"+1Mbit/s", "a number is missing", ""},
        {".5Mbit/s", "a number is missing", ""},
        {"5.Mbit/s", "unknown unit", ""},
        {"1.2.3Mbit/s", "unknown unit", ""},
        {"1e6bit/s", "unknown unit", ""},
        {"1,5Mbit/s", "unknown unit", ""},
        {"10Mbps", "unknown unit", "write \"10Mbit/s\""},
        {"10Mb/s", "unknown unit", "write \"10Mbit/s\""},
        {"10mbit/s", "unknown unit", "write \"10Mbit/s\""},
        {"10Kbit/s", "unknown unit", "write \"10kbit/s\""},
        {"1.5 gbps", "unknown unit", "write \"1.5Gbit/s\""},
        {"10M", "unknown unit", "write \"10Mbit/s\""},
        {"64000 b/s", "unknown unit", "write \"64000bit/s\""},
        {"10MB", "bits, not bytes", "80Mbit/s"},
        {"10Mibit/s", "unknown unit", "spelled so"},
        {"10Mbit", "unknown unit", "write \"10Mbit/s\""},
        {"10  Mbit/s", "unknown unit", ""},
        {"10Mbit/s ", "unknown unit", ""},
        {"10MB/s", "bits, not bytes", "80Mbit/s"},
        {"10MiB/s", "bits, not bytes", "80Mbit/s"},
        {"10MBit/s", "unknown unit", "write \"10Mbit/s\""},
        {"10MBps", "bits, not bytes", "80Mbit/s"},
        {"10Mbyte/s", "bits, not bytes", ""},
        {"1.0001kbit/s", "no whole number of bit/s", ""},
        {"0.5bit/s", "no whole number of bit/s", ""},
        {"18446745Tbit/s", "too large", ""},
        {"99999999999999999999bit/s", "too large", ""},
        {"0.00000000000000000000001Tbit/s", "no whole number", ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = {0};
        uint64_t rate = 99;
        assert_int_equal(units_parse_rate(rows[i].text, &rate, &err), ERROR_INPUT);
        assert_non_null(strstr(err.what, rows[i].what));
        assert_non_null(strstr(err.cure, rows[i].cure));
        assert_true(err.cure[0]);
        assert_int_equal(rate, 99);
    }
}

static void reads_sizes(void **state)
{
    (void)state;
    static const char *const none[] = {"",
                                       "10",
                                       "0",
                                       "10M",
                                       "10 ",
                                       "10Mb",
                                       "10mb",
                                       "MB",
                                       "-1MB",
                                       "1.5B",
                                       "10MiB",
                                       "10MBx",
                                       "1e3B",
                                       "10  MB",
                                       "0.5B",
                                       "18446745TB",
                                       "99999999999999999999B"};
    struct error err;
    uint64_t bytes = 99;
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_int_equal(units_parse_bytes(none[i], &bytes, &err), ERROR_INPUT);
        assert_true(bytes == 99 && err.cure[0]);
    }
    assert_int_equal(units_parse_bytes("1.5GB", &bytes, NULL), 0);
    assert_true(bytes == 1500000000);
    assert_int_equal(units_parse_bytes("500 kB", &bytes, NULL), 0);
    assert_true(bytes == 500000);
    assert_int_equal(units_parse_bytes("7B", &bytes, NULL), 0);
    assert_true(bytes == 7);
}

static void prints_exact_rates_that_it_reads(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1bit/s"},
        {999, "999bit/s"},
        {1000, "1kbit/s"},
        {1001, "1.001kbit/s"},
        {1500000, "1.5Mbit/s"},
        {1050000, "1.05Mbit/s"},
        {1234567, "1234.567kbit/s"},
        {1000000001, "1000000.001kbit/s"},
        {10000000000000, "10Tbit/s"},
        {INT64_MAX, "9223372036854775.807kbit/s"},
    };
    char text[UNITS_TEXT_MAX];
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t back = 0;
        assert_string_equal(units_exact_rate(rows[i].rate, text), rows[i].text);
        assert_int_equal(units_parse_rate(text, &back, NULL), 0);
        assert_true(back == rows[i].rate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_rates),      cmocka_unit_test(prints_bytes),
        cmocka_unit_test(reads_exact_rates), cmocka_unit_test(refuses_what_is_no_rate),
        cmocka_unit_test(reads_sizes),       cmocka_unit_test(prints_exact_rates_that_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
