/* Unpacking of messages that others wrote, within a bound of memory.
 *
 * protobuf-c takes memory by the field: a message of two million empty ones, two bytes each, takes
 * two hundred times its own size, and one field of a single message that comes over and over is
 * merged in quadratic time.  So what unpacking would take is counted first, by a walk over the wire
 * along the type's descriptor.  https://protobuf.dev/programming-guides/encoding/ */
#ifndef FORMAT_UNPACK_H
#define FORMAT_UNPACK_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#define UNPACK_DEPTH_MAX 16 /* messages within messages */
/* Bytes of heap for a message of so many bytes; what we write needs half of it at most. */
#define UNPACK_USUAL(size) (((size_t)1 << 20) + 16 * (size_t)(size))

/* Whether unpacking takes at most `most` bytes of heap, by a count that errs to the safe side.
 * False, too, for what is broken, nested deeper than UNPACK_DEPTH_MAX, or has a field twice that
 * holds one message. */
bool unpack_fits(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                 size_t most);

/* protobuf_c_message_unpack(), but NULL for what unpack_fits() refuses. */
ProtobufCMessage *unpack_message(const ProtobufCMessageDescriptor *type, const void *data,
                                 size_t size, size_t most);

#endif
