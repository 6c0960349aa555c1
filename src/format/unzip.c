#include "format/unzip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER       (256u << 10)
#define GZIP_WINDOWS (15 + 16) /* of any size, in gzip's format */

struct unzip {
    int fd;
    bool looked, zipped;
    bool between; /* gzipped data are at their end: others may follow */
    enum unzip_end end;
    int error;
    uint64_t got; /* from the file */
    z_stream z;   /* its input is that of a plain file, too */
    const uint8_t *next;
    size_t left; /* to be given */
    uint8_t in[BUFFER], out[BUFFER];
};

struct unzip *unzip_open(int fd)
{
    struct unzip *unzip = calloc(1, sizeof *unzip);
    if (!unzip || inflateInit2(&unzip->z, GZIP_WINDOWS) != Z_OK) {
        close(fd);
        free(unzip);
        return NULL;
    }
    unzip->fd = fd;
    return unzip;
}

void unzip_close(struct unzip *unzip)
{
    if (!unzip)
        return;
    inflateEnd(&unzip->z);
    close(unzip->fd);
    free(unzip);
}

/* Behind what is there already, which is at the buffer's begin.  False: there is no more. */
static bool fill(struct unzip *unzip)
{
    z_stream *z = &unzip->z;
    ssize_t got;
    do
        got = read(unzip->fd, unzip->in + z->avail_in, sizeof unzip->in - z->avail_in);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        unzip->error = errno;
        unzip->end = UNZIP_UNREADABLE;
    }
    if (got <= 0)
        return false;
    unzip->got += (uint64_t)got;
    z->next_in = unzip->in;
    z->avail_in += (unsigned)got;
    return true;
}

/* A pipe may give a byte at a time. */
static void look(struct unzip *unzip)
{
    static const uint8_t magic[] = {0x1f, 0x8b};
    unzip->looked = true;
    while (unzip->z.avail_in < sizeof magic && fill(unzip))
        ;
    unzip->zipped =
        unzip->z.avail_in >= sizeof magic && memcmp(unzip->in, magic, sizeof magic) == 0;
}

static void give_plain(struct unzip *unzip)
{
    z_stream *z = &unzip->z;
    if (z->avail_in == 0 && !fill(unzip)) {
        unzip->end = unzip->end ? unzip->end : UNZIP_END;
        return;
    }
    unzip->next = z->next_in;
    unzip->left = z->avail_in;
    z->avail_in = 0;
}

/* Zeros may fill a block up. */
static void begin_next(struct unzip *unzip)
{
    z_stream *z = &unzip->z;
    while (z->avail_in > 0 && *z->next_in == 0) {
        z->next_in++;
        z->avail_in--;
    }
    if (z->avail_in == 0)
        return;
    unzip->between = false;
    inflateReset(z);
}

static void inflate_some(struct unzip *unzip)
{
    z_stream *z = &unzip->z;
    z->next_out = unzip->out;
    z->avail_out = sizeof unzip->out;
    const int code = inflate(z, Z_NO_FLUSH);
    unzip->next = unzip->out;
    unzip->left = sizeof unzip->out - z->avail_out;
    if (code == Z_STREAM_END) {
        unzip->between = true;
    } else if (code == Z_MEM_ERROR) {
        unzip->error = ENOMEM;
        unzip->end = UNZIP_UNREADABLE;
    } else if (code != Z_OK) {
        unzip->end = UNZIP_DAMAGED;
    }
}

static void give_zipped(struct unzip *unzip)
{
    if (unzip->z.avail_in == 0 && !fill(unzip)) {
        if (!unzip->end)
            unzip->end = unzip->between ? UNZIP_END : UNZIP_CUT;
        return;
    }
    if (unzip->between)
        begin_next(unzip);
    if (!unzip->between)
        inflate_some(unzip);
}

/* False: there is nothing more to be given. */
static bool more(struct unzip *unzip)
{
    if (!unzip->looked)
        look(unzip);
    while (unzip->left == 0 && !unzip->end)
        (unzip->zipped ? give_zipped : give_plain)(unzip);
    return unzip->left > 0;
}

size_t unzip_read(struct unzip *unzip, void *out, size_t size)
{
    size_t done = 0;
    while (done < size && more(unzip)) {
        const size_t part = size - done < unzip->left ? size - done : unzip->left;
        memcpy((char *)out + done, unzip->next, part);
        unzip->next += part;
        unzip->left -= part;
        done += part;
    }
    return done;
}

int unzip_byte(struct unzip *unzip)
{
    uint8_t byte;
    return unzip_read(unzip, &byte, 1) ? byte : -1;
}

enum unzip_end unzip_why(const struct unzip *unzip)
{
    return unzip->left > 0 ? UNZIP_GOES_ON : unzip->end;
}

int unzip_errno(const struct unzip *unzip)
{
    return unzip->error;
}

uint64_t unzip_used(const struct unzip *unzip)
{
    return unzip->got - unzip->z.avail_in - (unzip->zipped ? 0 : unzip->left);
}
