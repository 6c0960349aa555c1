/* See json_object.h.  One function a type of value, one loop over an object's members. */
#include "format/json_object.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/scenario.h"
#include "util/duration.h"
#include "util/text.h"
#include "util/units.h"

#define KEYS_MAX        32 /* keys of a table */
#define KEY_LENGTH_MAX  32 /* of a key's folded name, with the NUL */
#define NUMBER_TEXT_CAP 64 /* bytes of a duration or rate that is looked at at all */
#define SHOWN_CUT       48 /* bytes of a value that a message shows */

void json_report(struct json_reader *reader, const struct error *err)
{
    if (scenario_report(reader->errors, err) < 0)
        reader->no_memory = true;
}

/* Values in messages */

struct shown {
    char *text;
    size_t size;
    bool cut;
};

static int show_piece(const char *piece, size_t size, void *arg)
{
    struct shown *shown = arg;
    size_t room = SHOWN_CUT - shown->size;

    shown->cut = size > room;
    if (shown->cut)
        size = room;
    memcpy(shown->text + shown->size, piece, size);
    shown->size += size;
    return shown->cut ? -1 : 0; /* -1 ends the dump: the rest may be megabytes */
}

const char *json_show(const json_t *value, char out[JSON_SHOWN_MAX])
{
    struct shown shown = {.text = out};

    json_dump_callback(value, show_piece, &shown,
                       JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    snprintf(out + shown.size, JSON_SHOWN_MAX - shown.size, "%s", shown.cut ? "..." : "");
    return out;
}

const char *json_show_text(const char *text, char out[JSON_SHOWN_MAX])
{
    json_t *value = json_string(text);

    snprintf(out, JSON_SHOWN_MAX, "?");
    if (value)
        json_show(value, out);
    json_decref(value);
    return out;
}

/* Names of keys */

/* The next letter that counts, in lower case, going behind it; '\0' at the end. */
static char next_letter(const char **at)
{
    while (**at == '_')
        (*at)++;
    char letter = **at;
    if (letter)
        (*at)++;
    if (letter >= 'A' && letter <= 'Z')
        letter = (char)(letter - 'A' + 'a');
    return letter;
}

static bool same_key(const char *a, const char *b)
{
    for (;;) {
        char letter = next_letter(&a);
        if (letter != next_letter(&b))
            return false;
        if (!letter)
            return true;
    }
}

static const struct json_key *find_key(const struct json_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (same_key(name, table->keys[i].name))
            return &table->keys[i];
    }
    return NULL;
}

json_t *json_member(const json_t *object, const char *key)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        if (!json_is_null(value) && same_key(name, key))
            return value;
    }
    return NULL;
}

/* The letters of name that count; false if it is too long to be a key's. */
static bool fold(const char *name, char out[KEY_LENGTH_MAX])
{
    for (size_t i = 0; i < KEY_LENGTH_MAX; i++) {
        out[i] = next_letter(&name);
        if (!out[i])
            return true;
    }
    return false;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be put in, taken out, changed, or swapped with the next one to make one
 * word the other (optimal string alignment). */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][KEY_LENGTH_MAX];
    size_t length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= strlen(a); i++) {
        size_t *row = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3], *last_but_one = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            row[j] = least(last[j] + 1, row[j - 1] + 1);
            row[j] = least(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], last_but_one[j - 2] + 1);
        }
    }
    return rows[strlen(a) % 3][length];
}

/* Whether word is one of those of words. */
static bool has_word(const char *words, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = words; at && length > 0; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The key that was probably meant: other programs call it so, or at most two letters, and half of
 * the name, are wrong. */
static const struct json_key *nearest_key(const struct json_table *table, const char *name)
{
    const struct json_key *nearest = NULL;
    char wanted[KEY_LENGTH_MAX] = "", known[KEY_LENGTH_MAX] = "";
    size_t best = 3;

    if (!fold(name, wanted))
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        if (has_word(table->keys[i].alike, wanted))
            return &table->keys[i];
        if (!fold(table->keys[i].name, known))
            continue;
        size_t wrong = distance(wanted, known);
        if (wrong < best && wrong * 2 <= strlen(known)) {
            best = wrong;
            nearest = &table->keys[i];
        }
    }
    return nearest;
}

