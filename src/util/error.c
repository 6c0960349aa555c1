#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct error *err, int code, const char *where, const char *what, va_list args)
{
    *err = (struct error){.code = code};
    if (where)
        snprintf(err->where, sizeof err->where, "%s", where);
    vsnprintf(err->what, sizeof err->what, what, args);
}

int error_set(struct error *err, int code, const char *where, const char *what, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, what);
    put(err, code, where, what, args);
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
    put(err, code, where, what, args);
    va_end(args);
    size_t used = strlen(err->what);
    char text[128];
    snprintf(err->what + used, sizeof err->what - used, ": %s",
             strerror_r(errnum, text, sizeof text));
    return code;
}

int error_cure(struct error *err, const char *cure, ...)
{
    if (!err)
        return 0;
    va_list args;
    va_start(args, cure);
    vsnprintf(err->cure, sizeof err->cure, cure, args);
    va_end(args);
    return err->code;
}

void error_where(struct error *err, const char *where, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, where);
    vsnprintf(err->where, sizeof err->where, where, args);
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
