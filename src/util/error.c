#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text may come from another machine or a file: it must stay one line, and valid UTF-8 when it
 * was cut. */
static void tidy(char *text)
{
    size_t size = 0, first = 0; /* first: where the last character begins */
    for (; text[size]; size++) {
        unsigned char c = (unsigned char)text[size];
        if (c < ' ' || c == 0x7f)
            text[size] = '?';
        if ((c & 0xc0) != 0x80)
            first = size;
    }
    unsigned char lead = (unsigned char)text[first];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (size - first < wanted)
        text[first] = '\0';
}

/* By way of a copy: a caller may well pass the error's own texts. */
__attribute__((format(printf, 3, 0))) static void put(char *out, size_t size, const char *format,
                                                      va_list args)
{
    char text[sizeof(struct error)];
    vsnprintf(text, size, format, args);
    tidy(text);
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

void error_list_add(struct error_list *list, const struct error *err)
{
    struct error *items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return;
    list->items = items;
    list->items[list->count++] = *err;
}

void error_list_fini(struct error_list *list)
{
    free(list->items);
    *list = (struct error_list){0};
}
