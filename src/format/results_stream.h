/* The bytes of a result file, from the file as it is or gzipped, with their place for messages. */
#ifndef FORMAT_RESULTS_STREAM_H
#define FORMAT_RESULTS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "format/unzip.h"
#include "util/buffer.h"
#include "util/error.h"

struct results_stream {
    char *path;
    struct unzip *file;
    uint64_t offset; /* bytes read, uncompressed */
    uint64_t left;   /* of the record */
    uint64_t record; /* its place in the file, from 1; 0: none yet */
    uint64_t begin;  /* where it begins */
    uint32_t crc;    /* of what was read of it, its length first */
};

int results_stream_open(struct results_stream *stream, const char *path, struct error *err);
void results_stream_close(struct results_stream *stream);

/* Goes to the next record, whose predecessor is read to its end.  1, or 0 at the file's end.
 * ERROR_INPUT for an empty record, and for more records than so few gzipped bytes can hold. */
int results_stream_begin(struct results_stream *stream, struct error *err);

/* All of these read within the record and fail where it ends too soon. */
int results_stream_varint(struct results_stream *stream, uint64_t *value, struct error *err);
int results_stream_bytes(struct results_stream *stream, uint64_t size, struct buffer *out,
                         struct error *err); /* out is cleared first */
int results_stream_fixed32(struct results_stream *stream, uint32_t *value, struct error *err);
int results_stream_skip(struct results_stream *stream, uint64_t size, struct error *err);

/* Whether what was read is of doubt: the gzipped data turned out to be damaged behind it. */
bool results_stream_damaged(const struct results_stream *stream);

/* ERROR_INPUT that says where the file is broken: here, or somewhere in the record, whose begin is
 * told. */
int results_stream_broken(const struct results_stream *stream, const char *what, struct error *err);
int results_stream_bad_record(const struct results_stream *stream, const char *what,
                              struct error *err);

#endif
