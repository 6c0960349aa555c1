/* Prints the scenario's keys as a JSON Schema and as tables of the manual: nothing is said of a key
 * here that its declaration does not say. */
#include "format/scenario_schema.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "format/json_print.h"
#include "format/scenario_keys.h"
#include "model/scenario.h"
#include "util/cleanup.h"
#include "util/duration.h"
#include "util/units.h"

/* Values in words */

#define WORDS_MAX 160

/* A duration without the zeros that Go prints: "24h" of "24h0m0s". */
static const char *short_duration(int64_t ns, char out[DURATION_TEXT_MAX])
{
    duration_format(ns, out);
    size_t size = strlen(out);
    if (size > 3 && strcmp(out + size - 3, "m0s") == 0)
        out[size -= 2] = '\0';
    if (size > 3 && strcmp(out + size - 3, "h0m") == 0)
        out[size - 2] = '\0';
    return out;
}

static const char *range_words(const struct json_key *key, char out[WORDS_MAX])
{
    char min[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

    out[0] = '\0';
    if (key->range)
        return key->range;
    if (key->type == KEY_RATE)
        snprintf(out, WORDS_MAX, "\"%s\" to \"%s\"%s", units_exact_rate((uint64_t)key->min, min),
                 units_exact_rate((uint64_t)key->max, max), key->or_zero ? ", or \"0\"" : "");
    else if (key->type == KEY_DURATION)
        snprintf(out, WORDS_MAX, "\"%s\" to \"%s\"", short_duration(key->min, min),
                 short_duration(key->max, max));
    else if (key->type == KEY_TEXT && key->min == 0)
        snprintf(out, WORDS_MAX, "up to %" PRId64 " bytes", key->max);
    else if (key->type == KEY_TEXT || key->unit)
        snprintf(out, WORDS_MAX, "%" PRId64 " to %" PRId64 " %s%s", key->min, key->max,
                 key->unit ? key->unit : "bytes", key->or_zero ? ", or 0" : "");
    else if (key->type == KEY_INTEGER)
        snprintf(out, WORDS_MAX, "%" PRId64 " to %" PRId64, key->min, key->max);
    else if (key->type == KEY_CHOICE)
        for (size_t i = 0, used = 0; key->choices[i] && used < WORDS_MAX; i++)
            used += (size_t)snprintf(out + used, WORDS_MAX - used, "%s\"%s\"", i ? " or " : "",
                                     key->choices[i]);
    return out;
}

static json_t *fallback_value(const struct json_key *key)
{
    char text[DURATION_TEXT_MAX];

    if (key->type == KEY_DURATION)
        return json_string(short_duration(key->fallback, text));
    if (key->type == KEY_CHOICE)
        return json_string(key->choices[key->fallback]);
    if (key->type == KEY_BOOLEAN)
        return json_boolean(key->fallback);
    return json_integer(key->fallback);
}

static bool has_fallback(const struct json_key *key)
{
    switch (key->type) {
    case KEY_DURATION:
    case KEY_INTEGER:
    case KEY_BOOLEAN:
    case KEY_CHOICE:
        return !key->required && !key->otherwise;
    case KEY_RATE:
    case KEY_TEXT:
    case KEY_OBJECT:
    case KEY_MAP:
    case KEY_LIST:
    case KEY_ANY:
        break;
    }
    return false;
}

/* The schema.  Memory that runs out leaves a NULL somewhere, and put() tells. */

/* util/duration.h's grammar without '-'; with a figure that is not 0 where 0 is too little. */
#define PATTERN_UNSIGNED \
    "\\+?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$"
#define PATTERN_DURATION "^" PATTERN_UNSIGNED
#define PATTERN_POSITIVE "^(?=.*[1-9])" PATTERN_UNSIGNED
#define PATTERN_RATE     "^(0|[0-9]+(\\.[0-9]+)? ?[kMGT]?bit/s)$" /* util/units.h */
#define PATTERN_TEXT     "^[^" PATTERN_CONTROLS "]*$"

static json_t *object_schema(const struct json_table *table);

static int put(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value);
}

/* value, or NULL and value freed if something failed. */
static json_t *unless(int failed, json_t *value)
{
    if (!failed)
        return value;
    json_decref(value);
    return NULL;
}

static const struct json_key *find_key(const struct json_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    }
    return NULL;
}

