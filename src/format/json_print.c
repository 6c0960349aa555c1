#include "format/json_print.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio_ext.h>

#include "util/text.h"

struct sink {
    FILE *out;
    int errnum;
};

/* Keeps why, which is known only now. */
static bool write_out(struct sink *sink, const char *text, size_t size)
{
    if (fwrite(text, 1, size, sink->out) == size)
        return true;
    sink->errnum = errno;
    return false;
}

/* Of ASCII jansson has escaped what has to be.  What else would act on a terminal stands in strings
 * alone, where an escape means the same. */
static bool needs_escape(const char *text, size_t size, uint32_t *code)
{
    return text_character(text, size, code) && *code >= 0x7f && text_acts(*code);
}

static int put(const char *text, size_t size, void *arg)
{
    struct sink *sink = arg;
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        uint32_t code;
        char escape[sizeof "\\u0000"];
        if (!needs_escape(text + i, size - i, &code))
            continue;
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code & 0xffff);
        if (!write_out(sink, text + written, i - written) ||
            !write_out(sink, escape, sizeof escape - 1))
            return -1;
        written = i += text_character(text + i, size - i, &code);
        i--;
    }
    return write_out(sink, text + written, size - written) ? 0 : -1;
}

int json_print(json_t *value, size_t flags, FILE *out, struct error *err)
{
    struct sink sink = {.out = out};
    if (!value)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int failed = json_dump_callback(value, put, &sink, flags);
    json_decref(value);
    if (!failed)
        failed = put("\n", 1, &sink);
    if (!failed && fflush(out) == EOF) {
        sink.errnum = errno;
        failed = -1;
    }
    if (!failed)
        return 0;
    __fpurge(out);
    clearerr(out);
    if (!sink.errnum)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return error_set_errno(err, ERROR_SYSTEM, sink.errnum, NULL, "cannot write to standard output");
}
