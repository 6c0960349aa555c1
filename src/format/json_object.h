/* Reads JSON objects into structs by tables of keys, so that what a file may say stands in one
 * declaration.  Keys match without regard to case and '_'.  Private to the scenario's reader. */
#ifndef FORMAT_JSON_OBJECT_H
#define FORMAT_JSON_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct json_reader {
    struct error_list *errors;
    const char *name;   /* of the file: the place of what is wrong at its top */
    const json_t *root; /* the file's whole value */
    bool no_memory;     /* what was read, or what errors says, is not whole */
};

enum json_key_type {
    KEY_TEXT,     /* char *, owned by the struct; no control characters */
    KEY_DURATION, /* int64_t, ns */
    KEY_INTEGER,  /* int32_t or uint32_t */
    KEY_RATE,     /* uint64_t, bit/s */
    KEY_BOOLEAN,  /* bool */
    KEY_CHOICE,   /* an enum: the index of the word in choices */
    KEY_OBJECT,   /* a struct, read by members */
    KEY_MAP,      /* an object of names, each with an object of members: see read */
    KEY_LIST,     /* a list of objects of members: see read */
    KEY_ANY,      /* any value; ignored */
};

struct json_key;

/* Words of other programs that are no key here, and what to say to them. */
struct json_hint {
    const char *words; /* as json_key.alike; NULL behind the last */
    const char *cure;
};

struct json_hints {
    const struct json_hint *list;
    const struct json_hints *more; /* NULL: none */
};

struct json_table {
    const struct json_key *keys;
    size_t count;
    bool partial;                   /* no key is required: defaults for objects of the same keys */
    const struct json_hints *hints; /* NULL: none */
};

/* A text's own rule beyond its length: 0, or ERROR_INPUT with what is wrong. */
typedef int json_text_rule(const char *text, struct error *err);

/* Takes in the value of a KEY_MAP or KEY_LIST. */
typedef void json_reading(struct json_reader *reader, const struct json_key *key, json_t *value,
                          void *target);

/* All there is to say of a key: for reading, for messages, for the schema and for the manual. */
struct json_key {
    const char *name;
    enum json_key_type type;
    bool required;
    bool or_zero;     /* a number may also be 0, below min: none */
    size_t place;     /* offset in the struct */
    size_t has;       /* offset of a bool that tells whether it was read; 0: there is none */
    int64_t min, max; /* of the number; of a text's bytes; of a map's or list's members */
    int64_t fallback; /* what a number (ns, bool, choice) is if nothing says it */
    json_text_rule *rule;
    const char *const *choices; /* NULL-terminated */
    const struct json_table *members;
    json_reading *read;
    const char *pattern;   /* rule as a regular expression of ECMA-262, as far as that goes */
    const char *unit;      /* of the number; what a map or list holds */
    const char *range;     /* in words, where the other fields do not tell it */
    const char *otherwise; /* in words, what holds by default, where fallback does not tell it */
    const char *help;      /* one line: what it does */
    const char *right;     /* what would be right, for messages */
    const char *alike; /* words of other programs for it, with blanks between, in small letters */
};

#define JSON_PLACE_MAX 128 /* "hosts.B.mgmt" with its NUL; longer ones are cut */

/* Reads object into target by table.  Every problem is reported; what cannot be read is left as it
 * is.  where names the object ("flows[3]", "" at the top).  A key whose value is null counts as
 * missing.  What object does not say comes from defaults (NULL: none), an object whose own problems
 * are already reported, and then from the table. */
void json_read_object(struct json_reader *reader, const struct json_table *table, const char *where,
                      const json_t *object, const json_t *defaults, void *target);

/* The value of this key in object, spelled in whatever way; NULL: there is none, it is null, or
 * object is NULL or no object. */
json_t *json_member(const json_t *object, const char *key);

/* Whether value is an object; reports it if not. */
bool json_expect_object(struct json_reader *reader, const char *where, const json_t *value);

void json_report(struct json_reader *reader, const struct error *err);

/* Whether text has control characters, which would act on a terminal. */
bool json_has_control(const char *text);

#define JSON_SHOWN_MAX 72
/* A value as JSON in ASCII, cut to what a message can show; returns out. */
const char *json_show(const json_t *value, char out[JSON_SHOWN_MAX]);
const char *json_show_text(const char *text, char out[JSON_SHOWN_MAX]);

#endif
