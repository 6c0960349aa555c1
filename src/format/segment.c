#include "format/segment.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define FRAME_SIZE 8          /* length and checksum */
#define RECORD_MAX (8u << 20) /* a longer one cannot be of ours */

struct segment {
    int fd;
    char *path;
    _Atomic uint64_t size;
};

static void put_frame(uint8_t frame[FRAME_SIZE], const void *data, size_t size)
{
    uint32_t length = htobe32((uint32_t)size);
    uint32_t checksum = htobe32((uint32_t)crc32(0, data, (uInt)size));
    memcpy(frame, &length, 4);
    memcpy(frame + 4, &checksum, 4);
}

int segment_create(struct segment **out, const char *path, struct error *err)
{
    struct segment *segment = calloc(1, sizeof *segment);
    char *copy = strdup(path);
    if (!segment || !copy) {
        free(segment);
        free(copy);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    segment->path = copy;
    segment->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (segment->fd < 0) {
        int failed = errno;
        segment_close(segment, 0);
        return error_set_errno(err, ERROR_SYSTEM, failed, path, "cannot create the file");
    }
    *out = segment;
    return 0;
}

/* All of it, or nothing that a reader will see: size grows only afterwards. */
static int append(struct segment *segment, const uint8_t *data, size_t size, struct error *err)
{
    uint64_t at = atomic_load(&segment->size);
    for (size_t done = 0; done < size;) {
        ssize_t wrote = pwrite(segment->fd, data + done, size - done, (off_t)(at + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            error_set_errno(err, ERROR_SYSTEM, wrote ? errno : ENOSPC, segment->path,
                            "cannot write");
            return error_cure(err, "make room there");
        }
        done += (size_t)wrote;
    }
    atomic_store(&segment->size, at + size);
    return 0;
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
    if (*size > framed->size - *at - FRAME_SIZE)
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
    return append(segment, framed->data, framed->size, err);
}

uint64_t segment_size(const struct segment *segment)
{
    return atomic_load(&segment->size);
}

static int read_all(const struct segment *segment, uint64_t offset, void *data, size_t size,
                    struct error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(segment->fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_errno(err, ERROR_SYSTEM, got ? errno : EIO, segment->path,
                                   "cannot read");
        done += (size_t)got;
    }
    return 0;
}

int segment_read(const struct segment *segment, uint64_t offset, struct buffer *out, uint64_t *next,
                 struct error *err)
{
    uint64_t size = atomic_load(&segment->size);
    uint32_t frame[2];
    buffer_clear(out);
    if (offset >= size || size - offset < FRAME_SIZE)
        return 0;
    int failed = read_all(segment, offset, frame, FRAME_SIZE, err);
    if (failed)
        return failed;
    uint32_t length = be32toh(frame[0]);
    if (length > RECORD_MAX || length > size - offset - FRAME_SIZE)
        return error_set(err, ERROR_SYSTEM, segment->path, "a broken record at byte %llu",
                         (unsigned long long)offset);
    uint8_t *place = buffer_reserve(out, length);
    if (!place)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    failed = read_all(segment, offset + FRAME_SIZE, place, length, err);
    if (failed)
        return failed;
    if (crc32(0, place, length) != be32toh(frame[1]))
        return error_set(err, ERROR_SYSTEM, segment->path, "a broken record at byte %llu",
                         (unsigned long long)offset);
    out->size = length;
    *next = offset + FRAME_SIZE + length;
    return 1;
}

const char *segment_path(const struct segment *segment)
{
    return segment->path;
}

void segment_close(struct segment *segment, int remove_file)
{
    if (!segment)
        return;
    if (segment->fd >= 0)
        close(segment->fd);
    if (remove_file)
        unlink(segment->path);
    free(segment->path);
    free(segment);
}
