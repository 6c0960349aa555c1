#include "format/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY_MAX (4u << 20)

void scratch_init(struct scratch *scratch, const char *beside)
{
    *scratch = (struct scratch){.beside = beside, .fd = -1};
}

void scratch_fini(struct scratch *scratch)
{
    if (scratch->fd >= 0)
        close(scratch->fd);
    buffer_fini(&scratch->tail);
    scratch->fd = -1;
}

static int fail(const struct scratch *scratch, int errnum, const char *what, struct error *err)
{
    error_set_errno(err, ERROR_SYSTEM, errnum, scratch->beside, "%s", what);
    return error_cure(err, "make room on that file system, or write the results to another one");
}

static int open_file(struct scratch *scratch, struct error *err)
{
    char *name;
    if (asprintf(&name, "%s.XXXXXX", scratch->beside) < 0)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    scratch->fd = mkostemp(name, O_CLOEXEC);
    int failed = errno;
    if (scratch->fd >= 0)
        unlink(name);
    free(name);
    return scratch->fd >= 0 ? 0 : fail(scratch, failed, "cannot create a scratch file there", err);
}

static int spill(struct scratch *scratch, struct error *err)
{
    int failed = scratch->fd < 0 ? open_file(scratch, err) : 0;
    if (failed)
        return failed;
    for (size_t done = 0; done < scratch->tail.size;) {
        ssize_t wrote = pwrite(scratch->fd, scratch->tail.data + done, scratch->tail.size - done,
                               (off_t)(scratch->in_file + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return fail(scratch, wrote ? errno : ENOSPC, "cannot write the scratch file", err);
        done += (size_t)wrote;
    }
    scratch->in_file += scratch->tail.size;
    buffer_clear(&scratch->tail);
    return 0;
}

int scratch_append(struct scratch *scratch, const struct buffer *bytes, struct error *err)
{
    if (buffer_append(&scratch->tail, bytes->data, bytes->size))
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return scratch->tail.size >= MEMORY_MAX ? spill(scratch, err) : 0;
}

uint64_t scratch_size(const struct scratch *scratch)
{
    return scratch->in_file + scratch->tail.size;
}

static int drain_file(struct scratch *scratch, scratch_sink *sink, void *arg, struct error *err)
{
    static const size_t chunk = 256u << 10;
    uint8_t *data = malloc(chunk);
    if (!data)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int failed = 0;
    for (uint64_t at = 0; at < scratch->in_file && !failed;) {
        uint64_t left = scratch->in_file - at;
        ssize_t got = pread(scratch->fd, data, left < chunk ? left : chunk, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            failed = fail(scratch, got ? errno : EIO, "cannot read the scratch file", err);
        else
            failed = sink(arg, data, (size_t)got, err);
        at += got > 0 ? (uint64_t)got : 0;
    }
    free(data);
    return failed;
}

int scratch_drain(struct scratch *scratch, scratch_sink *sink, void *arg, struct error *err)
{
    int failed = drain_file(scratch, sink, arg, err);
    if (!failed && scratch->tail.size > 0)
        failed = sink(arg, scratch->tail.data, scratch->tail.size, err);
    if (!failed && scratch->in_file > 0 && ftruncate(scratch->fd, 0))
        failed = fail(scratch, errno, "cannot empty the scratch file", err);
    scratch->in_file = 0;
    buffer_clear(&scratch->tail);
    return failed;
}
