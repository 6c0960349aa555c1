#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "util/clock.h"
#include "util/random.h"

static void clock_never_runs_backwards(void **state)
{
    (void)state;
    int64_t last = clock_now();
    assert_true(last > 0);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_now();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_now_unix() > INT64_C(1600000000) * NS_PER_S);
}

static void ids_are_hexadecimal_and_differ(void **state)
{
    (void)state;
    char a[RANDOM_ID_MAX], b[RANDOM_ID_MAX];
    assert_ptr_equal(random_id(a), a);
    random_id(b);
    assert_int_equal(strlen(a), 32);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_string_not_equal(a, b);
}

static void fills_all_bytes(void **state)
{
    (void)state;
    uint8_t bytes[1000], any[1000] = {0};
    for (int round = 0; round < 20; round++) {
        random_bytes(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            any[i] |= bytes[i];
    }
    for (size_t i = 0; i < sizeof any; i++)
        assert_int_not_equal(any[i], 0);
    random_bytes(bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_never_runs_backwards),
        cmocka_unit_test(ids_are_hexadecimal_and_differ),
        cmocka_unit_test(fills_all_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