/* NULL: there is none. */
static const char *find_hint(const struct json_table *table, const char *name)
{
    char wanted[KEY_LENGTH_MAX];

    if (!fold(name, wanted))
        return NULL;
    for (const struct json_hints *hints = table->hints; hints; hints = hints->more)
        for (const struct json_hint *hint = hints->list; hint->words; hint++)
            if (has_word(hint->words, wanted))
                return hint->cure;
    return NULL;
}

static void report_unknown(struct json_reader *reader, const struct json_table *table,
                           const struct json_key *near, const char *where, const char *name)
{
    char shown[JSON_SHOWN_MAX], known[192] = "";
    const char *hint = find_hint(table, name);
    struct error err = {0};
    size_t used = 0;

    error_set(&err, ERROR_INPUT, where, "unknown key %s", json_show_text(name, shown));
    if (hint) {
        error_cure(&err, "%s", hint);
    } else if (near) {
        error_cure(&err, "did you mean \"%s\"?", near->name);
    } else {
        for (size_t i = 0; i < table->count && used < sizeof known; i++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                     table->keys[i].name);
        error_cure(&err, "the keys here are %s", known);
    }
    json_report(reader, &err);
}

/* Values.  Each reader returns 0; ERROR_INPUT with what is wrong, where read_value() adds the place
 * and, if there is none, the cure; or ERROR_SYSTEM: memory ran out. */

static const char *type_name(enum json_key_type type)
{
    switch (type) {
    case KEY_INTEGER:
        return "a whole number";
    case KEY_BOOLEAN:
        return "true or false";
    case KEY_OBJECT:
    case KEY_MAP:
        return "an object in braces";
    case KEY_LIST:
        return "a list in brackets";
    case KEY_TEXT:
    case KEY_DURATION:
    case KEY_RATE:
    case KEY_CHOICE:
    case KEY_ANY:
        break;
    }
    return "a text in quotes";
}

/* 1000.0 is a whole number, too, as in JSON Schema.  Behind 2^53 a number may stand for others. */
static bool is_whole(const json_t *value)
{
    const double number = json_real_value(value);

    return json_is_integer(value) || (json_is_real(value) && number == trunc(number) &&
                                      fabs(number) < (double)(INT64_C(1) << 53));
}

static bool has_type(const json_t *value, enum json_key_type type)
{
    switch (type) {
    case KEY_INTEGER:
        return is_whole(value);
    case KEY_BOOLEAN:
        return json_is_boolean(value);
    case KEY_OBJECT:
    case KEY_MAP:
        return json_is_object(value);
    case KEY_LIST:
        return json_is_array(value);
    case KEY_ANY:
        return true;
    case KEY_TEXT:
    case KEY_DURATION:
    case KEY_RATE:
    case KEY_CHOICE:
        break;
    }
    return json_is_string(value);
}

bool json_has_control(const char *text)
{
    uint32_t code = 0;
    size_t left = strlen(text);

    for (size_t length; left; text += length, left -= length) {
        length = text_character(text, left, &code);
        if (length && text_is_control(code))
            return true;
        length += !length;
    }
    return false;
}

static int check_text(const json_t *value, int64_t min, int64_t max, struct error *err)
{
    char shown[JSON_SHOWN_MAX];
    int64_t size = (int64_t)json_string_length(value);

    if (json_has_control(json_string_value(value)))
        return error_set(err, ERROR_INPUT, NULL, "%s has control characters",
                         json_show(value, shown));
    if (size < min && size == 0)
        return error_set(err, ERROR_INPUT, NULL, "the text is empty");
    if (size < min || size > max)
        return error_set(err, ERROR_INPUT, NULL,
                         "%s has %" PRId64 " bytes, not %" PRId64 " to %" PRId64,
                         json_show(value, shown), size, min, max);
    return 0;
}

static int read_text(const struct json_key *key, const json_t *value, char **out, struct error *err)
{
    int failed = check_text(value, key->min, key->max, err);

    if (!failed && key->rule)
        failed = key->rule(json_string_value(value), err);
    if (failed)
        return failed;
    *out = strdup(json_string_value(value));
    return *out ? 0 : ERROR_SYSTEM;
}

