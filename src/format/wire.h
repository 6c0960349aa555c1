/* A walk over the top-level fields of a protobuf message, without unpacking it: for records that
 * are too large to hold as a whole, or of which only a little is wanted.  And packing into a
 * buffer. https://protobuf.dev/programming-guides/encoding/ */
#ifndef FORMAT_WIRE_H
#define FORMAT_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buffer.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire {
    const uint8_t *at;
    size_t left;
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;      /* WIRE_VARINT, or the length of WIRE_BYTES */
    const uint8_t *data; /* WIRE_BYTES: in the message; fixed ones: the bytes */
};

/* 1 and *field, 0 at the end, -1 if the message is broken. */
int wire_next(struct wire *wire, struct wire_field *field);

/* The next of a packed field's sint64 values.  1, 0 at the end, -1 if it is broken. */
int wire_next_sint64(struct wire *packed, int64_t *value);

/* Appends the message, packed.  0, or -1 when out of memory (unchanged then). */
int wire_pack(struct buffer *out, const ProtobufCMessage *message);

#endif
