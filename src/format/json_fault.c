/* All before the fault is sound, so that a few rules for what is a token find the one at fault and
 * the one before it. */
#include "format/json_fault.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "format/blank.h"

#define SHOWN 24 /* bytes of the file that a message repeats */

struct token {
    const char *at; /* in the text; NULL: none */
    size_t size;
};

struct fault {
    const char *text;
    size_t size;
    const char *said; /* by jansson */
    struct token before, token;
    char shown[SHOWN + 4]; /* the token, fit for a message */
    struct token place;    /* that line and column are of */
    struct error *err;
};

/* ---- the place ---- */

static bool is_in(char c, const char *set)
{
    return c && strchr(set, c);
}

static size_t token_size(const char *at, const char *end)
{
    const char *next = at + 1;
    if (is_in(*at, "{}[],:"))
        return 1;
    if (*at != '"') {
        while (next < end && !is_in(*next, " \t\r\n{}[],:\""))
            next++;
        return (size_t)(next - at);
    }
    while (next < end && *next != '"' && *next != '\n')
        next += *next == '\\' && next + 1 < end ? 2 : 1;
    return (size_t)(next - at) + (next < end && *next == '"');
}

/* The token as a message may repeat it. */
static void show(struct fault *fault)
{
    const size_t cut = fault->token.size > SHOWN ? SHOWN : fault->token.size;
    for (size_t i = 0; i < cut; i++) {
        const char c = fault->token.at[i];
        fault->shown[i] = c;
        if (c < ' ' || c > '~')
            fault->shown[i] = '?';
    }
    strcpy(fault->shown + cut, fault->token.size > cut ? "..." : "");
}

/* The last token that begins before position, and the one before. */
static void find_tokens(struct fault *fault, size_t position)
{
    const char *end = fault->text + fault->size, *at = fault->text;
    while (at < fault->text + position) {
        if (is_in(*at, " \t\r\n")) {
            at++;
            continue;
        }
        fault->before = fault->token;
        fault->token = (struct token){at, token_size(at, end)};
        at += fault->token.size;
    }
    fault->place = fault->token;
    show(fault);
}

static char first_of(struct token token)
{
    if (!token.at)
        return '\0';
    return *token.at;
}

/* ---- what is wrong; each says it and returns true, or false ---- */

