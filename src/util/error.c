#include "util/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/text.h"

#define WHERE_SIZE  sizeof((struct error){0}.where)
#define PLACES_SIZE 80 /* of a merged `where` */

/* By way of a copy: a caller may well pass the error's own texts. */
__attribute__((format(printf, 3, 0))) static void put(char *out, size_t size, const char *format,
                                                      va_list args)
{
    char text[sizeof(struct error)];
    vsnprintf(text, size, format, args);
    text_tame(text); /* it may come from another machine or a file */
    memcpy(out, text, strlen(text) + 1);
}

__attribute__((format(printf, 3, 4))) static void put_text(char *out, size_t size,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(out, size, format, args);
    va_end(args);
}

__attribute__((format(printf, 4, 0))) static void put_error(struct error *err, int code,
                                                            const char *where, const char *what,
                                                            va_list args)
{
    put(err->what, sizeof err->what, what, args);
    put_text(err->where, sizeof err->where, "%s", where ? where : "");
    err->code = code;
    err->cure[0] = '\0';
}

int error_set(struct error *err, int code, const char *where, const char *what, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, what);
    put_error(err, code, where, what, args);
    va_end(args);
    return code;
}

int error_set_errno(struct error *err, int code, int errnum, const char *where, const char *what,
                    ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, what);
    put_error(err, code, where, what, args);
    va_end(args);
    char text[128];
    put_text(err->what, sizeof err->what, "%s: %s", err->what,
             strerror_r(errnum, text, sizeof text));
    return code;
}

int error_cure(struct error *err, const char *cure, ...)
{
    if (!err)
        return ERROR_INPUT;
    va_list args;
    va_start(args, cure);
    put(err->cure, sizeof err->cure, cure, args);
    va_end(args);
    return err->code;
}

void error_where(struct error *err, const char *where, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, where);
    put(err->where, sizeof err->where, where, args);
    va_end(args);
}

char *error_text(const struct error *err, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s%s%s%s", err->where, err->where[0] ? ": " : "", err->what,
             err->cure[0] ? " (" : "", err->cure, err->cure[0] ? ")" : "");
    return out;
}

void error_add_line(char lines[PROBLEMS_MAX], const struct error *err)
{
    char text[sizeof *err];
    const size_t used = strlen(lines), size = strlen(error_text(err, text, sizeof text));
    if (used == 0)
        snprintf(lines, PROBLEMS_MAX, "%s", text);
    else if (used + 1 + size < PROBLEMS_MAX)
        snprintf(lines + used, PROBLEMS_MAX - used, "\n%s", text);
}

/* By doubling: a large input may have as many problems as it has lines. */
static bool grow(struct error_list *list)
{
    const size_t room = list->room ? 2 * list->room : 4;
    struct error *items = realloc(list->items, room * sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->room = room;
    return true;
}

void error_list_add(struct error_list *list, const struct error *err)
{
    if (list->count == list->room && !grow(list))
        return;
    list->items[list->count++] = *err;
}

static int by_says(const void *a, const void *b)
{
    const struct error *const *left = a, *const *right = b;
    int order = strcmp((*left)->what, (*right)->what);
    return order ? order : strcmp((*left)->cure, (*right)->cure);
}

/* By what they say, then as they stand. */
static int by_words(const void *a, const void *b)
{
    const struct error *const *left = a, *const *right = b;
    const int order = by_says(a, b);
    return order ? order : *left < *right ? -1 : *left > *right;
}

/* Whether one of them says at its place all that err says at its own. */
static bool is_told(struct error *const *sorted, size_t count, const struct error *err)
{
    struct error whole = {0}, *key = &whole;
    char text[sizeof *err];
    snprintf(text, sizeof text, "%s: %s", err->where, err->what);
    snprintf(whole.what, sizeof whole.what, "%.*s", (int)sizeof whole.what - 1, text);
    memcpy(whole.cure, err->cure, sizeof whole.cure);
    if (bsearch(&key, sorted, count, sizeof *sorted, by_says))
        return true;
    snprintf(whole.what, sizeof whole.what, "%.*s", (int)sizeof whole.what - 1,
             error_text(err, text, sizeof text));
    whole.cure[0] = '\0';
    return bsearch(&key, sorted, count, sizeof *sorted, by_says);
}

/* Whether the place still goes into `where`, beside how many more there are. */
static bool add_place(char where[WHERE_SIZE], const char *place)
{
    const size_t used = strlen(where);
    if (used + strlen(place) + sizeof ",  and 1000000 more" > PLACES_SIZE)
        return false;
    snprintf(where + used, WHERE_SIZE - used, ", %s", place);
    return true;
}

static bool says_same(const struct error *a, const struct error *b)
{
    return strcmp(a->what, b->what) == 0 && strcmp(a->cure, b->cure) == 0;
}

/* Leaves one of those that say what the first does, the others get code 0.  How many there are. */
static size_t merge(struct error *const *sorted, size_t count)
{
    struct error *head = NULL;
    char last[WHERE_SIZE] = ""; /* both ends of a flow may say the same */
    size_t n = 0, more = 0;
    for (; n < count && says_same(sorted[n], sorted[0]); n++) {
        if (!sorted[n]->code)
            continue;
        if (!head) {
            head = sorted[n];
        } else {
            if (strcmp(last, sorted[n]->where) != 0)
                more += *sorted[n]->where && !add_place(head->where, sorted[n]->where);
            sorted[n]->code = 0;
        }
        snprintf(last, sizeof last, "%s", sorted[n]->where);
    }
    if (more) {
        const size_t used = strlen(head->where);
        snprintf(head->where + used, WHERE_SIZE - used, " and %zu more", more);
    }
    return n;
}

void error_list_merge(struct error_list *list)
{
    CLEANUP_FREE struct error **sorted = calloc(list->count + 1, sizeof *sorted);
    size_t left = 0;
    if (!sorted)
        return;
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = &list->items[i];
    qsort(sorted, list->count, sizeof *sorted, by_words);
    for (size_t i = 0; i < list->count; i++)
        if (*list->items[i].where && is_told(sorted, list->count, &list->items[i]))
            list->items[i].code = 0;
    for (size_t i = 0; i < list->count;)
        i += merge(sorted + i, list->count - i);
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].code)
            list->items[left++] = list->items[i];
    list->count = left;
}

void error_list_fini(struct error_list *list)
{
    free(list->items);
    *list = (struct error_list){0};
}
