#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "probe/packet.h"

static const uint8_t bytes[PROBE_KEY_SIZE] = {1, 2, 3};
static const struct probe_packet reply = {
    .kind = PROBE_REPLY,
    .sequence = UINT64_C(0x0102030405060708),
    .received_ns = INT64_C(1) << 60,
    .sent_ns = -5,
    .received_by_kernel = true,
    .has_previous = true,
    .previous_sent_ns = INT64_MIN,
};

static int setup(void **state)
{
    *state = hmac_new(bytes, PROBE_KEY_SIZE);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    hmac_free(*state);
    return 0;
}

static void comes_back_as_it_went(void **state)
{
    uint8_t data[PROBE_PACKET_SIZE];
    struct probe_packet read;
    assert_true(probe_packet_write(&reply, *state, data));
    assert_true(probe_packet_read(&read, PROBE_REPLY, *state, data, sizeof data));
    assert_int_equal(read.sequence, reply.sequence);
    assert_true(read.received_ns == reply.received_ns && read.sent_ns == reply.sent_ns);
    assert_true(read.received_by_kernel && read.has_previous);
    assert_true(read.previous_sent_ns == reply.previous_sent_ns);

    const struct probe_packet request = {.kind = PROBE_REQUEST, .sequence = 7};
    assert_true(probe_packet_write(&request, *state, data));
    assert_true(probe_packet_read(&read, PROBE_REQUEST, *state, data, sizeof data));
    assert_int_equal(read.sequence, 7);
    assert_false(read.received_by_kernel || read.has_previous);
}

/* The wire's form, by another implementation of HMAC-SHA256: masters and agents of different
 * versions must agree. */
static void has_the_form_that_is_written_down(void **state)
{
    static const uint8_t expected[PROBE_PACKET_SIZE] = {
        't',  'f',  'g',  'p',  1,    1,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    7,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x64, 0x6a,
        0xe4, 0x19, 0xa4, 0x6c, 0x0f, 0x53, 0x30, 0x89, 0xe6, 0xa6, 0xea, 0x51, 0xb3, 0xde};
    uint8_t data[PROBE_PACKET_SIZE];
    const struct probe_packet request = {.kind = PROBE_REQUEST, .sequence = 7};
    assert_true(probe_packet_write(&request, *state, data));
    assert_memory_equal(data, expected, sizeof data);
}

static void every_bit_counts(void **state)
{
    uint8_t data[PROBE_PACKET_SIZE];
    struct probe_packet read;
    assert_true(probe_packet_write(&reply, *state, data));
    for (size_t bit = 0; bit < sizeof data * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(probe_packet_read(&read, PROBE_REPLY, *state, data, sizeof data));
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(probe_packet_read(&read, PROBE_REPLY, *state, data, sizeof data));
}

static void wrong_sizes_kinds_and_keys_are_refused(void **state)
{
    uint8_t data[PROBE_PACKET_SIZE + 1] = {0};
    struct probe_packet read;
    assert_true(probe_packet_write(&reply, *state, data));
    for (size_t size = 0; size <= sizeof data; size++)
        assert_int_equal(probe_packet_read(&read, PROBE_REPLY, *state, data, size),
                         size == PROBE_PACKET_SIZE);
    /* A reply that is sent back is no request. */
    assert_false(probe_packet_read(&read, PROBE_REQUEST, *state, data, PROBE_PACKET_SIZE));

    uint8_t other_bytes[PROBE_KEY_SIZE];
    memcpy(other_bytes, bytes, sizeof bytes);
    other_bytes[PROBE_KEY_SIZE - 1] ^= 1;
    struct hmac *other = hmac_new(other_bytes, PROBE_KEY_SIZE);
    assert_false(probe_packet_read(&read, PROBE_REPLY, other, data, PROBE_PACKET_SIZE));
    hmac_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_as_it_went, setup, teardown),
        cmocka_unit_test_setup_teardown(has_the_form_that_is_written_down, setup, teardown),
        cmocka_unit_test_setup_teardown(every_bit_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_sizes_kinds_and_keys_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
