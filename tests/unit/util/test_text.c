/* What others wrote acts on no terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/error.h"
#include "util/text.h"

static const struct {
    const char *text, *shown;
} rows[] = {
    {"", ""},
    {"plain", "plain"},
    {"K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x98\x80", "K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x98\x80"},
    /* C0 and DEL */
    {"a\nb\tc", "a b c"},
    {"\x1b[2J\x07\r\b\x7f", "?[2J????"},
    /* C1: CSI, OSC, NEL; the first and the last, and what is not one any more */
    {"\xc2\x9b"
     "2J",
     "?2J"},
    {"\xc2\x9d"
     "0;title\xc2\x9c",
     "?0;title?"},
    {"a\xc2\x85"
     "b",
     "a?b"},
    {"\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0"},
    /* direction: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069, and their neighbours
     */
    {"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", "???"},
    {"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae\xe2\x80\xaf",
     "?????\xe2\x80\xaf"},
    {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9", "\xe2\x81\xa5????"},
    /* U+2028 and U+2029 end a line */
    {"a\xe2\x80\xa8"
     "b\xe2\x80\xa9",
     "a?b?"},
    /* no UTF-8: a lone byte, the C1 of Latin-1, too long, a surrogate, beyond the last */
    {"a\xff"
     "b",
     "a?b"},
    {"\x9b"
     "2J",
     "?2J"},
    {"\xc0\x9b\xc1\xbf.", "????."},
    {"\xe0\x82\x9b.", "???."},
    {"\xed\xa0\x80.", "???."},
    {"\xf4\x90\x80\x80.", "????."},
    {"\xf5\x80\x80\x80.", "????."},
    {"\xc3(", "?("},
    {"\xe2\x82(", "?\?("},
    /* cut at the end */
    {"a\xc3", "a"},
    {"a\xf0\x9f\x98", "a"},
    {"\xf0", ""},
};

static void test_each_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64], *printed = NULL;
        size_t size;
        snprintf(text, sizeof text, "%s", rows[i].text);
        text_tame(text);
        assert_string_equal(text, rows[i].shown);
        FILE *out = open_memstream(&printed, &size);
        text_print(out, rows[i].text, strlen(rows[i].text));
        fclose(out);
        assert_string_equal(printed, rows[i].shown);
        free(printed);
    }
}

static void test_each_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error err = {0};
        error_set(&err, ERROR_AGENT, rows[i].text, "%s", rows[i].text);
        error_cure(&err, "%s", rows[i].text);
        assert_string_equal(err.where, rows[i].shown);
        assert_string_equal(err.what, rows[i].shown);
        assert_string_equal(err.cure, rows[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_text),
        cmocka_unit_test(test_each_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
