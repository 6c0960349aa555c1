/* The file's bytes, then those in memory that the disk refused, are one run of bytes; the border
 * between the two moves to the right only. */
#include "format/segment.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FRAME_SIZE 8          /* length and checksum */
#define RECORD_MAX (8u << 20) /* a longer one cannot be of ours */

struct segment {
    int fd;
    char *path;
    _Atomic uint64_t size;    /* in all */
    _Atomic uint64_t in_file; /* of them */
    uint64_t limit;           /* of these; the writer's */
    pthread_mutex_t lock;     /* of waiting, and of in_file while something waits */
    struct buffer waiting;    /* from in_file on */
};

static void put_frame(uint8_t frame[FRAME_SIZE], const void *data, size_t size)
{
    uint32_t length = htobe32((uint32_t)size);
    uint32_t checksum = htobe32((uint32_t)crc32(0, data, (uInt)size));
    memcpy(frame, &length, 4);
    memcpy(frame + 4, &checksum, 4);
}

/* Without a file yet. */
static struct segment *make(const char *path)
{
    struct segment *segment = calloc(1, sizeof *segment);
    char *copy = strdup(path);
    if (!segment || !copy) {
        free(segment);
        free(copy);
        return NULL;
    }
    segment->path = copy;
    segment->limit = UINT64_MAX;
    pthread_mutex_init(&segment->lock, NULL);
    return segment;
}

int segment_create(struct segment **out, const char *path, struct error *err)
{
    struct segment *segment = make(path);
    if (!segment)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    segment->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (segment->fd < 0) {
        int failed = errno;
        segment_close(segment, 0);
        return error_set_errno(err, ERROR_SYSTEM, failed, path, "cannot create the file");
    }
    *out = segment;
    return 0;
}

int segment_open(struct segment **out, const char *path, struct error *err)
{
    struct segment *segment = make(path);
    struct stat status = {0};
    if (!segment)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    segment->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int failed = segment->fd < 0 || fstat(segment->fd, &status) ? errno : 0;
    bool regular = !failed && S_ISREG(status.st_mode);
    if (!regular)
        segment_close(segment, 0);
    if (failed)
        return error_set_errno(err, ERROR_INPUT, failed, path, "cannot read the file");
    if (!regular)
        return error_set(err, ERROR_INPUT, path, "this is no regular file%s",
                         S_ISDIR(status.st_mode) ? ": name the files in it" : "");
    atomic_store(&segment->size, (uint64_t)status.st_size);
    atomic_store(&segment->in_file, (uint64_t)status.st_size);
    *out = segment;
    return 0;
}

