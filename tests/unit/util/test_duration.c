/* The verdicts are those of Go's time.ParseDuration and Duration.String. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/duration.h"

#define US NS_PER_US
#define MS NS_PER_MS
#define S  NS_PER_S
#define M  (60 * NS_PER_S)
#define H  (3600 * NS_PER_S)

static void reads_what_go_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"0", 0},
        {"+0", 0},
        {"-0", 0},
        {"5s", 5 * S},
        {"30s", 30 * S},
        {"1478s", 1478 * S},
        {"-5s", -5 * S},
        {"+5s", 5 * S},
        {"0s", 0},
        {"00s", 0},
        {"5.0s", 5 * S},
        {"5.6s", 5600 * MS},
        {"5.s", 5 * S},
        {".5s", 500 * MS},
        {"-.5s", -500 * MS},
        {"+.5s", 500 * MS},
        {"0.0s", 0},
        {"1.0s", 1 * S},
        {"1.00s", 1 * S},
        {"1.004s", 1004 * MS},
        {"1.0040s", 1004 * MS},
        {"100.00100s", 100 * S + 1 * MS},
        {"10ns", 10},
        {"11us", 11 * US},
        {"12\u00b5s", 12 * US},
        {"12\u03bcs", 12 * US},
        {"13ms", 13 * MS},
        {"14s", 14 * S},
        {"15m", 15 * M},
        {"16h", 16 * H},
        {"3h30m", 3 * H + 30 * M},
        {"1h1m1.5s", 1 * H + 1 * M + 1500 * MS},
        {"10.5s4m", 4 * M + 10500 * MS},
        {"-2m3.4s", -(2 * M + 3400 * MS)},
        {"1h2m3s4ms5us6ns", 1 * H + 2 * M + 3 * S + 4 * MS + 5 * US + 6},
        {"39h9m14.425s", 39 * H + 9 * M + 14425 * MS},
        {"52763797000ns", 52763797000},
        {"1s1s", 2 * S},
        {"0.3ns", 0},
        {"0.9ns1.9ns", 1},
        {"1.0000000009s", 1 * S},
        {"1.9223372036854775807ns", 1},
        {"0.9223372036854775807ns", 0},
        {"0.9223372036854775807s", 922337203},
        {"1.99999999999999999999999999999999ns", 2},
        {"0.3333333333333333333h", 20 * M},
        {"9007199254740993ns", (INT64_C(1) << 53) + 1},
        {"9007199254740.993ms", ((INT64_C(1) << 53) + 1) * US},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036854775.807us", INT64_MAX},
        {"9223372036s854ms775us807ns", INT64_MAX},
        {"2562047h47m16.854775807s", INT64_MAX},
        {"-9223372036854775808ns", INT64_MIN},
        {"-9223372036854775.808us", INT64_MIN},
        {"-9223372036s854ms775us808ns", INT64_MIN},
        {"-2562047h47m16.854775808s", INT64_MIN},
        {"0.100000000000000000000h", 6 * M},
        {"0.830103483285477580700h", 49 * M + 48 * S + 372539827},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = {0};
        int64_t ns = -42;
        if (duration_parse(rows[i].text, &ns, &err) < 0)
            fail_msg("%s: %s", rows[i].text, err.what);
        if (ns != rows[i].ns)
            fail_msg("%s: %lld", rows[i].text, (long long)ns);
    }
}

static void refuses_what_go_refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "3",
        "-",
        "+",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "-s",
        "00",
        "0.0",
        "--5s",
        "+-5s",
        "1d",
        "1w",
        "1e3s",
        "1E3s",
        "0x10s",
        "1,5s",
        "1_000s",
        " 1s",
        "1s ",
        "1 s",
        "1s\n",
        "1h 1m",
        "1h-1m",
        "1S",
        "1Ms",
        "1sec",
        "1min",
        "1.2.3s",
        "1..5s",
        "1s5",
        "infs",
        "NaN",
        "\x85\x85",
        "\xff"
        "ff",
        "hello \xff"
        "ff world",
        "\xef\xbf\xbd",
        "\xef\xbf\xbdhello \xef\xbf\xbd world",
        "1\xb5s",
        "1\u00b5",
        "9223372036854775808ns",
        "9223372036854775810ns",
        "-9223372036854775809ns",
        "92233720368547758070ns",
        "9223372036854775.808us",
        "9223372036854ms775us808ns",
        "9223372036s854ms775us808ns",
        "-9223372036854775808ns1ns",
        "-9223372036854775808ns9223372036854775808ns",
        "3000000h",
        "99999999999999999999999999s",
        "18446744073709551616s",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = {0};
        int64_t ns;
        if (duration_parse(rows[i], &ns, &err) != ERROR_INPUT)
            fail_msg("\"%s\" was read as %lld", rows[i], (long long)ns);
        assert_int_equal(err.code, ERROR_INPUT);
        assert_true(err.what[0] && err.cure[0]);
        assert_int_equal(duration_parse(rows[i], &ns, NULL), ERROR_INPUT);
    }
}

static void says_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what, *cure;
    } rows[] = {
        {"", "\"\" is no duration: a number is missing",
         "write for example \"10s\", \"250ms\" or \"1m30s\""},
        {"3", "\"3\" is no duration: missing unit", "write \"3s\" for seconds, or \"3ms\""},
        {"1.5.5s", "\"1.5.5s\" is no duration: missing unit",
         "write a unit before \".5s\" too, as in \"1m30s\""},
        {"s", "\"s\" is no duration: a number is missing before \"s\"",
         "write for example \"10s\", \"250ms\" or \"1m30s\""},
        {"1d2h", "\"1d2h\" is no duration: unknown unit \"d\"",
         "units are ns, us, ms, s, m and h, without blanks"},
        {"10 s", "\"10 s\" is no duration: unknown unit \" s\"", "write \"10s\""},
        {"1.5 Sec", "\"1.5 Sec\" is no duration: unknown unit \" Sec\"", "write \"1.5s\""},
        {"2minutes", "\"2minutes\" is no duration: unknown unit \"minutes\"", "write \"2m\""},
        {"20msec", "\"20msec\" is no duration: unknown unit \"msec\"", "write \"20ms\""},
        {"1m 30s", "\"1m 30s\" is no duration: unknown unit \"m \"",
         "units are ns, us, ms, s, m and h, without blanks"},
        {"3000000h", "\"3000000h\" is too long for a duration",
         "the longest is 2562047h47m16.854775807s"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = {0};
        int64_t ns;
        duration_parse(rows[i].text, &ns, &err);
        assert_string_equal(err.what, rows[i].what);
        assert_string_equal(err.cure, rows[i].cure);
    }
}

static void quotes_no_endless_text(void **state)
{
    (void)state;
    char text[5000];
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct error err = {0};
    int64_t ns;
    assert_int_equal(duration_parse(text, &ns, &err), ERROR_INPUT);
    assert_non_null(strstr(err.what, "...\" is too long"));
    memset(text + 1, 'x', sizeof text - 2);
    assert_int_equal(duration_parse(text, &ns, &err), ERROR_INPUT);
    assert_int_equal(err.code, ERROR_INPUT);
}

static void prints_as_go_prints(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {1100, "1.1\u00b5s"},
        {2200 * US, "2.2ms"},
        {250 * MS, "250ms"},
        {999999999, "999.999999ms"},
        {S, "1s"},
        {1500 * MS, "1.5s"},
        {3300 * MS, "3.3s"},
        {90 * S, "1m30s"},
        {1 * M, "1m0s"},
        {4 * M + 5 * S, "4m5s"},
        {4 * M + 5001 * MS, "4m5.001s"},
        {1 * H, "1h0m0s"},
        {5 * H + 6 * M + 7001 * MS, "5h6m7.001s"},
        {8 * M + 1, "8m0.000000001s"},
        {-90 * S, "-1m30s"},
        {-1, "-1ns"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[DURATION_TEXT_MAX];
        assert_ptr_equal(duration_format(rows[i].ns, text), text);
        assert_string_equal(text, rows[i].text);
        int64_t again;
        assert_int_equal(duration_parse(text, &again, NULL), 0);
        assert_int_equal(again, rows[i].ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_go_reads),      cmocka_unit_test(refuses_what_go_refuses),
        cmocka_unit_test(says_what_would_be_right), cmocka_unit_test(quotes_no_endless_text),
        cmocka_unit_test(prints_as_go_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