static bool say(struct fault *fault, const char *what, const char *cure)
{
    error_set(fault->err, ERROR_INPUT, NULL, "%s", what);
    if (*cure)
        error_cure(fault->err, "%s", cure);
    return true;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_comment(struct fault *fault)
{
    const char *at = fault->token.at;
    bool slash = at && fault->token.size > 1 && at[0] == '/' && is_in(at[1], "/*");
    return (slash || first_of(fault->token) == '#') &&
           say(fault, "a comment stands here, and JSON has none",
               "use the key \"comment\", which is ignored: \"comment\": \"a note\"");
}

static bool is_comma(struct fault *fault)
{
    const char c = first_of(fault->token);
    if (c == ',' && is_in(first_of(fault->before), "[{"))
        return say(fault, "nothing stands before a comma", "take the comma away");
    if (first_of(fault->before) != ',' || !is_in(c, "]},"))
        return false;
    fault->place = fault->before;
    error_set(fault->err, ERROR_INPUT, NULL, "a comma stands before '%c'", c);
    error_cure(fault->err, "take the comma away: JSON wants one between two values only");
    return true;
}

/* A value ended, and neither a comma nor the end of what it stands in follows. */
static bool is_missing(struct fault *fault)
{
    const char c = first_of(fault->token);
    const bool closes = begins(fault->said, "']' expected") || begins(fault->said, "'}' expected");
    if (begins(fault->said, "':' expected")) {
        error_set(fault->err, ERROR_INPUT, NULL, "a key has no colon and no value");
        error_cure(fault->err, "write \"key\": value");
    } else if (first_of(fault->before) == ':' && is_in(c, "]},:")) {
        error_set(fault->err, ERROR_INPUT, NULL, "a key has no value: '%c' follows its colon", c);
    } else if (closes && is_in(c, "]}:")) {
        error_set(fault->err, ERROR_INPUT, NULL, "'%c' is missing, or '%c' is too much",
                  fault->said[1], c);
        error_cure(fault->err, "close each bracket and brace with its own kind");
    } else if (closes && !is_in(first_of(fault->before), ":,[{")) {
        error_set(fault->err, ERROR_INPUT, NULL, "a comma is missing before %s", fault->shown);
        error_cure(fault->err, "write one between two values");
    } else {
        return false;
    }
    return true;
}

/* The parser has it in a text; which and where, is found anew. */
static bool is_control(struct fault *fault)
{
    const char *at = fault->token.at, *end = at ? at + fault->token.size : at;
    while (at < end && (unsigned char)*at >= ' ')
        at++;
    if (at < end)
        fault->place = (struct token){at, 1};
    if (at < end && *at == '\t')
        return say(fault, "a text has a tab in it", "write a blank, or \\t in a comment");
    return say(fault, "a text has a control character in it", "take it away");
}

static bool is_nul(struct fault *fault)
{
    return say(fault, "a text has the character \\u0000, which stands for nothing", "take it away");
}

/* As copied from a web page. */
static bool is_blank(struct fault *fault)
{
    const char *at = fault->token.at;
    if (!at || *at == '"')
        return false;
    at = blank_find(at, fault->token.size);
    if (!at)
        return false;
    const struct blank blank = blank_at(at, fault->token.size - (size_t)(at - fault->token.at));
    fault->place = (struct token){at, blank.size};
    error_set(fault->err, ERROR_INPUT, NULL, "%s stands here (U+%04X), which JSON does not know",
              blank.name, blank.code);
    error_cure(fault->err, "write a plain blank in its place, or nothing");
    return true;
}

static bool is_text(struct fault *fault)
{
    if (begins(fault->said, "unexpected newline"))
        return say(fault, "a text does not end on its line", "close it with a double quote");
    if (begins(fault->said, "control character"))
        return is_control(fault);
    if (begins(fault->said, "invalid Unicode"))
        return say(fault, "a text has half of a character, as \\ud83d",
                   "write the character itself, or both of its halves: \\ud83d\\ude00");
    if (begins(fault->said, "\\u0000"))
        return is_nul(fault);
    if (begins(fault->said, "invalid escape"))
        return say(fault, "a text has a backslash that stands for nothing",
                   "write a backslash as \\\\");
    return false;
}

/* Text without quotes, or with others. */
static bool is_word(struct fault *fault)
{
    const char c = first_of(fault->token);
    if (!c || is_in(c, "{}[],:\""))
        return false;
    if (c == '\'' || begins(fault->token.at, "\xe2\x80"))
        return say(fault, "these are not the quotes of JSON", "put keys and texts in \"...\"");
    if (begins(fault->said, "string or '}'"))
        error_set(fault->err, ERROR_INPUT, NULL, "the key %s is not in quotes", fault->shown);
    else
        error_set(fault->err, ERROR_INPUT, NULL,
                  "%s is neither a text in quotes nor a number, true, false or null", fault->shown);
    error_cure(fault->err, "write \"%s\" if a text is meant", fault->shown);
    return true;
}

static bool is_all_wrong(struct fault *fault)
{
    if (!fault->token.at)
        return say(fault, "the file is empty", "write a scenario, as examples/flows_example.json");
    if (begins(fault->said, "'[' or '{'"))
        return say(fault, "the file does not begin with '{'",
                   "a scenario is JSON: {\"hosts\": {...}, \"flows\": [...]}");
    if (begins(fault->said, "end of file expected"))
        return say(fault, "the scenario is over, but something follows",
                   "take it away, or see which '}' before it is too much");
    return false;
}

static bool is_cut(struct fault *fault)
{
    fault->place = (struct token){fault->text + fault->size, 0};
    if (begins(fault->said, "premature end"))
        return say(fault, "the file ends in the middle of a text", "is it whole?");
    if (fault->said[0] != '\'')
        return say(fault, "the file ends too early", "is it whole?");
    error_set(fault->err, ERROR_INPUT, NULL, "the file ends, and '%c' is missing", fault->said[1]);
    error_cure(fault->err, "close what is open; or is the file not whole?");
    return true;
}

static bool is_encoding(struct fault *fault)
{
    error_set(fault->err, ERROR_INPUT, NULL, "the file is not UTF-8: %.26s", fault->said);
    return error_cure(fault->err, "save it as UTF-8");
}

static bool is_other(struct fault *fault)
{
    error_set(fault->err, ERROR_INPUT, NULL, "this cannot be read as JSON at %s", fault->shown);
    return true;
}

static bool is_double(struct fault *fault)
{
    error_set(fault->err, ERROR_INPUT, NULL, "the key %s is there twice in one object",
              fault->shown);
    return error_cure(fault->err, "keep one of them");
}

/* The parser takes a zero for the end. */
static bool is_binary(struct fault *fault)
{
    const char *zero = memchr(fault->text, '\0', fault->size);
    if (!zero)
        return false;
    fault->place = (struct token){zero, 1};
    return say(fault, "the file has a byte 0: it is no text", "save the scenario as UTF-8");
}

static void explain(struct fault *fault, enum json_error_code code)
{
    if (is_binary(fault))
        return;
    if (code == json_error_invalid_utf8)
        is_encoding(fault);
    else if (code == json_error_null_character || code == json_error_null_byte_in_key)
        is_nul(fault);
    else if (code == json_error_duplicate_key)
        is_double(fault);
    else if (code == json_error_numeric_overflow)
        say(fault, "the number is too large", "write a smaller one");
    else if (code == json_error_stack_overflow)
        say(fault, "values stand in one another too deep", "a scenario has five levels at most");
    else if (code == json_error_premature_end_of_input && fault->token.at)
        is_cut(fault);
    else
        (void)(is_blank(fault) || is_comment(fault) || is_all_wrong(fault) || is_comma(fault) ||
               is_missing(fault) || is_text(fault) || is_word(fault) || is_other(fault));
}

/* Both count from 1; a column is a character, not a byte. */
static void put_place(const struct fault *fault, const char *where)
{
    const char *place = fault->place.at ? fault->place.at : fault->text;
    unsigned line = 1, column = 1;
    for (const char *at = fault->text; at < place; at++) {
        column += (*at & 0xc0) != 0x80;
        if (*at == '\n') {
            line++;
            column = 1;
        }
    }
    struct error told = *fault->err;
    error_set(fault->err, ERROR_INPUT, where, "line %u, column %u: %.300s", line, column,
              told.what);
    if (told.cure[0])
        error_cure(fault->err, "%s", told.cure);
}

void json_fault(const char *text, size_t size, const json_error_t *broken, const char *where,
                struct error *err)
{
    struct fault fault = {.text = text, .size = size, .said = broken->text, .err = err};
    const size_t position = broken->position > 0 ? (size_t)broken->position : 0;
    find_tokens(&fault, position < size ? position : size);
    explain(&fault, json_error_code(broken));
    put_place(&fault, where);
}
