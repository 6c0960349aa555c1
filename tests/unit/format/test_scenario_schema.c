#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/scenario_keys.h"
#include "format/scenario_schema.h"

static json_t *schema(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(scenario_schema_json(out, NULL), 0);
    fclose(out);
    assert_int_equal(text[size - 1], '\n');
    json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    free(text);
    return value;
}

/* Each key of the tables has a row in the manual. */
static void find_rows(const struct json_table *table, const char *manual)
{
    char row[64];

    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        snprintf(row, sizeof row, "\n| `%s` | ", key->name);
        assert_non_null(strstr(manual, row));
        if (key->members)
            find_rows(key->members, manual);
    }
}

/* The table's keys are the schema's, with help, and no others. */
static void compare(const struct json_table *table, const json_t *object)
{
    const json_t *properties = json_object_get(object, "properties");

    assert_int_equal(json_object_size(properties), table->count);
    assert_true(json_is_false(json_object_get(object, "additionalProperties")));
    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        const json_t *value = json_object_get(properties, key->name);
        assert_true(json_string_length(json_object_get(value, "description")) > 0);
        assert_true(key->type == KEY_ANY || json_object_get(value, "type"));
        if (key->type == KEY_OBJECT)
            compare(key->members, value);
        if (key->type == KEY_MAP)
            compare(key->members, json_object_get(value, "additionalProperties"));
        if (key->type == KEY_LIST)
            compare(key->members, json_object_get(value, "items"));
    }
}

static void schema_has_every_key(void **state)
{
    json_t *value = schema();

    (void)state;
    compare(&scenario_keys, value);
    json_decref(value);
}

/* That messages, schema and manual have what they need of each declaration. */
static void check_declarations(const struct json_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        assert_non_null(key->help);
        assert_null(strpbrk(key->help, "|\n"));
        assert_true(key->type == KEY_ANY || key->right);
        assert_true(!key->rule || key->pattern);
        assert_true(key->type != KEY_CHOICE || key->choices);
        assert_true((key->type == KEY_MAP || key->type == KEY_LIST) == (key->read != NULL));
        assert_true(key->min <= key->max);
        if (key->members)
            check_declarations(key->members);
    }
}

static void declarations_are_whole(void **state)
{
    (void)state;
    check_declarations(&scenario_keys);
}

static void manual_has_every_key(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    scenario_schema_markdown(out);
    fclose(out);
    find_rows(&scenario_keys, text);
    assert_non_null(
        strstr(text, "| `interval` | duration | \"1ms\" to \"8784h\" | each agent's own |"));
    assert_non_null(
        strstr(text, "| `max_duration` | duration | \"1ns\" to \"8784h\" | `\"24h\"` |"));
    assert_non_null(strstr(text, "| `read_size` | whole number | 1 to 16777216 bytes | "));
    assert_non_null(strstr(text, "| `ecn` | `true` or `false` |  | `false` |"));
    assert_non_null(strstr(text, "| \"ahead\" or \"at_start\" | `\"ahead\"` |"));
    free(text);
}

static void a_full_disk_is_noticed(void **state)
{
    FILE *out = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(out);
    assert_int_equal(scenario_schema_json(out, NULL), ERROR_SYSTEM);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declarations_are_whole),
        cmocka_unit_test(schema_has_every_key),
        cmocka_unit_test(manual_has_every_key),
        cmocka_unit_test(a_full_disk_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