/* Writes behind what the file holds.  *done: bytes that the disk took, also on failure. */
static int put(struct segment *segment, const uint8_t *data, size_t size, size_t *done,
               struct error *err)
{
    uint64_t at = atomic_load(&segment->in_file);
    const uint64_t room = at < segment->limit ? segment->limit - at : 0;
    const size_t within = size < room ? size : (size_t)room;
    for (*done = 0; *done < within;) {
        ssize_t wrote = pwrite(segment->fd, data + *done, within - *done, (off_t)(at + *done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            error_set_errno(err, ERROR_SYSTEM, wrote ? errno : ENOSPC, segment->path,
                            "cannot write");
            return error_cure(err, "make room there");
        }
        *done += (size_t)wrote;
    }
    if (within < size)
        return error_set(err, ERROR_SYSTEM, segment->path, "cannot write: it may not grow");
    return 0;
}

/* All of it, or nothing that a reader will see: size grows only afterwards. */
static int append(struct segment *segment, const uint8_t *data, size_t size, struct error *err)
{
    size_t done;
    int failed = put(segment, data, size, &done, err);
    if (failed)
        return failed;
    atomic_store(&segment->in_file, atomic_load(&segment->in_file) + size);
    atomic_store(&segment->size, atomic_load(&segment->size) + size);
    return 0;
}

/* Moves what waits into the file, as far as the disk takes it.  Under the lock. */
static int drain(struct segment *segment, struct error *err)
{
    struct buffer *waiting = &segment->waiting;
    size_t done;
    int failed = put(segment, waiting->data, waiting->size, &done, err);
    if (!done)
        return failed;
    memmove(waiting->data, waiting->data + done, waiting->size - done);
    waiting->size -= done;
    atomic_store(&segment->in_file, atomic_load(&segment->in_file) + done);
    if (!waiting->size)
        buffer_fini(waiting);
    return failed;
}

int segment_frame(struct buffer *out, const void *data, size_t size)
{
    uint8_t *place = buffer_reserve(out, FRAME_SIZE + size);
    if (!place)
        return -1;
    put_frame(place, data, size);
    memcpy(place + FRAME_SIZE, data, size);
    out->size += FRAME_SIZE + size;
    return 0;
}

bool segment_unframe(const struct buffer *framed, size_t *at, const uint8_t **data, size_t *size)
{
    uint32_t length;
    if (*at >= framed->size || framed->size - *at < FRAME_SIZE)
        return false;
    memcpy(&length, framed->data + *at, sizeof length);
    *size = be32toh(length);
    *data = framed->data + *at + FRAME_SIZE;
    if (!*size || *size > framed->size - *at - FRAME_SIZE)
        return false;
    *at += FRAME_SIZE + *size;
    return true;
}

int segment_append(struct segment *segment, const void *data, size_t size, uint64_t *offset,
                   struct error *err)
{
    struct buffer framed = {0};
    if (offset)
        *offset = atomic_load(&segment->size);
    int failed = segment_frame(&framed, data, size)
                     ? error_set(err, ERROR_SYSTEM, NULL, "out of memory")
                     : append(segment, framed.data, framed.size, err);
    buffer_fini(&framed);
    return failed;
}

int segment_append_framed(struct segment *segment, const struct buffer *framed, struct error *err)
{
    if (!segment_waiting(segment) && append(segment, framed->data, framed->size, err) == 0)
        return 0;
    pthread_mutex_lock(&segment->lock);
    int failed = buffer_append(&segment->waiting, framed->data, framed->size);
    if (failed) {
        failed = error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    } else {
        failed = drain(segment, err) ? 1 : 0;
        atomic_store(&segment->size, atomic_load(&segment->size) + framed->size);
    }
    pthread_mutex_unlock(&segment->lock);
    return failed;
}

void segment_limit(struct segment *segment, uint64_t bytes)
{
    segment->limit = bytes;
}

uint64_t segment_waiting(const struct segment *segment)
{
    return atomic_load(&segment->size) - atomic_load(&segment->in_file);
}

uint64_t segment_size(const struct segment *segment)
{
    return atomic_load(&segment->size);
}

uint64_t segment_step(size_t record_size)
{
    return FRAME_SIZE + record_size;
}

/* How many of the bytes are in the file; the others, which are in memory, are copied to data. */
static size_t copy_waiting(struct segment *segment, uint64_t offset, uint8_t *data, size_t size)
{
    if (offset + size <= atomic_load(&segment->in_file))
        return size;
    pthread_mutex_lock(&segment->lock);
    uint64_t in_file = atomic_load(&segment->in_file);
    uint64_t left = in_file > offset ? in_file - offset : 0;
    size_t filed = left < size ? (size_t)left : size;
    if (filed < size)
        memcpy(data + filed, segment->waiting.data + (offset + filed - in_file), size - filed);
    pthread_mutex_unlock(&segment->lock);
    return filed;
}

static int read_all(struct segment *segment, uint64_t offset, void *data, size_t size,
                    struct error *err)
{
    size_t filed = copy_waiting(segment, offset, data, size);
    for (size_t done = 0; done < filed;) {
        ssize_t got = pread(segment->fd, (char *)data + done, filed - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_errno(err, ERROR_SYSTEM, got ? errno : EIO, segment->path,
                                   "cannot read");
        done += (size_t)got;
    }
    return 0;
}

static int broken(const struct segment *segment, uint64_t offset, struct error *err)
{
    return error_set(err, ERROR_SYSTEM, segment->path, "a broken record at byte %llu",
                     (unsigned long long)offset);
}

/* 1, 0 at the end, or negative. */
static int read_frame(struct segment *segment, uint64_t offset, uint32_t *length,
                      uint32_t *checksum, struct error *err)
{
    const uint64_t size = atomic_load(&segment->size);
    uint32_t frame[2];
    if (offset >= size || size - offset < FRAME_SIZE)
        return 0;
    const int failed = read_all(segment, offset, frame, FRAME_SIZE, err);
    if (failed)
        return failed;
    *length = be32toh(frame[0]);
    *checksum = be32toh(frame[1]);
    const bool can_be = *length && *length <= RECORD_MAX && *length <= size - offset - FRAME_SIZE;
    return can_be ? 1 : broken(segment, offset, err);
}

int segment_skip(struct segment *segment, uint64_t offset, uint64_t *next)
{
    uint32_t length = 0, checksum = 0;
    if (read_frame(segment, offset, &length, &checksum, NULL) <= 0)
        return 0;
    *next = offset + FRAME_SIZE + length;
    return 1;
}

int segment_read(struct segment *segment, uint64_t offset, struct buffer *out, uint64_t *next,
                 struct error *err)
{
    uint32_t length = 0, checksum = 0;
    buffer_clear(out);
    const int got = read_frame(segment, offset, &length, &checksum, err);
    if (got <= 0)
        return got;
    uint8_t *place = buffer_reserve(out, length);
    if (!place)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    const int failed = read_all(segment, offset + FRAME_SIZE, place, length, err);
    if (failed)
        return failed;
    if (crc32(0, place, length) != checksum)
        return broken(segment, offset, err);
    out->size = length;
    *next = offset + FRAME_SIZE + length;
    return 1;
}

int segment_rename(struct segment *segment, const char *path, struct error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    if (rename(segment->path, path)) {
        free(copy);
        return error_set_errno(err, ERROR_SYSTEM, errno, path, "the file cannot be named so");
    }
    free(segment->path);
    segment->path = copy;
    return 0;
}

const char *segment_path(const struct segment *segment)
{
    return segment->path;
}

void segment_close(struct segment *segment, int remove_file)
{
    if (!segment)
        return;
    if (segment->waiting.size && !remove_file)
        drain(segment, NULL);
    if (segment->fd >= 0)
        close(segment->fd);
    if (remove_file)
        unlink(segment->path);
    buffer_fini(&segment->waiting);
    pthread_mutex_destroy(&segment->lock);
    free(segment->path);
    free(segment);
}
