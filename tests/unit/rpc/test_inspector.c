/* What of a client's bytes gets to gRPC: all of the well-behaved, in any pieces, and nothing that
 * gRPC would not bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rpc/rpc_inspector.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING = 6, WINDOW_UPDATE = 8, CONTINUATION };

#define NOW_NS (77 * NS_PER_S)

struct client {
    struct rpc_inspector inspector;
    int64_t now_ns;
    const char *why;
};

static uint8_t *make_frame(size_t length, unsigned type, unsigned flags, uint32_t stream)
{
    uint8_t *bytes = calloc(1, RPC_FRAME_HEAD + length);
    const uint8_t head[] = {
        (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length,
        (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    assert_non_null(bytes);
    memcpy(bytes, head, sizeof head);
    return bytes;
}

static const char *send_frame(struct client *client, size_t length, unsigned type, unsigned flags,
                              uint32_t stream)
{
    uint8_t *bytes = make_frame(length, type, flags, stream);
    client->why =
        rpc_inspector_take(&client->inspector, bytes, RPC_FRAME_HEAD + length, client->now_ns);
    free(bytes);
    return client->why;
}

static void hear_frame(struct client *client, size_t length, unsigned type, unsigned flags,
                       uint32_t stream)
{
    uint8_t *bytes = make_frame(length, type, flags, stream);
    rpc_inspector_hear(&client->inspector, bytes, RPC_FRAME_HEAD + length, client->now_ns);
    free(bytes);
}

static void begin(struct client *client)
{
    rpc_inspector_init(&client->inspector, NOW_NS);
    client->now_ns = NOW_NS;
    client->why = rpc_inspector_take(&client->inspector, (const uint8_t *)RPC_PREFACE,
                                     RPC_PREFACE_SIZE, NOW_NS);
    assert_null(client->why);
}

static void greet(struct client *client)
{
    begin(client);
    assert_null(send_frame(client, 12, SETTINGS, 0, 0));
}

static const char *call_at_once(struct client *client, unsigned number)
{
    return send_frame(client, 200, HEADERS, FRAME_END_HEADERS, 2 * number + 1);
}

static const char *call(struct client *client, unsigned number)
{
    client->now_ns += RPC_CALLS_NS;
    return call_at_once(client, number);
}

static void assert_cut(const char *why, const char *words)
{
    assert_non_null(why);
    assert_non_null(strstr(why, words));
}

/* ---- whom nothing happens to ---- */

static void test_a_client_as_they_are(void **state)
{
    (void)state;
    struct client client;
    greet(&client);
    assert_null(send_frame(&client, 4, WINDOW_UPDATE, 0, 0));
    assert_null(send_frame(&client, 0, SETTINGS, FRAME_ACK, 0));
    for (unsigned i = 0; i < 1000; i++) {
        client.now_ns += RPC_RARE_NS;
        assert_null(call(&client, i));
        assert_null(send_frame(&client, 16384, DATA, 0, 2 * i + 1));
        assert_null(send_frame(&client, 100000, DATA, FRAME_END_STREAM, 2 * i + 1));
        assert_null(send_frame(&client, 8, PING, FRAME_ACK, 0));
        if (i % 2)
            assert_null(send_frame(&client, 4, RST_STREAM, 0, 2 * i + 1));
        else
            hear_frame(&client, 4, HEADERS, FRAME_END_STREAM, 2 * i + 1);
    }
}

static void test_calls_and_resets_by_the_second(void **state)
{
    (void)state;
    struct client client;
    greet(&client);
    for (unsigned i = 0; i < RPC_CALLS_BURST; i++) {
        assert_null(call_at_once(&client, i));
        hear_frame(&client, 4, RST_STREAM, 0, 2 * i + 1);
    }
    client.now_ns += RPC_CALLS_NS;
    assert_null(call_at_once(&client, RPC_CALLS_BURST));
    for (unsigned i = 1; i < RPC_RARE_BURST; i++) /* the SETTINGS were one */
        assert_null(send_frame(&client, 4, RST_STREAM, 0, 2 * i + 1));
    struct client other = client;
    assert_cut(send_frame(&client, 4, RST_STREAM, 0, 1), "resets");
    assert_cut(call_at_once(&other, RPC_CALLS_BURST + 1), "calls a second");
}