/* Whether "defaults" may say it too, so that an object need not. */
static bool has_default(const struct json_key *key)
{
    const struct json_table *kinds = find_key(&scenario_keys, "defaults")->members;

    for (size_t i = 0; i < kinds->count; i++) {
        const struct json_table *table = kinds->keys[i].members;
        if (table && key >= table->keys && key < table->keys + table->count)
            return true;
    }
    return false;
}

static bool must_stand(const struct json_key *key)
{
    return key->required && !has_default(key);
}

static const char *type_of(const struct json_key *key)
{
    switch (key->type) {
    case KEY_INTEGER:
        return "integer";
    case KEY_BOOLEAN:
        return "boolean";
    case KEY_OBJECT:
    case KEY_MAP:
        return "object";
    case KEY_LIST:
        return "array";
    case KEY_TEXT:
    case KEY_DURATION:
    case KEY_RATE:
    case KEY_CHOICE:
    case KEY_ANY:
        break;
    }
    return "string";
}

static json_t *type_schema(const struct json_key *key)
{
    if (must_stand(key))
        return json_string(type_of(key));
    return json_pack("[s, s]", type_of(key), "null");
}

static json_t *choices_schema(const struct json_key *key)
{
    json_t *words = json_array();
    int failed = 0;

    for (size_t i = 0; key->choices[i]; i++)
        failed |= json_array_append_new(words, json_string(key->choices[i]));
    failed |= json_array_append_new(words, json_null());
    return unless(failed, words);
}

/* Help, and those words on range and default that a schema has no key for. */
static json_t *description(const struct json_key *key)
{
    char words[WORDS_MAX];
    bool has_range = key->range || key->type == KEY_DURATION || key->type == KEY_RATE;

    return json_sprintf("%s%s%s%s%s", key->help, has_range ? "; range: " : "",
                        has_range ? range_words(key, words) : "",
                        key->otherwise ? "; default: " : "", key->otherwise ? key->otherwise : "");
}

static int put_text(json_t *schema, const struct json_key *key)
{
    int failed = 0;

    if (key->min > 0) /* in characters, of which there are no more than bytes */
        failed |= put(schema, "minLength", json_integer(key->min));
    failed |= put(schema, "maxLength", json_integer(key->max));
    return failed | put(schema, "pattern", json_string(key->pattern ? key->pattern : PATTERN_TEXT));
}

static int put_range(json_t *schema, const char *min, const char *max, const struct json_key *key)
{
    return put(schema, min, json_integer(key->or_zero ? 0 : key->min)) |
           put(schema, max, json_integer(key->max));
}

static int put_integer(json_t *schema, const struct json_key *key)
{
    int failed = put_range(schema, "minimum", "maximum", key);

    if (key->or_zero)
        failed |= put(schema, "not",
                      json_pack("{s:s, s:i, s:I}", "type", "integer", "exclusiveMinimum", 0,
                                "exclusiveMaximum", (json_int_t)key->min));
    return failed;
}

/* As deep as the tables are. */
/* NOLINTBEGIN(misc-no-recursion) */
static int put_map(json_t *schema, const struct json_key *key)
{
    json_t *names = json_pack("{s:i, s:i, s:s}", "minLength", 1, "maxLength", SCENARIO_NAME_MAX,
                              "pattern", PATTERN_TEXT);

    return put_range(schema, "minProperties", "maxProperties", key) |
           put(schema, "propertyNames", names) |
           put(schema, "additionalProperties", object_schema(key->members));
}

static int put_form(json_t *schema, const struct json_key *key)
{
    switch (key->type) {
    case KEY_TEXT:
        return put_text(schema, key);
    case KEY_DURATION:
        return put(schema, "pattern",
                   json_string(key->min > 0 ? PATTERN_POSITIVE : PATTERN_DURATION));
    case KEY_INTEGER:
        return put_integer(schema, key);
    case KEY_RATE:
        return put(schema, "pattern", json_string(PATTERN_RATE));
    case KEY_CHOICE:
        return put(schema, "enum", choices_schema(key));
    case KEY_OBJECT:
        return json_object_update_missing_new(schema, object_schema(key->members));
    case KEY_MAP:
        return put_map(schema, key);
    case KEY_LIST:
        return put_range(schema, "minItems", "maxItems", key) |
               put(schema, "items", object_schema(key->members));
    case KEY_BOOLEAN:
    case KEY_ANY:
        break;
    }
    return 0;
}

