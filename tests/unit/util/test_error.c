#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "util/error.h"

static void tells_where_what_and_cure(void **state)
{
    (void)state;
    struct error err = {0};
    char text[1024];
    assert_int_equal(error_set(&err, ERROR_INPUT, "flows[3]", "id %d is taken", 7), ERROR_INPUT);
    assert_string_equal(error_text(&err, text, sizeof text), "flows[3]: id 7 is taken");
    assert_int_equal(error_cure(&err, "take %d", 8), ERROR_INPUT);
    assert_string_equal(error_text(&err, text, sizeof text), "flows[3]: id 7 is taken (take 8)");
    error_set(&err, ERROR_SYSTEM, NULL, "out of memory");
    assert_string_equal(error_text(&err, text, sizeof text), "out of memory");
}

static void names_errno(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set_errno(&err, ERROR_SYSTEM, ENOENT, "a.json", "cannot open"),
                     ERROR_SYSTEM);
    assert_string_equal(err.what, "cannot open: No such file or directory");
}

static void may_be_told_its_own_texts(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, ERROR_INPUT, "duration", "is missing");
    error_where(&err, "flows[%d].%s", 3, err.where);
    assert_string_equal(err.where, "flows[3].duration");
    error_set(&err, ERROR_AGENT, err.where, "agent: %s", err.what);
    assert_string_equal(err.where, "flows[3].duration");
    assert_string_equal(err.what, "agent: is missing");
}

static void nobody_need_listen(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_FLOW, "x", "y"), ERROR_FLOW);
    assert_int_equal(error_set_errno(NULL, ERROR_FLOW, EIO, "x", "y"), ERROR_FLOW);
    assert_true(error_cure(NULL, "z") < 0);
    error_where(NULL, "z");
}

static void cuts_what_does_not_fit(void **state)
{
    (void)state;
    struct error err = {0};
    char longer[2 * sizeof err];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    error_set_errno(&err, ERROR_INPUT, EIO, longer, "%s", longer);
    assert_int_equal(strlen(err.where), sizeof err.where - 1);
    assert_int_equal(strlen(err.what), sizeof err.what - 1);

    /* Cut within a character of two bytes: the character goes. */
    memset(longer, 'a', sizeof err.what - 2);
    strcpy(longer + sizeof err.what - 2, "\u00e9 behind");
    error_set(&err, ERROR_INPUT, NULL, "%s", longer);
    assert_int_equal(strlen(err.what), sizeof err.what - 2);
    memset(longer, 'a', sizeof err.what - 3);
    strcpy(longer + sizeof err.what - 3, "\u00e9 behind");
    error_set(&err, ERROR_INPUT, NULL, "%s", longer);
    assert_int_equal(strlen(err.what), sizeof err.what - 1);
}

static void stays_one_line(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, ERROR_INPUT, "a\033[31m", "b\nc\x7f");
    assert_string_equal(err.where, "a?[31m");
    assert_string_equal(err.what, "b c?");
}

static void lists_all_in_order(void **state)
{
    (void)state;
    struct error_list list = {0};
    int grown = 0;
    for (int i = 0; i < 100; i++) {
        struct error err;
        const size_t room = list.room;
        error_set(&err, ERROR_INPUT, NULL, "%d", i);
        error_list_add(&list, &err);
        grown += list.room != room;
    }
    assert_int_equal(list.count, 100);
    assert_in_range(grown, 1, 7); /* not for each: that would copy all of them as often */
    assert_string_equal(list.items[0].what, "0");
    assert_string_equal(list.items[99].what, "99");
    error_list_fini(&list);
    assert_null(list.items);
    assert_int_equal(list.count, 0);
    error_list_fini(&list);
}

static void adds_lines_that_fit(void **state)
{
    (void)state;
    char lines[PROBLEMS_MAX] = "", before[PROBLEMS_MAX];
    struct error err;
    error_set(&err, ERROR_FLOW, NULL, "one");
    error_cure(&err, "do that");
    error_add_line(lines, &err);
    error_set(&err, ERROR_FLOW, "here", "two");
    error_add_line(lines, &err);
    assert_string_equal(lines, "one (do that)\nhere: two");

    char longest[sizeof err.what];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    error_set(&err, ERROR_FLOW, NULL, "%s", longest);
    for (size_t size = 0; size != strlen(lines);) {
        size = strlen(lines);
        memcpy(before, lines, sizeof before);
        error_add_line(lines, &err);
    }
    assert_string_equal(lines, before);
    assert_in_range(strlen(lines), PROBLEMS_MAX - sizeof longest - 1, PROBLEMS_MAX - 1);
}

static void add(struct error_list *list, const char *where, const char *what)
{
    struct error err;
    error_set(&err, ERROR_FLOW, where, "%s", what);
    error_list_add(list, &err);
}

static void merges_what_differs_in_place(void **state)
{
    (void)state;
    struct error_list list = {0};
    add(&list, "agent a", "no such thing"); /* others say it of their places */
    add(&list, "agent b", "no such thing"); /* nobody does */
    for (int i = 0; i < 1000; i++) {
        char where[32];
        snprintf(where, sizeof where, "flows[%d]", i);
        add(&list, where, "agent a: no such thing");
        add(&list, where, "agent a: no such thing"); /* the other end */
        if (i < 2)
            add(&list, where, "too long");
    }
    add(&list, "flows[7]", "once");
    error_list_merge(&list);
    assert_int_equal(list.count, 4);
    char text[sizeof *list.items];
    assert_string_equal(error_text(&list.items[0], text, sizeof text), "agent b: no such thing");
    assert_non_null(strstr(error_text(&list.items[1], text, sizeof text), "flows[0], flows[1], "));
    assert_non_null(strstr(text, " more: agent a: no such thing"));
    size_t named = 0, more = 0;
    for (const char *at = text; (at = strstr(at, "flows[")); at++)
        named++;
    assert_int_equal(sscanf(strstr(text, " and "), " and %zu more", &more), 1);
    assert_int_equal(named + more, 1000);
    assert_string_equal(error_text(&list.items[2], text, sizeof text),
                        "flows[0], flows[1]: too long");
    assert_string_equal(error_text(&list.items[3], text, sizeof text), "flows[7]: once");
    error_list_fini(&list);
    error_list_merge(&list);
}

/* What an agent says and a flow repeats is told of the flow, whether or not the cure stands apart.
 */
static void merges_with_cures(void **state)
{
    (void)state;
    for (int apart = 0; apart < 2; apart++) {
        struct error_list list = {0};
        struct error err = {0};
        error_set(&err, ERROR_AGENT, "agent a", "unknown");
        error_cure(&err, "load it");
        error_list_add(&list, &err);
        error_set(&err, ERROR_AGENT, "flows[0]", "agent a: unknown%s", apart ? "" : " (load it)");
        error_cure(&err, "%s", apart ? "load it" : "");
        error_list_add(&list, &err);
        error_list_merge(&list);
        assert_int_equal(list.count, 1);
        assert_string_equal(list.items[0].where, "flows[0]");
        error_list_fini(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_where_what_and_cure),    cmocka_unit_test(names_errno),
        cmocka_unit_test(may_be_told_its_own_texts),    cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(cuts_what_does_not_fit),       cmocka_unit_test(stays_one_line),
        cmocka_unit_test(lists_all_in_order),           cmocka_unit_test(adds_lines_that_fit),
        cmocka_unit_test(merges_what_differs_in_place), cmocka_unit_test(merges_with_cures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
