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
    bool no_memory; /* what was read, or what errors says, is not whole */
};

enum json_key_type {
    KEY_TEXT,     /* char *, owned by the struct; no control characters */
    KEY_DURATION, /* int64_t, ns */
    KEY_INTEGER,  /* int32_t or uint32_t */
    KEY_BOOLEAN,  /* bool */
    KEY_CHOICE,   /* an enum: the index of the word in choices */
    KEY_OBJECT,   /* read is called with the value */
    KEY_ARRAY,    /* likewise */
};

/* A text's own rule beyond its length: 0, or ERROR_INPUT with what is wrong. */
typedef int json_text_rule(const char *text, struct error *err);

struct json_key {
    const char *name;
    enum json_key_type type;
    bool required;
    size_t place;     /* offset in the struct */
    size_t has;       /* offset of a bool that tells whether it was read; 0: there is none */
    int64_t min, max; /* of the number; of a text's bytes */
    json_text_rule *rule;
    const char *const *choices; /* NULL-terminated */
    void (*read)(struct json_reader *reader, json_t *value, void *target);
    const char *right; /* what would be right, for messages */
};

#define JSON_PLACE_MAX 128 /* "hosts.B.mgmt" with its NUL; longer ones are cut */

/* Reads object into target by its keys.  Every problem is reported; what cannot be read is left as
 * it is.  where names the object ("flows[3]", "" at the top), name stands for it where that is
 * empty.  A key whose value is null counts as missing. */
void json_read_object(struct json_reader *reader, const struct json_key *keys, size_t count,
                      const char *where, const char *name, json_t *object, void *target);

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
