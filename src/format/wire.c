#include "format/wire.h"

/* 1, or -1. */
static int get_long_varint(struct wire *wire, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 10 && i < wire->left; i++) {
        uint8_t byte = wire->at[i];
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            wire->at += i + 1;
            wire->left -= i + 1;
            return 1;
        }
    }
    return -1;
}

/* Most are of one byte: tags, and differences of columns. */
static inline int get_varint(struct wire *wire, uint64_t *value)
{
    if (wire->left == 0 || wire->at[0] & 0x80)
        return get_long_varint(wire, value);
    *value = *wire->at++;
    wire->left--;
    return 1;
}

static int take(struct wire *wire, struct wire_field *field, uint64_t size)
{
    if (size > wire->left)
        return -1;
    field->data = wire->at;
    wire->at += size;
    wire->left -= size;
    return 1;
}

int wire_next(struct wire *wire, struct wire_field *field)
{
    uint64_t tag;
    if (wire->left == 0)
        return 0;
    if (get_varint(wire, &tag) < 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
        return -1;
    *field = (struct wire_field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case WIRE_VARINT:
        field->type = WIRE_VARINT;
        return get_varint(wire, &field->value);
    case WIRE_FIXED64:
        field->type = WIRE_FIXED64;
        return take(wire, field, 8);
    case WIRE_BYTES:
        field->type = WIRE_BYTES;
        return get_varint(wire, &field->value) > 0 ? take(wire, field, field->value) : -1;
    case WIRE_FIXED32:
        field->type = WIRE_FIXED32;
        return take(wire, field, 4);
    default: /* groups, which proto3 does not have */
        return -1;
    }
}

int wire_next_sint64(struct wire *packed, int64_t *value)
{
    uint64_t zigzag;
    if (packed->left == 0)
        return 0;
    if (get_varint(packed, &zigzag) < 0)
        return -1;
    *value = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
    return 1;
}

int wire_pack(struct buffer *out, const ProtobufCMessage *message)
{
    uint8_t *place = buffer_reserve(out, protobuf_c_message_get_packed_size(message));
    if (!place)
        return -1;
    out->size += protobuf_c_message_pack(message, place);
    return 0;
}