static void test_rare_frames_by_the_second(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        unsigned type, flags;
    } frames[] = {{6, SETTINGS, 0}, {0, SETTINGS, 1}, {5, PRIORITY, 0}, {8, 7, 0}, {0, 0x5A, 0}};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct client client;
        greet(&client);
        for (unsigned n = 1; n < RPC_RARE_BURST; n++)
            assert_null(send_frame(&client, frames[i].length, frames[i].type, frames[i].flags, 0));
        client.now_ns += RPC_RARE_NS;
        assert_null(send_frame(&client, frames[i].length, frames[i].type, frames[i].flags, 0));
        assert_cut(send_frame(&client, frames[i].length, frames[i].type, frames[i].flags, 0),
                   "kinds that are rare");
    }
}

/* A head may be torn anywhere. */
static void test_in_any_pieces(void **state)
{
    (void)state;
    static const uint8_t rest[] = {
        0, 0, 6, SETTINGS,     0, 0, 0, 0, 0, 0,    3,    0, 0, 0, 9, /* a limit of its own */
        0, 0, 2, HEADERS,      0, 0, 0, 0, 1, 0x82, 0x86,             /* to be continued */
        0, 0, 1, CONTINUATION, 4, 0, 0, 0, 1, 0x84,                   /* its end */
        0, 0, 0, CONTINUATION, 4, 0, 0, 0, 1,                         /* wrong */
    };
    uint8_t bytes[RPC_PREFACE_SIZE + sizeof rest];
    memcpy(bytes, RPC_PREFACE, RPC_PREFACE_SIZE);
    memcpy(bytes + RPC_PREFACE_SIZE, rest, sizeof rest);
    for (size_t step = 1; step <= sizeof bytes; step++) {
        struct rpc_inspector inspector;
        const char *why = NULL;
        size_t at = 0, size = step;
        rpc_inspector_init(&inspector, NOW_NS);
        for (; at < sizeof bytes; at += size) {
            size = sizeof bytes - at < step ? sizeof bytes - at : step;
            assert_null(why);
            why = rpc_inspector_take(&inspector, bytes + at, size, NOW_NS);
        }
        assert_cut(why, "not continued");
    }
}

/* ---- calls under way ---- */

static void test_only_so_many_under_way(void **state)
{
    (void)state;
    static const struct {
        bool servers;
        unsigned type, flags;
    } ends[] = {{false, RST_STREAM, 0},
                {true, RST_STREAM, 0},
                {true, HEADERS, FRAME_END_STREAM | FRAME_END_HEADERS},
                {true, HEADERS, FRAME_END_STREAM},
                {true, DATA, FRAME_END_STREAM}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct client client;
        greet(&client);
        for (unsigned n = 0; n < RPC_STREAMS_MAX; n++) {
            assert_null(call(&client, n));
            assert_null(call(&client, n)); /* trailers open nothing */
            assert_null(send_frame(&client, 100, DATA, FRAME_END_STREAM, 2 * n + 1));
            hear_frame(&client, 100, HEADERS, FRAME_END_HEADERS, 2 * n + 1);
            hear_frame(&client, 100, DATA, 0, 2 * n + 1);
        }
        struct client other = client;
        assert_cut(call(&other, RPC_STREAMS_MAX), "more than 32 calls under way");
        if (ends[i].servers)
            hear_frame(&client, 4, ends[i].type, ends[i].flags, 7);
        else
            assert_null(send_frame(&client, 4, ends[i].type, ends[i].flags, 7));
        assert_null(call(&client, RPC_STREAMS_MAX));
        assert_cut(call(&client, RPC_STREAMS_MAX + 1), "more than 32 calls under way");
    }
}

/* ---- requests under way ---- */

#define LARGEST (RPC_MESSAGE_MAX + 5)

