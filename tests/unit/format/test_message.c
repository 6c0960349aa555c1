#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "format/message.h"

#define DAYS(n) (INT64_C(86400) * 1000000000 * (n))

static const struct end_spec full_spec = {
    .flow = 999999,
    .id = -7,
    .end = END_DST,
    .source = true,
    .sink = true,
    .start_ns = DAYS(300),
    .duration_ns = DAYS(66),
    .local_address = "10.0.0.1",
    .peer_address = "fe80::1%eth0",
    .peer_port = 65535,
    .device = "a23456789012345",
    .ccalg = "b23456789012345",
    .ecn = true,
    .nodelay = true,
    .tuning = {.send_rate = RATE_MAX,
               .read_rate = RATE_MAX - 1,
               .pacing_rate = RATE_MIN,
               .send_buffer = BUFFER_MAX,
               .receive_buffer = BUFFER_MIN,
               .mss = MSS_MAX},
    .connect = CONNECT_AT_START,
    .finish = FINISH_ABORT,
    .token = "0123456789abcde",
};

/* The spec as a message, to be broken. */
static Tcpflowgen__EndSpec message_of(struct end_spec *spec)
{
    Tcpflowgen__EndSpec message;
    *spec = full_spec;
    message_from_end_spec(&message, spec);
    return message;
}

static void assert_same_spec(const struct end_spec *a, const struct end_spec *b)
{
    assert_int_equal(a->flow, b->flow);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->sink, b->sink);
    assert_int_equal(a->start_ns, b->start_ns);
    assert_int_equal(a->duration_ns, b->duration_ns);
    assert_string_equal(a->local_address, b->local_address);
    assert_string_equal(a->peer_address, b->peer_address);
    assert_int_equal(a->peer_port, b->peer_port);
    assert_string_equal(a->device, b->device);
    assert_string_equal(a->ccalg, b->ccalg);
    assert_int_equal(a->ecn, b->ecn);
    assert_int_equal(a->nodelay, b->nodelay);
    assert_int_equal(a->tuning.send_rate, b->tuning.send_rate);
    assert_int_equal(a->tuning.read_rate, b->tuning.read_rate);
    assert_int_equal(a->tuning.pacing_rate, b->tuning.pacing_rate);
    assert_int_equal(a->tuning.send_buffer, b->tuning.send_buffer);
    assert_int_equal(a->tuning.receive_buffer, b->tuning.receive_buffer);
    assert_int_equal(a->tuning.mss, b->tuning.mss);
    assert_int_equal(a->connect, b->connect);
    assert_int_equal(a->finish, b->finish);
    assert_memory_equal(a->token, b->token, TOKEN_SIZE);
    assert_false(a->no_token);
}

/* Over the wire and back. */
static void assert_survives(const struct end_spec *spec)
{
    struct end_spec copy = *spec, back;
    struct error err = {0};
    Tcpflowgen__EndSpec message;
    uint8_t bytes[512];
    message_from_end_spec(&message, &copy);
    assert_true(tcpflowgen__end_spec__get_packed_size(&message) <= sizeof bytes);
    size_t size = tcpflowgen__end_spec__pack(&message, bytes);
    Tcpflowgen__EndSpec *received = tcpflowgen__end_spec__unpack(NULL, size, bytes);
    assert_non_null(received);
    assert_int_equal(message_to_end_spec(&back, received, &err), 0);
    tcpflowgen__end_spec__free_unpacked(received, NULL);
    assert_same_spec(&back, spec);
}

static void test_end_spec_round_trip(void **state)
{
    (void)state;
    const struct end_spec least = {.duration_ns = 1, .peer_address = "::1"};
    assert_survives(&full_spec);
    assert_survives(&least);
}

static void refused(const Tcpflowgen__EndSpec *message, const char *what)
{
    struct end_spec out;
    struct error err = {0};
    assert_int_equal(message_to_end_spec(&out, message, &err), ERROR_INPUT);
    assert_non_null(strstr(err.what, what));
    assert_non_null(strstr(err.where, "flow"));
    assert_int_equal(message_to_end_spec(&out, message, NULL), ERROR_INPUT);
}

#define REFUSED(field, value, what)                      \
    do {                                                 \
        struct end_spec spec;                            \
        Tcpflowgen__EndSpec message = message_of(&spec); \
        message.field = (value);                         \
        refused(&message, what);                         \
    } while (0)

static void test_numbers_out_of_range(void **state)
{
    (void)state;
    REFUSED(flow, 1000000, "flow");
    REFUSED(flow, UINT32_MAX, "flow");
    REFUSED(end, 2, "end");
    REFUSED(connect, 2, "connect");
    REFUSED(finish, UINT32_MAX, "finish");
    REFUSED(peer_port, 65536, "peer_port");
    REFUSED(start_ns, -1, "start");
    REFUSED(start_ns, INT64_MIN, "start");
    REFUSED(start_ns, INT64_MAX, "start");
    REFUSED(start_ns, DAYS(300) + 1, "start");
    REFUSED(duration_ns, 0, "duration");
    REFUSED(duration_ns, -1, "duration");
    REFUSED(duration_ns, DAYS(366) + 1, "duration");
    REFUSED(duration_ns, INT64_MAX, "duration");
    REFUSED(duration_ns, INT64_MIN, "duration");
    REFUSED(send_rate, RATE_MIN - 1, "send_rate");
    REFUSED(send_rate, UINT64_MAX, "send_rate");
    REFUSED(read_rate, RATE_MAX + 1, "read_rate");
    REFUSED(pacing_rate, 1, "pacing_rate");
    REFUSED(send_buffer, BUFFER_MIN - 1, "send_buffer");
    REFUSED(receive_buffer, BUFFER_MAX + 1u, "receive_buffer");
    REFUSED(mss, 87, "mss");
    REFUSED(mss, UINT32_MAX, "mss");
}