static int read_duration(const struct json_key *key, const json_t *value, int64_t *out,
                         struct error *err)
{
    char shown[JSON_SHOWN_MAX], limit[DURATION_TEXT_MAX];
    int64_t ns;
    int failed = check_text(value, 1, NUMBER_TEXT_CAP, err);

    if (!failed)
        failed = duration_parse(json_string_value(value), &ns, err);
    if (failed)
        return failed;
    if (ns < key->min)
        return error_set(err, ERROR_INPUT, NULL, "%s is less than %s", json_show(value, shown),
                         duration_format(key->min, limit));
    if (ns > key->max)
        return error_set(err, ERROR_INPUT, NULL, "%s is more than %s", json_show(value, shown),
                         duration_format(key->max, limit));
    *out = ns;
    return 0;
}

static int read_rate(const struct json_key *key, const json_t *value, uint64_t *out,
                     struct error *err)
{
    char shown[JSON_SHOWN_MAX], limit[UNITS_TEXT_MAX];
    uint64_t rate;
    int failed = check_text(value, 1, NUMBER_TEXT_CAP, err);

    if (!failed)
        failed = units_parse_rate(json_string_value(value), &rate, err);
    if (failed)
        return failed;
    if (rate < (uint64_t)key->min && !(key->or_zero && rate == 0))
        return error_set(err, ERROR_INPUT, NULL, "%s is less than %s", json_show(value, shown),
                         units_exact_rate((uint64_t)key->min, limit));
    if (rate > (uint64_t)key->max)
        return error_set(err, ERROR_INPUT, NULL, "%s is more than %s", json_show(value, shown),
                         units_exact_rate((uint64_t)key->max, limit));
    *out = rate;
    return 0;
}

static int read_integer(const struct json_key *key, const json_t *value, uint32_t *out,
                        struct error *err)
{
    json_int_t number = (json_int_t)json_number_value(value);

    if ((number < key->min || number > key->max) && !(key->or_zero && number == 0))
        return error_set(err, ERROR_INPUT, NULL,
                         "%" JSON_INTEGER_FORMAT " is not between %" PRId64 " and %" PRId64, number,
                         key->min, key->max);
    *out = (uint32_t)number;
    return 0;
}

static int read_choice(const struct json_key *key, const json_t *value, void *out,
                       struct error *err)
{
    char shown[JSON_SHOWN_MAX];

    for (int i = 0; key->choices[i]; i++) {
        if (strcmp(json_string_value(value), key->choices[i]) == 0) {
            memcpy(out, &i, sizeof i); /* an enum of small values has an int's size and form */
            return 0;
        }
    }
    return error_set(err, ERROR_INPUT, NULL, "%s is not one of the choices",
                     json_show(value, shown));
}

/* As deep as the tables are, whatever the file says. */
/* NOLINTBEGIN(misc-no-recursion) */
static int read_typed(struct json_reader *reader, const struct json_key *key, const char *where,
                      json_t *value, void *target, struct error *err)
{
    void *place = (char *)target + key->place;
    char shown[JSON_SHOWN_MAX];

    if (!has_type(value, key->type))
        return error_set(err, ERROR_INPUT, NULL, "it must be %s, but is %s", type_name(key->type),
                         json_show(value, shown));
    switch (key->type) {
    case KEY_TEXT:
        return read_text(key, value, place, err);
    case KEY_DURATION:
        return read_duration(key, value, place, err);
    case KEY_INTEGER:
        return read_integer(key, value, place, err);
    case KEY_RATE:
        return read_rate(key, value, place, err);
    case KEY_CHOICE:
        return read_choice(key, value, place, err);
    case KEY_BOOLEAN:
        *(bool *)place = json_is_true(value);
        return 0;
    case KEY_OBJECT:
        json_read_object(reader, key->members, where, value, NULL, place);
        return 0;
    case KEY_MAP:
    case KEY_LIST:
        key->read(reader, key, value, target);
        return 0;
    case KEY_ANY:
        break;
    }
    return 0;
}

