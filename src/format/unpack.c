#include "format/unpack.h"

#include <stdint.h>

#include "format/wire.h"

#define FIELDS_KNOWN_MAX 256u /* of one type */
#define MEMBERS_FREE     16u  /* fields of a message that protobuf-c scans on its stack */
#define MEMBER_BYTES     64u  /* of one more: its slabs double, and so may be half empty */

struct count {
    size_t left;    /* bytes */
    unsigned depth; /* messages that are open */
};

/* What one message had so far. */
struct seen {
    uint64_t fields[FIELDS_KNOWN_MAX / 64]; /* bits, by index */
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

static bool note(struct seen *seen, unsigned index)
{
    const uint64_t bit = UINT64_C(1) << index % 64;
    const bool first = !(seen->fields[index / 64] & bit);
    seen->fields[index / 64] |= bit;
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

static bool take_message(struct count *count, const ProtobufCMessageDescriptor *type,
                         struct wire wire);

static bool take_contents(struct count *count, const ProtobufCFieldDescriptor *known,
                          const struct wire_field *field)
{
    const bool repeated = known->label == PROTOBUF_C_LABEL_REPEATED;
    if (field->type != WIRE_BYTES)
        return !repeated || take(count, element_size(known->type));
    if (known->type == PROTOBUF_C_TYPE_MESSAGE)
        return take(count, sizeof(void *)) &&
               take_message(count, known->descriptor,
                            (struct wire){.at = field->data, .left = (size_t)field->value});
    if (known->type == PROTOBUF_C_TYPE_STRING || known->type == PROTOBUF_C_TYPE_BYTES)
        return take(count, element_size(known->type)) && take(count, block(field->value + 1));
    return take(count, count_packed(field, known->type) * element_size(known->type));
}

static bool take_field(struct count *count, const ProtobufCMessageDescriptor *type,
                       const struct wire_field *field, struct seen *seen)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(type, field->number);
    if (!known) /* it keeps it, as it stands */
        return take(count, sizeof(ProtobufCMessageUnknownField) + block(raw_size(field)));
    const bool first = note(seen, (unsigned)(known - type->fields));
    if (known->label == PROTOBUF_C_LABEL_REPEATED) {
        if (first && !take(count, block(0)))
            return false;
    } else if (!first && known->type == PROTOBUF_C_TYPE_MESSAGE) {
        return false;
    }
    return take_contents(count, known, field);
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

static bool take_message(struct count *count, const ProtobufCMessageDescriptor *type,
                         struct wire wire)
{
    struct seen seen = {0};
    struct wire_field field;
    size_t list;
    if (count->depth == UNPACK_DEPTH_MAX || type->n_fields > FIELDS_KNOWN_MAX ||
        !take(count, block(type->sizeof_message)) || !take_list(count, wire, &list))
        return false;
    count->depth++;
    while (wire_next(&wire, &field) > 0)
        if (!take_field(count, type, &field, &seen))
            return false;
    count->depth--;
    count->left += list;
    return true;
}

bool unpack_fits(const ProtobufCMessageDescriptor *type, const void *data, size_t size, size_t most)
{
    struct count count = {.left = most};
    return take_message(&count, type, (struct wire){.at = data, .left = size});
}

ProtobufCMessage *unpack_message(const ProtobufCMessageDescriptor *type, const void *data,
                                 size_t size, size_t most)
{
    return unpack_fits(type, data, size, most) ? protobuf_c_message_unpack(type, NULL, size, data)
                                               : NULL;
}