/* Of a call that is there, in frames as gRPC makes them. */
static const char *send_request(struct client *client, unsigned number, size_t size, bool whole)
{
    for (size_t piece; !client->why && size; size -= piece) {
        piece = size < 16384 ? size : 16384;
        send_frame(client, piece, DATA, whole && piece == size ? FRAME_END_STREAM : 0,
                   2 * number + 1);
    }
    return client->why;
}

static void test_a_large_request_passes(void **state)
{
    (void)state;
    struct client client;
    greet(&client);
    for (unsigned n = 0; n < 20; n += 2) {
        assert_null(call(&client, n));
        assert_null(send_request(&client, n, LARGEST, true));
        for (unsigned i = 0; i < 100; i++) { /* meanwhile; what follows the watch is short */
            assert_null(call(&client, n + 1));
            assert_null(send_request(&client, n + 1, 100, true));
            assert_null(send_frame(&client, 8, PING, FRAME_ACK, 0));
            hear_frame(&client, 4, HEADERS, FRAME_END_STREAM, 2 * (n + 1) + 1);
        }
        hear_frame(&client, 4, HEADERS, FRAME_END_STREAM, 2 * n + 1);
        assert_int_equal(client.inspector.held, 0);
    }
}

/* Each may be as large as a message, but not all that are under way. */
static void test_unended_requests(void **state)
{
    (void)state;
    struct client client;
    greet(&client);
    assert_null(call(&client, 0));
    assert_null(send_request(&client, 0, LARGEST, false));
    assert_null(call(&client, 1));
    assert_cut(send_request(&client, 1, LARGEST, false), "more than 5 MiB");
    /* Small ones all together. */
    greet(&client);
    for (unsigned n = 0; n < RPC_STREAMS_MAX; n++)
        assert_null(call(&client, n));
    for (unsigned i = 0; !client.why && i < 10; i++)
        for (unsigned n = 0; !client.why && n < RPC_STREAMS_MAX; n++)
            send_request(&client, n, 30000, false);
    assert_cut(client.why, "more than 5 MiB");
    /* One that is ended has its bytes until it is answered. */
    greet(&client);
    assert_null(call(&client, 0));
    assert_null(send_request(&client, 0, LARGEST, true));
    assert_null(call(&client, 1));
    assert_cut(send_request(&client, 1, LARGEST, true), "more than 5 MiB");
    /* Those of a call that is over are nobody's. */
    greet(&client);
    assert_null(call(&client, 0));
    assert_null(send_request(&client, 0, LARGEST, false));
    hear_frame(&client, 4, HEADERS, FRAME_END_STREAM, 1);
    assert_null(send_request(&client, 0, 2 * LARGEST, false));
}

/* gRPC would keep 64 KiB for each of these bytes, and its own record for each of the others. */
static void test_requests_that_take_more_than_they_have(void **state)
{
    (void)state;
    struct client client;
    greet(&client);
    assert_null(call(&client, 0));
    for (unsigned i = 0; !client.why && i < 81; i++) {
        for (unsigned n = 0; n < 4; n++)
            assert_null(send_frame(&client, 16384, PING, FRAME_ACK, 0));
        send_frame(&client, 1, DATA, 0, 1);
    }
    assert_cut(client.why, "more than 5 MiB");
    greet(&client);
    assert_null(call(&client, 0));
    for (unsigned i = 0; !client.why && i < RPC_HELD_MAX / RPC_RECORD_SIZE; i++)
        send_frame(&client, i % 2, DATA, 0, 1);
    assert_cut(client.why, "more than 5 MiB");
}

/* ---- idle ---- */

