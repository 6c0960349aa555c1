#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/paragraph.h"
#include "report/table.h"

static char *printed(const char *text)
{
    char *got = NULL;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    paragraph_print(out, "%s", text);
    fclose(out);
    return got;
}

static void test_short_ones_are_a_line(void **state)
{
    (void)state;
    char *got = printed("one line\x1b[m");
    assert_string_equal(got, "one line?[m\n");
    free(got);
    got = printed("");
    assert_string_equal(got, "\n");
    free(got);
}

static void test_long_ones_are_broken(void **state)
{
    (void)state;
    char words[400] = "", lone[151];
    for (int i = 0; i < 66; i++)
        strcat(words, "w\xc3\xb6rd ");
    char *got = printed(words), *rest = NULL;
    assert_non_null(strstr(got, "\n  w\xc3\xb6rd"));
    for (char *line = strtok_r(got, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        assert_in_range(table_width(line), 5, PARAGRAPH_COLUMNS);
    free(got);
    memset(lone, 'x', sizeof lone - 1);
    lone[sizeof lone - 1] = '\0';
    snprintf(words, sizeof words, "a %s b", lone);
    got = printed(words);
    assert_int_equal(strncmp(got, "a\n  xxx", 7), 0);
    assert_non_null(strstr(got, "x\n  b\n"));
    free(got);
}

static void test_cells_are_cut(void **state)
{
    (void)state;
    char text[] = "b\xc3\xb6\xc3\xb6se", whole[] = "kurz";
    table_cut(text, 3);
    assert_string_equal(text, "b\xc3\xb6~");
    table_cut(whole, 4);
    assert_string_equal(whole, "kurz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_ones_are_a_line),
        cmocka_unit_test(test_long_ones_are_broken),
        cmocka_unit_test(test_cells_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