static json_t *key_schema(const struct json_key *key)
{
    json_t *schema = json_object();
    int failed = put(schema, "description", description(key));

    if (key->type != KEY_ANY)
        failed |= put(schema, "type", type_schema(key));
    failed |= put_form(schema, key);
    if (has_fallback(key))
        failed |= put(schema, "default", fallback_value(key));
    return unless(failed, schema);
}

static json_t *object_schema(const struct json_table *table)
{
    json_t *schema = json_pack("{s:s}", "type", "object");
    json_t *properties = json_object(), *required = json_array();
    int failed = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        failed |= put(properties, key->name, key_schema(key));
        if (must_stand(key))
            failed |= json_array_append_new(required, json_string(key->name));
    }
    failed |= put(schema, "properties", properties);
    if (json_array_size(required) > 0)
        failed |= put(schema, "required", json_incref(required));
    json_decref(required);
    failed |= put(schema, "additionalProperties", json_false());
    return unless(failed, schema);
}
/* NOLINTEND(misc-no-recursion) */

/* An object in which this key is, and is not null, and meets the schema. */
static json_t *object_with(const char *key, json_t *schema)
{
    return json_pack("{s:s, s:[s], s:{s:o}}", "type", "object", "required", key, "properties", key,
                     schema);
}

static json_t *not_null(void)
{
    return json_pack("{s:{s:s}}", "not", "type", "null");
}

/* If defaults do not say what each member of `list` needs, each must. */
static int append_needs(json_t *all, const char *list, const char *each, const char *kind)
{
    const struct json_table *table = find_key(&scenario_keys, list)->members;
    int failed = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        if (!key->required || must_stand(key))
            continue;
        json_t *said =
            object_with("defaults", object_with(kind, object_with(key->name, not_null())));
        json_t *needed = object_with(key->name, not_null());
        failed |= json_array_append_new(all, json_pack("{s:o, s:{s:{s:{s:o}}}}", "if", said, "else",
                                                       "properties", list, each, needed));
    }
    return failed;
}

static json_t *whole_schema(void)
{
    json_t *schema = json_pack(
        "{s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
        "Scenario of tcp-flowgen", "$comment", "Printed by `tcp-flowgen schema`.");
    json_t *all = json_array();
    int failed = json_object_update_missing_new(schema, object_schema(&scenario_keys));

    failed |= append_needs(all, "hosts", "additionalProperties", "host");
    failed |= append_needs(all, "flows", "items", "flow");
    failed |= put(schema, "allOf", all);
    return unless(failed, schema);
}

int scenario_schema_json(FILE *out, struct error *err)
{
    return json_print(whole_schema(), JSON_INDENT(2) | JSON_ENSURE_ASCII, out, err);
}

/* The manual */

static const char *type_words(const struct json_key *key)
{
    switch (key->type) {
    case KEY_DURATION:
        return "duration";
    case KEY_RATE:
        return "rate";
    case KEY_INTEGER:
        return "whole number";
    case KEY_BOOLEAN:
        return "`true` or `false`";
    case KEY_OBJECT:
    case KEY_MAP:
        return "object";
    case KEY_LIST:
        return "list";
    case KEY_ANY:
        return "any value";
    case KEY_TEXT:
    case KEY_CHOICE:
        break;
    }
    return "text";
}

static void print_default(const struct json_key *key, FILE *out)
{
    if (!has_fallback(key)) {
        fputs(key->required ? "required" : key->otherwise ? key->otherwise : "none", out);
        return;
    }
    json_t *value = fallback_value(key);
    fputc('`', out);
    json_dumpf(value, out, JSON_ENCODE_ANY);
    fputc('`', out);
    json_decref(value);
}

static void print_table(const char *title, const struct json_table *table, FILE *out)
{
    char words[WORDS_MAX];

    fprintf(out,
            "\n### %s\n\n"
            "| key | type | range | default | meaning |\n"
            "| --- | --- | --- | --- | --- |\n",
            title);
    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        fprintf(out, "| `%s` | %s | %s | ", key->name, type_words(key), range_words(key, words));
        print_default(key, out);
        fprintf(out, " | %s |\n", key->help);
    }
}

void scenario_schema_markdown(FILE *out)
{
    static const struct {
        const char *title, *key;
    } tables[] = {
        {"The keys of a host", "hosts"},
        {"The keys of a flow", "flows"},
        {"The keys of `defaults`", "defaults"},
    };

    print_table("The keys at the top", &scenario_keys, out);
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        print_table(tables[i].title, find_key(&scenario_keys, tables[i].key)->members, out);
    fputc('\n', out);
}
