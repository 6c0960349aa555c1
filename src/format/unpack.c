#include "format/unpack.h"

#include <stdint.h>

#include "format/wire.h"

#define FIELDS_KNOWN_MAX 256u /* of one type */
#define MEMBERS_FREE     16u  /* fields of a message that protobuf-c scans on its stack */
#define MEMBER_BYTES     64u  /* of one more: its slabs double, and so may be half empty */

/* A message that is open. */
struct level {
    const ProtobufCMessageDescriptor *type;
    struct wire wire;                     /* what is left of it */
    size_t list;                          /* bytes, while it is open */
    uint64_t seen[FIELDS_KNOWN_MAX / 64]; /* its fields so far: bits, by index */
};

struct count {
    size_t left; /* bytes */
    unsigned depth;
    struct level levels[UNPACK_DEPTH_MAX];
};

static bool take(struct count *count, size_t size)
{
    if (size > count->left)
        return false;
    count->left -= size;
    return true;
}

/* What malloc() takes for it. */
static size_t block(uint64_t size)
{
    return size <= 24 ? 32 : (size_t)(size + 8 + 15) & ~(size_t)15;
}

/* On the wire, without its tag; at most. */
static size_t raw_size(const struct wire_field *field)
{
    return field->type == WIRE_BYTES ? (size_t)field->value + 5 : 10;
}

/* Whether it is the field's first time. */
static bool note(struct level *level, unsigned index)
{
    const uint64_t bit = UINT64_C(1) << index % 64;
    const bool first = !(level->seen[index / 64] & bit);
    level->seen[index / 64] |= bit;
    return first;
}

/* Bytes of an element in an array. */
static size_t element_size(ProtobufCType type)
{
    static const uint8_t sizes[] = {
        [PROTOBUF_C_TYPE_INT32] = 4,
        [PROTOBUF_C_TYPE_SINT32] = 4,
        [PROTOBUF_C_TYPE_SFIXED32] = 4,
        [PROTOBUF_C_TYPE_INT64] = 8,
        [PROTOBUF_C_TYPE_SINT64] = 8,
        [PROTOBUF_C_TYPE_SFIXED64] = 8,
        [PROTOBUF_C_TYPE_UINT32] = 4,
        [PROTOBUF_C_TYPE_FIXED32] = 4,
        [PROTOBUF_C_TYPE_UINT64] = 8,
        [PROTOBUF_C_TYPE_FIXED64] = 8,
        [PROTOBUF_C_TYPE_FLOAT] = 4,
        [PROTOBUF_C_TYPE_DOUBLE] = 8,
        [PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
        [PROTOBUF_C_TYPE_ENUM] = 4,
        [PROTOBUF_C_TYPE_STRING] = sizeof(char *),
        [PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
        [PROTOBUF_C_TYPE_MESSAGE] = sizeof(void *),
    };
    return sizes[type];
}

/* Elements of a packed field.  A varint has one byte that is its last. */
static size_t count_packed(const struct wire_field *field, ProtobufCType type)
{
    static const uint8_t widths[] = {
        [PROTOBUF_C_TYPE_SFIXED32] = 4, [PROTOBUF_C_TYPE_SFIXED64] = 8,
        [PROTOBUF_C_TYPE_FIXED32] = 4,  [PROTOBUF_C_TYPE_FIXED64] = 8,
        [PROTOBUF_C_TYPE_FLOAT] = 4,    [PROTOBUF_C_TYPE_DOUBLE] = 8,
        [PROTOBUF_C_TYPE_BOOL] = 1,     [PROTOBUF_C_TYPE_MESSAGE] = 0,
    };
    if (widths[type])
        return (size_t)field->value / widths[type];
    size_t last = 0;
    for (uint64_t i = 0; i < field->value; i++)
        last += !(field->data[i] & 0x80);
    return last;
}

/* While a message is unpacked all its fields are listed.  That list is let go then. */
static bool take_list(struct count *count, struct wire wire, size_t *bytes)
{
    struct wire_field field;
    size_t fields = 0;
    int got;
    while ((got = wire_next(&wire, &field)) > 0)
        fields++;
    *bytes = fields > MEMBERS_FREE ? fields * MEMBER_BYTES : 0;
    return got == 0 && take(count, *bytes);
}

static bool open_message(struct count *count, const ProtobufCMessageDescriptor *type,
                         struct wire wire)
{
    if (count->depth == UNPACK_DEPTH_MAX || type->n_fields > FIELDS_KNOWN_MAX)
        return false;
    struct level *level = &count->levels[count->depth++];
    *level = (struct level){.type = type, .wire = wire};
    return take(count, block(type->sizeof_message)) && take_list(count, wire, &level->list);
}

static void close_message(struct count *count)
{
    count->left += count->levels[--count->depth].list;
}

static bool take_contents(struct count *count, const ProtobufCFieldDescriptor *known,
                          const struct wire_field *field)
{
    const bool repeated = known->label == PROTOBUF_C_LABEL_REPEATED;
    if (field->type != WIRE_BYTES)
        return !repeated || take(count, element_size(known->type));
    if (known->type == PROTOBUF_C_TYPE_MESSAGE)
        return take(count, sizeof(void *)) &&
               open_message(count, known->descriptor,
                            (struct wire){.at = field->data, .left = (size_t)field->value});
    if (known->type == PROTOBUF_C_TYPE_STRING || known->type == PROTOBUF_C_TYPE_BYTES)
        return take(count, element_size(known->type)) && take(count, block(field->value + 1));
    return take(count, count_packed(field, known->type) * element_size(known->type));
}

static bool take_field(struct count *count, struct level *level, const struct wire_field *field)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(level->type, field->number);
    if (!known) /* it keeps it, as it stands */
        return take(count, sizeof(ProtobufCMessageUnknownField) + block(raw_size(field)));
    const bool first = note(level, (unsigned)(known - level->type->fields));
    if (known->label == PROTOBUF_C_LABEL_REPEATED) {
        if (first && !take(count, block(0)))
            return false;
    } else if (!first && known->type == PROTOBUF_C_TYPE_MESSAGE) {
        return false;
    }
    return take_contents(count, known, field);
}

bool unpack_fits(const ProtobufCMessageDescriptor *type, const void *data, size_t size, size_t most)
{
    struct count count = {.left = most};
    struct wire_field field;
    bool fits = open_message(&count, type, (struct wire){.at = data, .left = size});
    while (fits && count.depth) {
        struct level *level = &count.levels[count.depth - 1];
        if (wire_next(&level->wire, &field) > 0)
            fits = take_field(&count, level, &field);
        else
            close_message(&count);
    }
    return fits;
}

ProtobufCMessage *unpack_message(const ProtobufCMessageDescriptor *type, const void *data,
                                 size_t size, size_t most)
{
    return unpack_fits(type, data, size, most) ? protobuf_c_message_unpack(type, NULL, size, data)
                                               : NULL;
}