static void test_idle_since(void **state)
{
    (void)state;
    struct client client;
    const struct rpc_inspector *inspector = &client.inspector;
    greet(&client);
    assert_int_equal(rpc_inspector_idle_ns(inspector), NOW_NS);
    client.now_ns += NS_PER_S; /* neither frames without a call nor a piece of a request count */
    assert_null(send_frame(&client, 8, PING, 0, 0));
    assert_int_equal(rpc_inspector_idle_ns(inspector), NOW_NS);
    assert_null(call(&client, 0));
    assert_null(send_request(&client, 0, 100, false));
    assert_int_equal(rpc_inspector_idle_ns(inspector), NOW_NS + RPC_COMING_NS);
    client.now_ns += NS_PER_S;
    assert_null(send_frame(&client, 10, DATA, FRAME_END_STREAM, 1));
    assert_int_equal(rpc_inspector_idle_ns(inspector), client.now_ns + RPC_WAITING_NS);
    client.now_ns += NS_PER_S; /* what follows an end is nothing */
    int64_t ended_ns = client.now_ns - NS_PER_S;
    assert_null(send_frame(&client, 10, DATA, FRAME_END_STREAM, 1));
    assert_int_equal(rpc_inspector_idle_ns(inspector), ended_ns + RPC_WAITING_NS);
    hear_frame(&client, 10, DATA, 0, 1);
    assert_int_equal(rpc_inspector_idle_ns(inspector), client.now_ns + RPC_WAITING_NS);
    client.now_ns += NS_PER_S;
    hear_frame(&client, 10, HEADERS, FRAME_END_STREAM, 1);
    assert_int_equal(rpc_inspector_idle_ns(inspector), client.now_ns);
}

/* ---- headers ---- */

static void test_blocks_of_headers(void **state)
{
    (void)state;
    struct client client;
    const size_t most = RPC_BLOCK_MAX - RPC_FRAME_HEAD;
    greet(&client);
    assert_null(send_frame(&client, most, HEADERS, FRAME_END_HEADERS, 1));
    assert_null(send_frame(&client, most, HEADERS, FRAME_END_HEADERS, 3));
    assert_cut(send_frame(&client, most + 1, HEADERS, FRAME_END_HEADERS, 5), "longer than 4096");
    greet(&client);
    assert_null(send_frame(&client, most - 1000, HEADERS, 0, 1));
    assert_null(send_frame(&client, 1000 - RPC_FRAME_HEAD, CONTINUATION, 0, 1));
    assert_cut(send_frame(&client, 0, CONTINUATION, 0, 1), "longer than 4096");
}

/* Each nearly a block's, and none with an end. */
static void test_continuations(void **state)
{
    (void)state;
    static const struct {
        unsigned type;
        uint32_t stream;
    } wrong[] = {{CONTINUATION, 3}, {HEADERS, 3}, {DATA, 1}, {PING, 0}, {SETTINGS, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct client client;
        greet(&client);
        assert_null(send_frame(&client, 10, HEADERS, 0, 1));
        assert_cut(send_frame(&client, 0, wrong[i].type, 0, wrong[i].stream), "not continued");
    }
    struct client client;
    greet(&client);
    assert_cut(send_frame(&client, 10, CONTINUATION, FRAME_END_HEADERS, 1), "not continued");
}

/* ---- frames ---- */

static void test_frames_that_cannot_be(void **state)
{
    (void)state;
    struct client client;
    begin(&client);
    assert_cut(call(&client, 0), "does not begin with SETTINGS");
    greet(&client);
    assert_cut(send_frame(&client, 10, HEADERS, FRAME_END_HEADERS, 0), "not a client's");
    greet(&client);
    assert_cut(send_frame(&client, 10, HEADERS, FRAME_END_HEADERS, 2), "not a client's");
    greet(&client);
    assert_null(send_frame(&client, 16380, SETTINGS, 0, 0));
    assert_cut(send_frame(&client, 16386, SETTINGS, 0, 0), "longer than 16384");
    greet(&client);
    assert_cut(send_frame(&client, 0, SETTINGS, FRAME_ACK, 1), "SETTINGS are of a stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_client_as_they_are),
        cmocka_unit_test(test_calls_and_resets_by_the_second),
        cmocka_unit_test(test_in_any_pieces),
        cmocka_unit_test(test_rare_frames_by_the_second),
        cmocka_unit_test(test_only_so_many_under_way),
        cmocka_unit_test(test_a_large_request_passes),
        cmocka_unit_test(test_unended_requests),
        cmocka_unit_test(test_requests_that_take_more_than_they_have),
        cmocka_unit_test(test_idle_since),
        cmocka_unit_test(test_blocks_of_headers),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_frames_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
