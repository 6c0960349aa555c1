/* What is printed as JSON says what it was given, and acts on no terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/json_print.h"

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
    } rows[] = {
        {"K\xc3\xb6ln\n", "[\"K\xc3\xb6ln\\n\"]\n"},
        {"\xc2\x9b"
         "2J",
         "[\"\\u009b2J\"]\n"},
        {"a\x7f\xe2\x80\xae"
         "b\xe2\x81\xa6",
         "[\"a\\u007f\\u202eb\\u2066\"]\n"},
        {"\xc2\xa0\xe2\x80\xaf\xf0\x9f\x98\x80", "[\"\xc2\xa0\xe2\x80\xaf\xf0\x9f\x98\x80\"]\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *printed = NULL;
        size_t size;
        FILE *out = open_memstream(&printed, &size);
        assert_int_equal(json_print(json_pack("[s]", rows[i].text), 0, out, NULL), 0);
        fclose(out);
        assert_string_equal(printed, rows[i].printed);
        json_t *again = json_loads(printed, 0, NULL);
        assert_string_equal(json_string_value(json_array_get(again, 0)), rows[i].text);
        json_decref(again);
        free(printed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
