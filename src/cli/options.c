#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/suggest.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/duration.h"
#include "util/units.h"

/* ---- values ---- */

static int64_t upper(const struct option_row *row)
{
    return row->max ? row->max : INT64_MAX;
}

static int read_number(const struct option_row *row, const char *text, int64_t *out,
                       struct error *err)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool digits = text[0] >= '0' && text[0] <= '9' && *end == '\0';
    if (!digits || errno || number < row->min || number > upper(row)) {
        error_set(err, ERROR_INPUT, NULL, "'%s' is not a whole number from %" PRId64 " to %" PRId64,
                  text, row->min, upper(row));
        return ERROR_INPUT;
    }
    *out = number;
    return 0;
}

static int read_uint64(const char *text, struct optional_uint64 *out, struct error *err)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno)
        return error_set(err, ERROR_INPUT, NULL, "'%s' is not a whole number from 0 to %" PRIu64,
                         text, UINT64_MAX);
    *out = (struct optional_uint64){.given = true, .value = number};
    return 0;
}

static int read_duration(const struct option_row *row, const char *text, int64_t *out,
                         struct error *err)
{
    int64_t ns = 0;
    int failed = duration_parse(text, &ns, err);
    if (failed)
        return failed;
    char limit[DURATION_TEXT_MAX];
    if (ns < row->min)
        return error_set(err, ERROR_INPUT, NULL, "'%s' is too short: %s or more is possible", text,
                         duration_format(row->min, limit));
    if (ns > upper(row))
        return error_set(err, ERROR_INPUT, NULL, "'%s' is too long: %s or less is possible", text,
                         duration_format(upper(row), limit));
    *out = ns;
    return 0;
}

static int read_bytes(const struct option_row *row, const char *text, uint64_t *out,
                      struct error *err)
{
    uint64_t bytes;
    char least[UNITS_TEXT_MAX];
    int failed = units_parse_bytes(text, &bytes, err);
    if (failed)
        return failed;
    if (bytes < (uint64_t)row->min)
        return error_set(err, ERROR_INPUT, NULL, "'%s' is too small: %s or more is possible", text,
                         units_bytes((uint64_t)row->min, least));
    *out = bytes;
    return 0;
}

static int read_ports(const char *text, struct port_range *out, struct error *err)
{
    struct port_range range;
    int failed = port_range_parse(text, &range.first, &range.last, err);
    if (!failed)
        *out = range;
    return failed;
}

