#include "format/results_stream.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format/results_crc.h"

#define STREAM_BUFFER (256u << 10)

/* Of the file, on the mean of all records: those that programs write have several times as many. */
#define RECORD_BYTES_MIN 4
#define FREE_RECORDS     1024

static const char *name_of(const struct results_stream *stream)
{
    return strcmp(stream->path, "-") == 0 ? "standard input" : stream->path;
}

int results_stream_open(struct results_stream *stream, const char *path, struct error *err)
{
    *stream = (struct results_stream){.path = strdup(path)};
    if (!stream->path)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, ERROR_INPUT, errno, name_of(stream), "cannot open the result file");
        results_stream_close(stream);
        return ERROR_INPUT;
    }
    stream->file = unzip_open(fd);
    if (!stream->file) {
        results_stream_close(stream);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    return 0;
}

void results_stream_close(struct results_stream *stream)
{
    unzip_close(stream->file);
    free(stream->path);
    *stream = (struct results_stream){0};
}

static int broken_at(const struct results_stream *stream, uint64_t at, const char *what,
                     struct error *err)
{
    return error_set(err, ERROR_INPUT, name_of(stream), "record %llu, byte %llu: %s",
                     (unsigned long long)stream->record, (unsigned long long)at, what);
}

int results_stream_broken(const struct results_stream *stream, const char *what, struct error *err)
{
    return broken_at(stream, stream->offset, what, err);
}

int results_stream_bad_record(const struct results_stream *stream, const char *what,
                              struct error *err)
{
    return broken_at(stream, stream->begin, what, err);
}

static int cut_short(const struct results_stream *stream, struct error *err)
{
    results_stream_broken(stream, "the file ends in the middle", err);
    return error_cure(err, "what stands before it is sound; was the copy complete?");
}

/* Where there should be more. */
static int stopped(const struct results_stream *stream, struct error *err)
{
    const enum unzip_end why = unzip_why(stream->file);
    if (why == UNZIP_UNREADABLE)
        return error_set_errno(err, ERROR_SYSTEM, unzip_errno(stream->file), name_of(stream),
                               "cannot read");
    if (why != UNZIP_DAMAGED)
        return cut_short(stream, err);
    results_stream_broken(stream, "the gzip data are damaged", err);
    return error_cure(err, "what stands before it is sound; copy the file again");
}

bool results_stream_damaged(const struct results_stream *stream)
{
    return unzip_why(stream->file) == UNZIP_DAMAGED;
}

/* Returns the bytes read, fewer than size only at the file's end. */
static size_t take(struct results_stream *stream, void *out, size_t size)
{
    const size_t got = unzip_read(stream->file, out, size);
    stream->crc = results_crc(stream->crc, out, got);
    stream->offset += got;
    return got;
}

/* Memory is needed by the record, and the smallest one unpacks to a thousand times its bytes: each
 * must have some in the file. */
static bool too_many(const struct results_stream *stream)
{
    return stream->record > FREE_RECORDS + unzip_used(stream->file) / RECORD_BYTES_MIN;
}

int results_stream_begin(struct results_stream *stream, struct error *err)
{
    uint32_t length;
    stream->begin = stream->offset;
    stream->crc = 0;
    stream->record++;
    const size_t got = take(stream, &length, sizeof length);
    if (got == 0 && unzip_why(stream->file) == UNZIP_END)
        return 0;
    if (got < sizeof length)
        return stopped(stream, err);
    stream->left = ntohl(length);
    if (stream->left == 0)
        return results_stream_bad_record(stream, "an empty record; is this a result file?", err);
    if (too_many(stream))
        return results_stream_bad_record(stream, "more records than the file has room for", err);
    return 1;
}

int results_stream_varint(struct results_stream *stream, uint64_t *value, struct error *err)
{
    uint8_t bytes[10];
    *value = 0;
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if (stream->left == 0)
            return results_stream_broken(stream, "a number goes on past the record's end", err);
        int byte = unzip_byte(stream->file);
        if (byte < 0)
            return stopped(stream, err);
        stream->offset++;
        stream->left--;
        bytes[i] = (uint8_t)byte;
        *value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            stream->crc = results_crc(stream->crc, bytes, i + 1);
            return 0;
        }
    }
    return results_stream_broken(stream, "a number is too long", err);
}

static int check_left(const struct results_stream *stream, uint64_t size, struct error *err)
{
    return size <= stream->left
               ? 0
               : results_stream_broken(stream, "a field goes on past the record's end", err);
}

/* A length may lie: memory is asked for as the bytes arrive. */
int results_stream_bytes(struct results_stream *stream, uint64_t size, struct buffer *out,
                         struct error *err)
{
    buffer_clear(out);
    int failed = check_left(stream, size, err);
    while (!failed && out->size < size) {
        size_t part = size - out->size < STREAM_BUFFER ? (size_t)size - out->size : STREAM_BUFFER;
        uint8_t *place = buffer_reserve(out, part);
        if (!place)
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
        const size_t got = take(stream, place, part);
        out->size += got;
        stream->left -= got;
        if (got < part)
            failed = stopped(stream, err);
    }
    return failed;
}

int results_stream_fixed32(struct results_stream *stream, uint32_t *value, struct error *err)
{
    int failed = check_left(stream, sizeof *value, err);
    if (failed)
        return failed;
    if (take(stream, value, sizeof *value) < sizeof *value)
        return stopped(stream, err);
    stream->left -= sizeof *value;
    *value = le32toh(*value);
    return 0;
}

int results_stream_skip(struct results_stream *stream, uint64_t size, struct error *err)
{
    uint8_t away[4096];
    int failed = check_left(stream, size, err);
    while (!failed && size > 0) {
        size_t part = size < sizeof away ? (size_t)size : sizeof away;
        const size_t got = take(stream, away, part);
        size -= got;
        stream->left -= got;
        if (got < part)
            failed = stopped(stream, err);
    }
    return failed;
}
