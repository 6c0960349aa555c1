/* What unpacking a message may take: the count is never below what protobuf-c then takes. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/unpack.h"
#include "proto/agent.pb-c.h"
#include "util/buffer.h"

#define WIRE_MAX (4u << 20)
#define MEMORY   (32u << 20)

#define PREPARE &tcpflowgen__prepare_request__descriptor
#define ENDS    6  /* of PrepareRequest: EndSpec */
#define ABOUT   40 /* of PrepareRequest: Run */
#define HOSTS   7  /* of Run: RunHost */

/* ---- writing ---- */

static void put_varint(struct buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;
    do {
        bytes[size] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        size++;
    } while (value >>= 7);
    assert_int_equal(buffer_append(out, bytes, size), 0);
}

static void put_tag(struct buffer *out, uint32_t number, unsigned type)
{
    put_varint(out, (uint64_t)number << 3 | type);
}

static void put_bytes(struct buffer *out, uint32_t number, const void *data, size_t size)
{
    put_tag(out, number, 2);
    put_varint(out, size);
    assert_int_equal(buffer_append(out, data, size), 0);
}

/* ---- measuring ---- */

struct meter {
    size_t now, peak;
};

static void *meter_alloc(void *arg, size_t size)
{
    struct meter *meter = arg;
    void *memory = malloc(size);
    assert_non_null(memory);
    meter->now += malloc_usable_size(memory) + sizeof(size_t);
    if (meter->now > meter->peak)
        meter->peak = meter->now;
    return memory;
}

static void meter_free(void *arg, void *memory)
{
    struct meter *meter = arg;
    if (memory)
        meter->now -= malloc_usable_size(memory) + sizeof(size_t);
    free(memory);
}

/* The most that protobuf-c has in use at once. */
static size_t measure(const ProtobufCMessageDescriptor *type, const struct buffer *wire)
{
    struct meter meter = {0};
    ProtobufCAllocator allocator = {meter_alloc, meter_free, &meter};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, wire->size, wire->data);
    assert_non_null(message);
    protobuf_c_message_free_unpacked(message, &allocator);
    assert_int_equal(meter.now, 0);
    return meter.peak;
}

