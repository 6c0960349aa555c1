#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/hmac.h"

/* RFC 4231, test case 2. */
static void test_known_answer(void **state)
{
    (void)state;
    static const char text[] = "what do ya want for nothing?";
    static const uint8_t expected[HMAC_SIZE] = {
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
    };
    uint8_t out[HMAC_SIZE];
    struct hmac *hmac = hmac_new("Jefe", 4);
    assert_non_null(hmac);
    for (int round = 0; round < 3; round++) {
        memset(out, 0, sizeof out);
        assert_true(hmac_sign(hmac, text, strlen(text), out));
        assert_memory_equal(out, expected, HMAC_SIZE);
    }
    assert_true(hmac_sign(hmac, text, strlen(text) - 1, out));
    assert_false(hmac_equal(out, expected, HMAC_SIZE));
    hmac_free(hmac);
    hmac_free(NULL);
}

static void test_equal(void **state)
{
    (void)state;
    const uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5};
    assert_true(hmac_equal(a, a, 4));
    assert_true(hmac_equal(a, b, 3));
    assert_false(hmac_equal(a, b, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