static void test_texts_that_do_not_fit(void **state)
{
    (void)state;
    REFUSED(device, (char *)"a234567890123456", "device");
    REFUSED(device, (char *)"eth 0", "device");
    REFUSED(device, (char *)"../eth0", "device");
    REFUSED(device, (char *)"..", "device");
    REFUSED(device, (char *)"eth0:1", "device");
    REFUSED(device, (char *)"eth\n", "device");
    REFUSED(ccalg, (char *)"b234567890123456", "ccalg");
    REFUSED(ccalg, (char *)"Cubic", "ccalg");
    REFUSED(ccalg, (char *)"cubic bbr", "ccalg");
    REFUSED(ccalg, (char *)"/x", "ccalg");
}

static void test_addresses(void **state)
{
    (void)state;
    REFUSED(peer_address, (char *)"", "peer_address");
    REFUSED(peer_address, (char *)"localhost", "peer_address");
    REFUSED(peer_address, (char *)"10.0.0", "peer_address");
    REFUSED(peer_address, (char *)"10.0.0.1 ", "peer_address");
    REFUSED(peer_address, (char *)"10.0.0.1%eth0", "peer_address");
    REFUSED(peer_address, (char *)"[::1]", "peer_address");
    REFUSED(peer_address, (char *)"fe80::1%", "peer_address");
    REFUSED(peer_address, (char *)"fe80::1%../x", "peer_address");
    REFUSED(peer_address, (char *)"fe80::1%a234567890123456", "peer_address");
    REFUSED(local_address, (char *)"any", "local_address");
    REFUSED(local_address, (char *)"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
            "local_address");
}

/* Only the earlier program's service knows such ends: field 18 is nothing. */
static void test_no_token(void **state)
{
    (void)state;
    static const uint8_t no_token[] = {0x90, 0x01, 1}; /* field 18: true */
    struct end_spec spec;
    Tcpflowgen__EndSpec message = message_of(&spec);
    message.token.len = 0;
    refused(&message, "token");
    uint8_t bytes[512 + sizeof no_token];
    size_t size = tcpflowgen__end_spec__pack(&message, bytes);
    memcpy(bytes + size, no_token, sizeof no_token);
    Tcpflowgen__EndSpec *received =
        tcpflowgen__end_spec__unpack(NULL, size + sizeof no_token, bytes);
    assert_non_null(received);
    assert_int_equal(received->base.n_unknown_fields, 1);
    refused(received, "token");
    tcpflowgen__end_spec__free_unpacked(received, NULL);
    message.token.len = TOKEN_SIZE;
    message.end = END_DST;
    message.peer_address = (char *)"";
    refused(&message, "peer_address");
}

static void test_token_size(void **state)
{
    (void)state;
    uint8_t bytes[TOKEN_SIZE + 1] = {0};
    for (size_t size = 0; size <= sizeof bytes; size++) {
        struct end_spec spec, out;
        Tcpflowgen__EndSpec message = message_of(&spec);
        message.token = (ProtobufCBinaryData){.len = size, .data = size ? bytes : NULL};
        if (size == TOKEN_SIZE)
            assert_int_equal(message_to_end_spec(&out, &message, NULL), 0);
        else
            refused(&message, "token");
    }
}

static int axis_passes(int64_t axis_ns, int64_t local_ns, double rate)
{
    const struct axis axis = {axis_ns, local_ns, rate};
    struct axis back;
    Tcpflowgen__Axis message;
    message_from_axis(&message, &axis);
    int failed = message_to_axis(&back, &message, NULL);
    if (!failed) {
        assert_int_equal(back.axis_ns, axis_ns);
        assert_int_equal(back.local_ns, local_ns);
        assert_true(back.rate == rate);
    }
    return !failed;
}

static void test_axis(void **state)
{
    (void)state;
    const int64_t max = INT64_C(1) << 61;
    assert_true(axis_passes(0, 0, 0));
    assert_true(axis_passes(-max, max, 0.0099));
    assert_true(axis_passes(max, -max, -0.0099));
    assert_false(axis_passes(max + 1, 0, 0));
    assert_false(axis_passes(-max - 1, 0, 0));
    assert_false(axis_passes(0, INT64_MAX, 0));
    assert_false(axis_passes(0, INT64_MIN, 0));
    assert_false(axis_passes(0, 0, 0.01));
    assert_false(axis_passes(0, 0, -0.01));
    assert_false(axis_passes(0, 0, (double)NAN));
    assert_false(axis_passes(0, 0, (double)INFINITY));
    assert_false(axis_passes(0, 0, (double)-INFINITY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_spec_round_trip),
        cmocka_unit_test(test_numbers_out_of_range),
        cmocka_unit_test(test_texts_that_do_not_fit),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_no_token),
        cmocka_unit_test(test_token_size),
        cmocka_unit_test(test_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
