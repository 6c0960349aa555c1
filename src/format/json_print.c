#include "format/json_print.h"

#include <errno.h>
#include <stdio_ext.h>

struct sink {
    FILE *out;
    int errnum;
};

/* Keeps why, which is known only now. */
static int put(const char *text, size_t size, void *arg)
{
    struct sink *sink = arg;
    if (fwrite(text, 1, size, sink->out) == size)
        return 0;
    sink->errnum = errno;
    return -1;
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
