#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/packets_record.h"
#include "format/spool_record.h"
#include "proto/agent.pb-c.h"

static const uint8_t DATA[] = "abcdefghij";
static const struct packet PACKETS[] = {
    {.t_ns = INT64_C(5000000000), .length = 1514, .captured = 4},
    {.t_ns = INT64_C(4999999999), .length = 4, .captured = 4}, /* stamps may step back */
    {.t_ns = INT64_C(5000000777), .length = 66, .captured = 0},
    {.t_ns = INT64_C(5000000778), .length = 66, .captured = 2},
};
static const struct packet_batch BATCH = {
    .flow = 7,
    .end = END_DST,
    .link_type = LINKTYPE_ETHERNET,
    .packets = PACKETS,
    .count = 4,
    .data = DATA,
    .size = 10,
};

struct seen {
    size_t count, bytes;
    int stop_at;
};

static int see(void *arg, uint32_t link_type, const struct packet *packet, const uint8_t *bytes,
               struct error *err)
{
    struct seen *seen = arg;
    (void)err;
    if ((int)seen->count == seen->stop_at)
        return 77;
    assert_int_equal(link_type, LINKTYPE_ETHERNET);
    assert_memory_equal(packet, &PACKETS[seen->count], sizeof *packet);
    assert_memory_equal(bytes, DATA + seen->bytes, packet->captured);
    seen->count++;
    seen->bytes += packet->captured;
    return 0;
}

static void test_there_and_back(void **state)
{
    struct buffer out = {0};
    struct spool_head head;
    struct seen seen = {.stop_at = -1};
    (void)state;
    assert_int_equal(packets_record_encode(&out, &BATCH), 0);
    assert_int_equal(spool_record_head(out.data, out.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_PACKETS);
    assert_int_equal(head.flow, 7);
    assert_int_equal(head.end, END_DST);
    assert_int_equal(packets_record_each(out.data, out.size, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.bytes, 10);
    seen = (struct seen){.stop_at = 2};
    assert_int_equal(packets_record_each(out.data, out.size, see, &seen, NULL), 77);
    buffer_fini(&out);
}

static int count(void *arg, uint32_t link_type, const struct packet *packet, const uint8_t *bytes,
                 struct error *err)
{
    (void)link_type;
    (void)err;
    for (uint32_t i = 0; i < packet->captured; i++)
        *(unsigned *)arg += bytes[i];
    return 0;
}

/* Any byte of a record may be another: sanitizers see what is read. */
static void test_hostile_bytes(void **state)
{
    struct buffer out = {0};
    unsigned sum = 0;
    (void)state;
    packets_record_encode(&out, &BATCH);
    for (size_t at = 0; at < out.size; at++)
        for (unsigned value = 0; value < 256; value++) {
            const uint8_t was = out.data[at];
            out.data[at] = (uint8_t)value;
            const int failed = packets_record_each(out.data, out.size, count, &sum, NULL);
            assert_true(failed == 0 || failed == ERROR_INPUT);
            out.data[at] = was;
        }
    for (size_t size = 0; size < out.size; size++)
        packets_record_each(out.data, size, count, &sum, NULL);
    buffer_fini(&out);
}

/* What an agent of ours never writes. */
static void expect_broken(const Tcpflowgen__Packets *packets)
{
    struct buffer out = {0};
    unsigned sum = 0;
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.packets = (Tcpflowgen__Packets *)packets;
    const size_t size = tcpflowgen__spool_record__get_packed_size(&record);
    assert_non_null(buffer_reserve(&out, size));
    out.size = tcpflowgen__spool_record__pack(&record, out.data);
    assert_int_equal(packets_record_each(out.data, out.size, count, &sum, NULL), ERROR_INPUT);
    buffer_fini(&out);
}

static void test_what_cannot_be(void **state)
{
    static int64_t t_ns[PACKETS_MAX + 1];
    static uint32_t zeros[PACKETS_MAX + 1];
    uint8_t data[CAPTURE_SNAP + 1] = {0};
    uint32_t length = 10, captured = 11;
    (void)state;
    /* More packets than a batch has. */
    Tcpflowgen__Packets packets = TCPFLOWGEN__PACKETS__INIT;
    packets.n_t_ns = packets.n_length = packets.n_captured = PACKETS_MAX + 1;
    packets.t_ns = t_ns;
    packets.length = packets.captured = zeros;
    expect_broken(&packets);
    /* More kept than there was. */
    packets.n_t_ns = packets.n_length = packets.n_captured = 1;
    packets.length = &length;
    packets.captured = &captured;
    packets.data = (ProtobufCBinaryData){.len = sizeof data, .data = data};
    expect_broken(&packets);
    /* More kept than is ever. */
    length = 1500;
    captured = CAPTURE_SNAP + 1;
    expect_broken(&packets);
}

/* A packet of no byte, in a record that has none. */
static void test_no_bytes(void **state)
{
    (void)state;
    const struct packet packet = {.t_ns = 1};
    const struct packet_batch batch = {.packets = &packet, .count = 1};
    struct buffer out = {0};
    unsigned sum = 0;
    assert_int_equal(packets_record_encode(&out, &batch), 0);
    assert_int_equal(packets_record_each(out.data, out.size, count, &sum, NULL), 0);
    buffer_fini(&out);
}

/* Unpacked, each of these empty fields would cost fifty times its size. */
static void test_many_fields(void **state)
{
    struct buffer out = {0};
    unsigned sum = 0;
    (void)state;
    assert_int_equal(buffer_append(&out, "\x62\xc0\x9a\x0c", 4), 0); /* 12, of 200 000 bytes */
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(buffer_append(&out, "\x7a", 2), 0); /* field 15: nothing */
    assert_int_equal(packets_record_each(out.data, out.size, count, &sum, NULL), ERROR_INPUT);
    buffer_fini(&out);
}

static void test_a_full_batch(void **state)
{
    static struct packet packets[PACKETS_MAX];
    static uint8_t data[PACKETS_MAX * CAPTURE_SNAP];
    struct buffer out = {0};
    unsigned sum = 0;
    (void)state;
    memset(data, 1, sizeof data);
    for (size_t i = 0; i < PACKETS_MAX; i++)
        packets[i] = (struct packet){
            .t_ns = i % 2 ? INT64_MAX : INT64_MIN, .length = UINT32_MAX, .captured = CAPTURE_SNAP};
    const struct packet_batch batch = {.link_type = LINKTYPE_RAW,
                                       .packets = packets,
                                       .count = PACKETS_MAX,
                                       .data = data,
                                       .size = sizeof data};
    assert_int_equal(packets_record_encode(&out, &batch), 0);
    assert_true(out.size < SPOOL_RECORD_MAX);
    assert_int_equal(packets_record_each(out.data, out.size, count, &sum, NULL), 0);
    assert_int_equal(sum, sizeof data);
    buffer_fini(&out);
}

static void test_report(void **state)
{
    const struct capture_report report = {.flow = 3,
                                          .end = END_SRC,
                                          .packets = 1000,
                                          .dropped = 20,
                                          .lost = 3,
                                          .error_ns = 250,
                                          .device = "eth1",
                                          .error = "why not"};
    struct buffer out = {0};
    struct spool_head head;
    (void)state;
    assert_int_equal(packets_record_report(&out, &report), 0);
    assert_int_equal(spool_record_head(out.data, out.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_CAPTURED);
    assert_memory_equal(&head.captured, &report, sizeof report);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_what_cannot_be), cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_no_bytes),       cmocka_unit_test(test_a_full_batch),
        cmocka_unit_test(test_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