bool json_expect_object(struct json_reader *reader, const char *where, const json_t *value)
{
    char shown[JSON_SHOWN_MAX];
    struct error err = {0};

    if (json_is_object(value))
        return true;
    error_set(&err, ERROR_INPUT, where, "it must be %s, but is %s", type_name(KEY_OBJECT),
              json_show(value, shown));
    json_report(reader, &err);
    return false;
}

/* The path of a key in the object at where. */
static const char *path_of(const char *where, const char *key, char out[JSON_PLACE_MAX])
{
    snprintf(out, JSON_PLACE_MAX, "%s%s%s", where, where[0] ? "." : "", key);
    return out;
}

/* quiet: what may be wrong with the value is reported already. */
static void read_value(struct json_reader *reader, const struct json_key *key, const char *where,
                       json_t *value, bool quiet, void *target)
{
    char path[JSON_PLACE_MAX];
    struct error err = {0};
    int failed = read_typed(reader, key, path_of(where, key->name, path), value, target, &err);

    if (failed == ERROR_SYSTEM) {
        reader->no_memory = true;
    } else if (failed && !quiet) {
        if (!err.cure[0])
            error_cure(&err, "write %s", key->right);
        error_where(&err, "%s", path);
        json_report(reader, &err);
    } else if (!failed && key->has) {
        *((bool *)target + key->has) = true;
    }
}

static void put_fallback(const struct json_key *key, void *target)
{
    void *place = (char *)target + key->place;
    const int number = (int)key->fallback;

    if (key->type == KEY_DURATION)
        *(int64_t *)place = key->fallback;
    else if (key->type == KEY_RATE)
        *(uint64_t *)place = (uint64_t)key->fallback;
    else if (key->type == KEY_INTEGER || key->type == KEY_CHOICE)
        memcpy(place, &number, sizeof number);
    else if (key->type == KEY_BOOLEAN)
        *(bool *)place = key->fallback != 0;
}

static void report_twice(struct json_reader *reader, const struct json_key *key, const char *where,
                         const char *name)
{
    char shown[JSON_SHOWN_MAX], path[JSON_PLACE_MAX];
    struct error err = {0};

    error_set(&err, ERROR_INPUT, path_of(where, key->name, path), "it is given twice, here as %s",
              json_show_text(name, shown));
    error_cure(&err, "keep one: neither case nor '_' make a difference");
    json_report(reader, &err);
}

static void report_missing(struct json_reader *reader, const struct json_key *key,
                           const char *where)
{
    char path[JSON_PLACE_MAX];
    struct error err = {0};

    error_set(&err, ERROR_INPUT, path_of(where, key->name, path), "it is missing");
    error_cure(&err, "add %s", key->right);
    json_report(reader, &err);
}

/* What an object says of each key of a table. */
struct members {
    json_t *values[KEYS_MAX]; /* NULL: nothing, or null */
    bool misspelt[KEYS_MAX];  /* so not missing as well */
};

static void match_members(struct json_reader *reader, const struct json_table *table,
                          const char *where, const json_t *object, struct members *out)
{
    bool seen[KEYS_MAX] = {false};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        const struct json_key *key = find_key(table, name);
        if (!key) {
            const struct json_key *near = nearest_key(table, name);
            report_unknown(reader, table, near, where[0] ? where : reader->name, name);
            if (near)
                out->misspelt[near - table->keys] = true;
            continue;
        }
        size_t i = (size_t)(key - table->keys);
        if (seen[i])
            report_twice(reader, key, where, name);
        else if (!json_is_null(value))
            out->values[i] = value;
        seen[i] = true;
    }
}

void json_read_object(struct json_reader *reader, const struct json_table *table, const char *where,
                      const json_t *object, const json_t *defaults, void *target)
{
    struct members members = {0};

    match_members(reader, table, where, object, &members);
    for (size_t i = 0; i < table->count; i++) {
        const struct json_key *key = &table->keys[i];
        json_t *own = members.values[i];
        json_t *value = own ? own : json_member(defaults, key->name);
        if (value)
            read_value(reader, key, where, value, !own, target);
        else if (key->required && !table->partial && !members.misspelt[i])
            report_missing(reader, key, where);
        else
            put_fallback(key, target);
    }
}
/* NOLINTEND(misc-no-recursion) */
