/* An append-only file of records, each [u32 length][u32 CRC-32][bytes], big-endian: the
 * agent's spool and the master's part file.  None is empty: zeros, as a disk may leave behind the
 * last bytes that it wrote, are no records.
 *
 * One writer; readers may read what was appended before they look, from any thread. */
#ifndef FORMAT_SEGMENT_H
#define FORMAT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buffer.h"
#include "util/error.h"

struct segment; /* opaque */

/* Creates path (mode 0600), which must not exist. */
int segment_create(struct segment **out, const char *path, struct error *err);
/* Opens one that is there, to be read only.  ERROR_INPUT if there is none. */
int segment_open(struct segment **out, const char *path, struct error *err);
/* Appends one record; *offset (may be NULL) is its place.  Bytes reach the kernel before return. */
int segment_append(struct segment *segment, const void *data, size_t size, uint64_t *offset,
                   struct error *err);
/* Appends many records in one write: `framed` holds them already framed by segment_frame().  What
 * the disk refuses waits in memory, where readers find it as well, and is tried again with every
 * call, also with one that brings nothing.  0; 1 and err if something waits now; or ERROR_SYSTEM:
 * out of memory, nothing was taken. */
int segment_append_framed(struct segment *segment, const struct buffer *framed, struct error *err);
/* The file takes so many bytes in all and no more: the rest waits, as if the disk were full.  Any
 * number at first.  The writer's thread. */
void segment_limit(struct segment *segment, uint64_t bytes);
/* Bytes that wait for the disk.  The writer's thread. */
uint64_t segment_waiting(const struct segment *segment);
/* Adds one record with its frame to out; 0, or -1 when out of memory. */
int segment_frame(struct buffer *out, const void *data, size_t size);
/* The record at *at of framed records, and *at behind it.  Not checked against its checksum; false
 * at the end, or where the frame is broken. */
bool segment_unframe(const struct buffer *framed, size_t *at, const uint8_t **data, size_t *size);
/* Bytes appended so far: where the next record will stand.  Any thread. */
uint64_t segment_size(const struct segment *segment);
/* From a record of that size to the next one. */
uint64_t segment_step(size_t record_size);
/* Reads the record at offset into out (cleared first).  1 and *next, 0 at the end of what is
 * there, or ERROR_SYSTEM (I/O, or a broken frame). */
int segment_read(struct segment *segment, uint64_t offset, struct buffer *out, uint64_t *next,
                 struct error *err);
/* Where a record that cannot be read ends, if its length can be: 1 and *next, else 0. */
int segment_skip(struct segment *segment, uint64_t offset, uint64_t *next);
/* Within a file system.  The path has changed then, else ERROR_SYSTEM. */
int segment_rename(struct segment *segment, const char *path, struct error *err);
const char *segment_path(const struct segment *segment);
/* A file that is not removed gets what waits, if the disk takes it now.  NULL is fine. */
void segment_close(struct segment *segment, int remove_file);

#endif