static int read_flag(const char *text, bool *out, struct error *err)
{
    static const char *const words[][2] = {{"1", "0"},        {"t", "f"},        {"T", "F"},
                                           {"true", "false"}, {"TRUE", "FALSE"}, {"True", "False"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        bool yes = strcmp(text, words[i][0]) == 0;
        if (yes || strcmp(text, words[i][1]) == 0) {
            *out = yes;
            return 0;
        }
    }
    return error_set(err, ERROR_INPUT, NULL, "'%s' is neither true nor false", text);
}

static int read_value(const struct option_row *row, const char *text, void *values,
                      struct error *err)
{
    void *place = (char *)values + row->place;
    switch (row->kind) {
    case OPTION_FLAG:
        return read_flag(text, place, err);
    case OPTION_TEXT:
        if ((int64_t)strlen(text) < row->min)
            return error_set(err, ERROR_INPUT, NULL, "%s is empty", row->argument);
        *(const char **)place = text;
        return 0;
    case OPTION_NUMBER:
        return read_number(row, text, place, err);
    case OPTION_DURATION:
        return read_duration(row, text, place, err);
    case OPTION_ENDPOINT:
        return endpoint_parse(text, place, err);
    case OPTION_PORTS:
        return read_ports(text, place, err);
    case OPTION_UINT64:
        return read_uint64(text, place, err);
    case OPTION_BYTES:
        return read_bytes(row, text, place, err);
    case OPTION_USERS:
        return users_add(place, text, err);
    }
    return ERROR_INPUT;
}

/* ---- words ---- */

/* Where the reading stands. */
struct reader {
    const struct option_table *table;
    char **argv;
    int argc, next; /* next: the word to be read */
    void *values;
    struct error *err;
};

static const char *dashes(const struct option_table *table)
{
    return table->style == STYLE_GO ? "-" : "--";
}

#define SHOWN_MAX 64

/* A word that may be a mistyped name, with its dashes, without its value. */
static void show(char shown[SHOWN_MAX], const char *word)
{
    snprintf(shown, SHOWN_MAX, "%.*s", (int)strcspn(word, "="), word);
}

/* What another command calls it. */
static const char *twin(const char *name)
{
    static const char *const twins[][2] = {{"allow-user", "trust-user"}};
    for (size_t i = 0; i < COUNT_OF(twins); i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(name, twins[i][k]) == 0)
                return twins[i][!k];
    return NULL;
}

/* letter: what is unknown in a word of letters, unless that is like a name; NULL: it is none. */
static int unknown(const struct reader *reader, const char *shown, const char *letter)
{
    const struct option_table *table = reader->table;
    const char *name = shown + strspn(shown, "-");
    struct suggestion near = {.word = twin(name) ? twin(name) : name};
    for (size_t i = 0; i < table->count; i++)
        if (!table->rows[i].hidden)
            suggest_offer(&near, table->rows[i].name);
    suggest_offer(&near, "help");
    error_set(reader->err, ERROR_INPUT, NULL, "unknown option '%s'",
              letter && !near.best ? letter : shown);
    const char *cure = suggest_to_iperf_users(letter && !near.best ? letter + 1 : name);
    if (cure)
        error_cure(reader->err, "%s", cure);
    else if (near.best)
        error_cure(reader->err, "did you mean '%s%s'?", dashes(table), near.best);
    return ERROR_INPUT;
}

/* Names the option in the error of its value. */
static int blame(const struct reader *reader, const char *shown)
{
    error_where(reader->err, "option '%s'", shown);
    return ERROR_INPUT;
}

/* Gives row the value behind it (NULL: the next word, or none for a flag). */
static int assign(struct reader *reader, const struct option_row *row, const char *shown,
                  const char *value)
{
    if (row->kind == OPTION_FLAG && !value)
        value = "true";
    else if (row->kind == OPTION_FLAG && reader->table->style == STYLE_GNU)
        return error_set(reader->err, ERROR_INPUT, NULL, "option '%s' takes no value", shown);
    if (!value && reader->next == reader->argc)
        return error_set(reader->err, ERROR_INPUT, NULL, "option '%s' needs a value: %s %s", shown,
                         shown, row->argument);
    if (!value)
        value = reader->argv[reader->next++];
    return read_value(row, value, reader->values, reader->err) ? blame(reader, shown) : 0;
}

/* -name, --name, -name=VALUE, --name=VALUE. */
static int read_named(struct reader *reader, const char *word)
{
    const struct option_table *table = reader->table;
    const char *name = word + strspn(word, "-");
    size_t size = strcspn(name, "=");
    const char *value = name[size] ? name + size + 1 : NULL;
    char shown[SHOWN_MAX];
    show(shown, word);
    if (size == 4 && strncmp(name, "help", size) == 0)
        return OPTIONS_HELP;
    for (size_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        if (strlen(row->name) == size && strncmp(name, row->name, size) == 0)
            return assign(reader, row, shown, value);
    }
    return unknown(reader, shown, NULL);
}

/* A whole name behind one dash. */
static bool is_name(const struct option_table *table, const char *shown)
{
    for (size_t i = 0; i < table->count; i++)
        if (strlen(shown) > 2 && strcmp(table->rows[i].name, shown + 1) == 0)
            return true;
    return false;
}

/* -l, -lVALUE, -abc.  A whole name lacks a dash: -text is not -t with the value "ext". */
static int read_letters(struct reader *reader, const char *word)
{
    const struct option_table *table = reader->table;
    char whole[SHOWN_MAX];
    show(whole, word);
    if (is_name(table, whole))
        return unknown(reader, whole, NULL);
    for (const char *letter = word + 1; *letter; letter++) {
        if (*letter == 'h')
            return OPTIONS_HELP;
        const char shown[] = {'-', *letter, '\0'};
        size_t i = 0;
        while (i < table->count && table->rows[i].letter != *letter)
            i++;
        if (i == table->count)
            return unknown(reader, whole, shown);
        const struct option_row *row = &table->rows[i];
        bool takes_rest = row->kind != OPTION_FLAG;
        const char *value = takes_rest && letter[1] ? letter + 1 : NULL;
        int failed = assign(reader, row, shown, value);
        if (failed || takes_rest)
            return failed;
    }
    return 0;
}

static int read_option(struct reader *reader)
{
    const char *word = reader->argv[reader->next++];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    if (name[0] == '-' || name[0] == '=')
        return error_set(reader->err, ERROR_INPUT, NULL, "'%s' is not an option", word);
    if (reader->table->style == STYLE_GNU && word[1] != '-')
        return read_letters(reader, word);
    if (reader->table->style == STYLE_GO && strcmp(name, "h") == 0)
        return OPTIONS_HELP;
    return read_named(reader, word);
}

int options_parse(const struct option_table *table, int argc, char **argv, void *values,
                  struct operands *operands, struct error *err)
{
    struct reader reader = {table, argv, argc, 0, values, err};
    int kept = 0; /* operands so far; they wait at the front of argv */
    while (reader.next < argc) {
        char *word = argv[reader.next];
        if (strcmp(word, "--") == 0) {
            reader.next++;
            break;
        }
        if (word[0] == '-' && word[1]) {
            int stop = read_option(&reader);
            if (stop)
                return stop;
        } else if (table->style == STYLE_GO) {
            break;
        } else {
            argv[kept++] = argv[reader.next++];
        }
    }
    while (reader.next < argc)
        argv[kept++] = argv[reader.next++];
    *operands = (struct operands){argv, (size_t)kept};
    return 0;
}

/* ---- help ---- */

#define HELP_COLUMN 26

static void help_row(FILE *out, const char *left, const char *help)
{
    if (strlen(left) > HELP_COLUMN - 2) {
        fprintf(out, "%s\n", left);
        left = "";
    }
    while (*help) {
        size_t size = strcspn(help, "\n");
        fprintf(out, "%-*s%.*s\n", HELP_COLUMN, left, (int)size, help);
        help += size + (help[size] == '\n');
        left = "";
    }
}

void options_help(const struct option_table *table, FILE *out)
{
    bool go = table->style == STYLE_GO;
    for (size_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        if (row->hidden)
            continue;
        char letter[8] = "", left[80];
        if (!go)
            snprintf(letter, sizeof letter, row->letter ? "-%c, " : "    ", row->letter);
        snprintf(left, sizeof left, "  %s%s%s%s%s", letter, dashes(table), row->name,
                 row->argument ? " " : "", row->argument ? row->argument : "");
        help_row(out, left, row->help);
    }
    help_row(out, go ? "  -h, -help" : "  -h, --help", "show this help and exit");
}