static size_t count(const ProtobufCMessageDescriptor *type, const struct buffer *wire)
{
    size_t low = 0, high = (size_t)1 << 40;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (unpack_fits(type, wire->data, wire->size, middle))
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* The count is right, and of a use. */
static void check(const ProtobufCMessageDescriptor *type, struct buffer *wire)
{
    const size_t counted = count(type, wire), measured = measure(type, wire);
    if (counted < measured || counted > 2 * measured + 1024)
        fail_msg("%zu bytes counted, %zu measured, of %zu on the wire", counted, measured,
                 wire->size);
    buffer_fini(wire);
}

static bool fits(const ProtobufCMessageDescriptor *type, const struct buffer *wire)
{
    return unpack_fits(type, wire->data, wire->size, MEMORY);
}

/* ---- tests ---- */

static void test_counts(void **state)
{
    (void)state;
    struct buffer wire = {0}, inner = {0};
    check(PREPARE, &wire);

    for (int i = 0; i < 1000; i++)
        put_bytes(&wire, ENDS, "", 0);
    check(PREPARE, &wire);

    for (uint32_t i = 20; i < 60; i++) /* with strings, and more fields than fit a stack */
        put_bytes(&inner, i < 58 ? 900 + i : 8 + i % 2, "127.0.0.1", 9);
    for (int i = 0; i < 100; i++)
        put_bytes(&wire, ENDS, inner.data, inner.size);
    check(PREPARE, &wire);
    buffer_clear(&inner);

    for (int i = 0; i < 1000; i++) /* unknown fields */
        put_bytes(&wire, 1000, "abc", i % 4);
    put_tag(&wire, 1001, 0);
    put_varint(&wire, UINT64_MAX);
    check(PREPARE, &wire);

    for (int i = 0; i < 1000; i++) /* one element each, which are more than their bytes */
        put_bytes(&inner, HOSTS, "", 0);
    put_bytes(&wire, ABOUT, inner.data, inner.size);
    check(PREPARE, &wire);
    buffer_clear(&inner);

    for (int i = 0; i < 1000; i++)
        put_bytes(&wire, 2, "\0\0\0", 3); /* records: bytes */
    check(&tcpflowgen__watch_reply__descriptor, &wire);
    buffer_fini(&inner);
}

static void test_packed(void **state)
{
    (void)state;
    struct buffer wire = {0}, zeros = {0};
    memset(buffer_reserve(&zeros, 1000), 0, 1000);
    put_bytes(&wire, 2, zeros.data, 1000); /* of 8 bytes each */
    put_bytes(&wire, 3, zeros.data, 1000); /* of 4 */
    check(&tcpflowgen__packets__descriptor, &wire);
    put_bytes(&wire, 2, "", 0); /* many that are empty */
    for (int i = 0; i < 1000; i++)
        put_bytes(&wire, 3, "", 0);
    check(&tcpflowgen__packets__descriptor, &wire);
    for (int i = 0; i < 1000; i++) { /* and not packed */
        put_tag(&wire, 3, 0);
        put_varint(&wire, 7);
    }
    check(&tcpflowgen__packets__descriptor, &wire);
    buffer_fini(&zeros);
}

static void test_floods(void **state)
{
    (void)state;
    struct buffer wire = {0}, inner = {0};
    while (wire.size < WIRE_MAX - 2)
        put_bytes(&wire, ENDS, "", 0);
    assert_false(fits(PREPARE, &wire));
    assert_null(unpack_message(PREPARE, wire.data, wire.size, MEMORY));
    buffer_clear(&wire);

    while (inner.size < WIRE_MAX - 16) /* not at the top */
        put_bytes(&inner, HOSTS, "", 0);
    put_bytes(&wire, ABOUT, inner.data, inner.size);
    assert_false(fits(PREPARE, &wire));
    buffer_clear(&wire);

    while (wire.size < WIRE_MAX - 8) { /* unknown, and scalars that come again */
        put_tag(&wire, wire.size % 3 ? 2 : 1000, 0);
        put_varint(&wire, 1);
    }
    assert_false(fits(PREPARE, &wire));
    buffer_fini(&wire);
    buffer_fini(&inner);
}

/* Each would be merged with all before it. */
static void test_one_message_twice(void **state)
{
    (void)state;
    struct buffer wire = {0}, inner = {0};
    put_bytes(&inner, HOSTS, "", 0);
    put_bytes(&wire, ABOUT, inner.data, inner.size);
    assert_true(fits(PREPARE, &wire));
    put_bytes(&wire, ABOUT, inner.data, inner.size);
    assert_false(fits(PREPARE, &wire));
    buffer_fini(&wire);
    buffer_fini(&inner);
}

static bool is_sound(const void *data, size_t size)
{
    ProtobufCMessage *message = unpack_message(PREPARE, data, size, MEMORY);
    const bool sound = message;
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    return sound;
}

static void test_broken(void **state)
{
    (void)state;
    assert_true(is_sound("\x0a\x03"
                         "abc",
                         5));
    assert_false(is_sound("\x0a\x03"
                          "ab",
                          4));             /* cut off */
    assert_false(is_sound("\x0a\xff", 2)); /* in a length */
    assert_false(is_sound("\x0a\xff\xff\xff\xff\x0f", 6));
    assert_false(is_sound("\x02\x00", 2));         /* field 0 */
    assert_false(is_sound("\x33\x34", 2));         /* a group */
    assert_false(is_sound("\x32\x02\x0b\x0c", 4)); /* one within */
    assert_false(is_sound("\x32\x02\x42\x05", 4)); /* cut off within */
    assert_false(is_sound("\x30\x01", 2));         /* a number, where a message should be */
    assert_false(is_sound("\x07\x00", 2));         /* wire type 7 */
}

/* A type that holds itself, as none of ours does. */
struct nest {
    ProtobufCMessage base;
    struct nest *inner;
};
static const ProtobufCMessageDescriptor nest_type;
static const ProtobufCFieldDescriptor nest_fields[] = {
    {.name = "inner",
     .id = 1,
     .label = PROTOBUF_C_LABEL_NONE,
     .type = PROTOBUF_C_TYPE_MESSAGE,
     .offset = offsetof(struct nest, inner),
     .descriptor = &nest_type},
};
static const ProtobufCIntRange nest_ranges[] = {{1, 0}, {0, 1}};
static void nest_init(ProtobufCMessage *message)
{
    *(struct nest *)message = (struct nest){.base.descriptor = &nest_type};
}
static const ProtobufCMessageDescriptor nest_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "nest",
    .sizeof_message = sizeof(struct nest),
    .n_fields = 1,
    .fields = nest_fields,
    .n_field_ranges = 1,
    .field_ranges = nest_ranges,
    .message_init = nest_init,
};

static void test_depth(void **state)
{
    (void)state;
    struct buffer wire = {0}, outer = {0};
    for (unsigned depth = 1; depth < UNPACK_DEPTH_MAX; depth++) {
        assert_true(fits(&nest_type, &wire));
        buffer_clear(&outer);
        put_bytes(&outer, 1, wire.data, wire.size);
        buffer_clear(&wire);
        assert_int_equal(buffer_append(&wire, outer.data, outer.size), 0);
    }
    measure(&nest_type, &wire);
    assert_true(fits(&nest_type, &wire));
    buffer_clear(&outer);
    put_bytes(&outer, 1, wire.data, wire.size);
    assert_false(fits(&nest_type, &outer));
    buffer_fini(&wire);
    buffer_fini(&outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts), cmocka_unit_test(test_packed),
        cmocka_unit_test(test_floods), cmocka_unit_test(test_one_message_twice),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
