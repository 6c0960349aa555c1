#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

/* What print() shows on a terminal of so many columns. */
static char *shown(int columns, void (*print)(FILE *out))
{
    const struct winsize window = {.ws_row = 24, .ws_col = (unsigned short)columns};
    int master, terminal;
    char *got = calloc(1, 4096);
    assert_int_equal(openpty(&master, &terminal, NULL, NULL, &window), 0);
    FILE *out = fdopen(terminal, "w");
    print(out);
    fclose(out);
    /* It comes in pieces, and behind the last one is an error. */
    ssize_t size;
    for (size_t used = 0; (size = read(master, got + used, 4095 - used)) > 0;)
        used += (size_t)size;
    assert_int_not_equal(got[0], '\0');
    close(master);
    return got;
}

static int widest(const char *text)
{
    int wide = 0;
    for (size_t size; *text; text += size + strspn(text + size, "\r\n")) {
        size = strcspn(text, "\r\n");
        wide = (int)size > wide ? (int)size : wide;
    }
    return wide;
}

static void print_sentence(FILE *out)
{
    paragraph_print(out, "%s",
                    "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h "
                    "i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n");
}

static void test_the_terminals_width_rules(void **state)
{
    static const int columns[] = {40, 80, 120};
    (void)state;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char *got = shown(columns[i], print_sentence);
        assert_in_range(widest(got), columns[i] - 2, columns[i]);
        free(got);
    }
    char *got = shown(1, print_sentence); /* no terminal is so narrow */
    assert_in_range(widest(got), 90, 100);
    free(got);
}

static void fill(const void *of, size_t index, struct table_row *row)
{
    static const char *const cells[] = {"a label of many", "figure", "spread", "note",
                                        "first second third fourth fifth sixth"};
    (void)of;
    (void)index;
    memcpy(row->cells, cells, sizeof cells);
}

static void print_table(FILE *out)
{
    const struct table table = {.rows = 1,
                                .columns = 5,
                                .head = {"label", "figure", "spread", "spread", "last"},
                                .fill = fill,
                                .yielding = 1,
                                .rank = {0, 2, 1, 2}};
    table_print(&table, out);
}

static void test_tables_fit(void **state)
{
    (void)state;
    char *got = shown(71, print_table); /* the last cell alone does not */
    assert_string_equal(got,
                        "label            figure  spread  spread  last\r\n"
                        "a label of many  figure  spread  note    first second third fourth\r\n"
                        "                                         fifth sixth\r\n");
    free(got);
    got = shown(64, print_table); /* a label that is cut makes room enough */
    assert_string_equal(got, "label     figure  spread  spread  last\r\n"
                             "a label~  figure  spread  note    first second third fourth\r\n"
                             "                                  fifth sixth\r\n");
    free(got);
    got = shown(58, print_table);
    assert_string_equal(got, "label     figure  spread  last\r\n"
                             "a label~  figure  spread  first second third fourth fifth\r\n"
                             "                          sixth\r\n"
                             "(no room for: spread of spread; see --json)\r\n");
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
        cmocka_unit_test(test_the_terminals_width_rules),
        cmocka_unit_test(test_tables_fit),
        cmocka_unit_test(test_cells_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
