/* A relay between two pairs of sockets: all bytes in order, both ways, however slow one end is,
 * until one end closes or sends what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/rpc_internal.h"
#include "rpc/rpc_relay.h"
#include "util/clock.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define MUCH        (20u << 20)
#define LOAD_MAX    100000
#define HELD_MAX    (2u << 20) /* by the relay and the kernel */

static const uint8_t settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
static const uint8_t acknowledgement[9] = {0, 0, 0, 4, 1, 0, 0, 0, 0};

struct bench {
    struct rpc_gate *gate;
    struct rpc_relay *relay;
    int outside, inside; /* the relay's */
    int caller, grpc;
    bool begun, over, ended; /* the gate's thread */
    const char *why;
    struct rpc_load load;
    bool cut; /* another relay of the load */
};

struct other {
    struct bench *bench;
    struct rpc_relay *relay;
    int outside, inside, caller, grpc;
};

/* ---- on the gate's thread ---- */

static void on_over(struct rpc_relay *relay, const char *why)
{
    struct bench *bench = CONTAINER_OF(relay->load, struct bench, load);
    if (relay != bench->relay) { /* the other one */
        bench->cut = true;
        return;
    }
    bench->over = true;
    bench->why = why;
}

static void begin(void *arg)
{
    struct bench *bench = arg;
    bench->begun = rpc_relay_begin(bench->relay, bench->gate, bench->outside, bench->inside,
                                   &bench->load, on_over) == 0;
}

static void end(void *arg)
{
    struct bench *bench = arg;
    if (!bench->over)
        rpc_relay_end(bench->relay);
}

static void look(void *arg)
{
    struct bench *bench = arg;
    bench->ended = bench->over;
}

/* ---- the bench ---- */

static void pair_of(int *ours, int *relays)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *ours = fds[0];
    *relays = fds[1];
}

static void set_up(struct bench *bench)
{
    *bench = (struct bench){.relay = calloc(1, sizeof *bench->relay), .load = {.most = LOAD_MAX}};
    assert_non_null(bench->relay);
    assert_int_equal(rpc_gate_create(&bench->gate, NULL), 0);
    pair_of(&bench->caller, &bench->outside);
    pair_of(&bench->grpc, &bench->inside);
    rpc_gate_do(bench->gate, begin, bench);
    assert_true(bench->begun);
}

static void tear_down(struct bench *bench)
{
    rpc_gate_do(bench->gate, end, bench);
    rpc_gate_destroy(bench->gate);
    close(bench->caller);
    close(bench->grpc);
    free(bench->relay);
}

static void await_end(struct bench *bench)
{
    int64_t until = clock_now() + PATIENCE_NS;
    while (!bench->ended) {
        assert_true(clock_now() < until);
        rpc_gate_do(bench->gate, look, bench);
        usleep(1000);
    }
}

static void say(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

/* Exactly these come. */
static void hear(int fd, const void *bytes, size_t size)
{
    uint8_t *got = malloc(size);
    assert_non_null(got);
    for (size_t count = 0; count < size;) {
        struct pollfd state = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&state, 1, 10000), 1);
        ssize_t more = recv(fd, got + count, size - count, 0);
        assert_true(more > 0);
        count += (size_t)more;
    }
    assert_memory_equal(got, bytes, size);
    free(got);
}

/* It comes to its end, with no byte more. */
static void hear_end(int fd)
{
    char byte;
    struct pollfd state = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&state, 1, 10000), 1);
    ssize_t got = recv(fd, &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

/* Both sides have said what they begin with. */
static void set_up_greeted(struct bench *bench)
{
    set_up(bench);
    say(bench->grpc, settings, sizeof settings);
    say(bench->caller, RPC_PREFACE, RPC_PREFACE_SIZE);
    say(bench->caller, settings, sizeof settings);
    hear(bench->caller, settings, sizeof settings);
    hear(bench->grpc, RPC_PREFACE, RPC_PREFACE_SIZE);
    hear(bench->grpc, settings, sizeof settings);
}

/* DATA frames of numbers, to the caller's liking; the other way anything goes. */
static uint8_t *make_stream(size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i >> 16 ^ i * 7);
    for (size_t at = 0; at + 4096 <= size; at += 4096)
        memcpy(bytes + at, (uint8_t[]){0, 15, 247, 0, 0, 0, 0, 0, 1}, RPC_FRAME_HEAD);
    return bytes;
}

struct flow {
    int from, to;
    size_t sent, got;
};

/* Sends what it can, and takes what is there, unless it holds still. */
static void go_on(struct flow *flow, const uint8_t *bytes, size_t size, bool still)
{
    static uint8_t piece[100000];
    ssize_t put = size > flow->sent ? send(flow->from, bytes + flow->sent, size - flow->sent,
                                           MSG_NOSIGNAL | MSG_DONTWAIT)
                                    : 0;
    assert_true(put >= 0 || errno == EAGAIN);
    flow->sent += put > 0 ? (size_t)put : 0;
    ssize_t got = still ? 0 : recv(flow->to, piece, sizeof piece, MSG_DONTWAIT);
    if (got <= 0)
        return;
    assert_true(flow->got + (size_t)got <= size);
    assert_memory_equal(piece, bytes + flow->got, got);
    flow->got += (size_t)got;
}

/* ---- tests ---- */

static void test_much_both_ways(void **state)
{
    (void)state;
    struct bench bench;
    uint8_t *bytes = make_stream(MUCH);
    set_up_greeted(&bench);
    struct flow in = {bench.caller, bench.grpc, 0, 0}, out = {bench.grpc, bench.caller, 0, 0};
    int64_t until = clock_now() + PATIENCE_NS;
    while (in.got < MUCH || out.got < MUCH) {
        assert_true(clock_now() < until);
        go_on(&in, bytes, MUCH, false);
        go_on(&out, bytes, MUCH, false);
    }
    free(bytes);
    tear_down(&bench);
}

/* One way stands still while the other goes on. */
static void check_back_pressure(bool inwards)
{
    struct bench bench;
    uint8_t *bytes = make_stream(MUCH);
    set_up_greeted(&bench);
    struct flow in = {bench.caller, bench.grpc, 0, 0}, out = {bench.grpc, bench.caller, 0, 0};
    struct flow *slow = inwards ? &in : &out, *fast = inwards ? &out : &in;
    int64_t until = clock_now() + PATIENCE_NS;
    while (fast->got < MUCH) {
        assert_true(clock_now() < until);
        go_on(slow, bytes, MUCH, true);
        go_on(fast, bytes, MUCH, false);
    }
    assert_in_range(slow->sent, RPC_LANE_SIZE, HELD_MAX);
    while (slow->got < MUCH) {
        assert_true(clock_now() < until);
        go_on(slow, bytes, MUCH, false);
    }
    free(bytes);
    tear_down(&bench);
}

static void test_back_pressure(void **state)
{
    (void)state;
    check_back_pressure(true);
    check_back_pressure(false);
}

static void test_the_caller_ends_first(void **state)
{
    (void)state;
    struct bench bench;
    uint8_t *bytes = make_stream(HELD_MAX);
    set_up_greeted(&bench);
    shutdown(bench.caller, SHUT_WR);
    hear_end(bench.grpc);
    struct flow out = {bench.grpc, bench.caller, 0, 0};
    int64_t until = clock_now() + PATIENCE_NS;
    while (out.got < HELD_MAX) {
        assert_true(clock_now() < until);
        go_on(&out, bytes, HELD_MAX, false);
    }
    shutdown(bench.grpc, SHUT_RDWR);
    hear_end(bench.caller);
    await_end(&bench);
    assert_null(bench.why);
    free(bytes);
    tear_down(&bench);
}

/* All that it wrote arrives, though nobody read until it had closed. */
static void test_grpc_ends_first(void **state)
{
    (void)state;
    struct bench bench;
    uint8_t *bytes = make_stream(MUCH);
    set_up_greeted(&bench);
    struct flow out = {bench.grpc, bench.caller, 0, 0};
    for (int i = 0; i < 20; i++, usleep(1000))
        go_on(&out, bytes, MUCH, true);
    close(bench.grpc);
    bench.grpc = -1;
    say(bench.caller, acknowledgement, sizeof acknowledgement); /* nobody takes it */
    hear(bench.caller, bytes, out.sent);
    hear_end(bench.caller);
    close(bench.caller);
    bench.caller = -1;
    await_end(&bench);
    assert_null(bench.why);
    free(bytes);
    tear_down(&bench);
}

/* The one that stays has 5 s. */
static void test_one_end_is_over(void **state)
{
    (void)state;
    struct bench bench;
    uint8_t *bytes = make_stream(MUCH);
    set_up_greeted(&bench);
    struct flow out = {bench.grpc, bench.caller, 0, 0};
    go_on(&out, bytes, MUCH, true);
    close(bench.grpc);
    bench.grpc = -1;
    await_end(&bench);
    assert_null(bench.why);
    free(bytes);
    tear_down(&bench);
}

static void test_a_cut(void **state)
{
    (void)state;
    struct bench bench;
    set_up_greeted(&bench);
    say(bench.caller, (uint8_t[]){0, 0, 0, 9, 4, 0, 0, 0, 1}, RPC_FRAME_HEAD);
    hear_end(bench.grpc);
    hear_end(bench.caller);
    await_end(&bench);
    assert_string_equal(bench.why, "its headers are not continued as they should be");
    tear_down(&bench);
}

/* A call's HEADERS, and so many frames of its request, without an end. */
static void say_request(int fd, uint8_t stream, unsigned frames)
{
    static const uint8_t frame[RPC_FRAME_HEAD + 4087] = {0, 15, 247};
    uint8_t bytes[sizeof frame] = {0, 0, 0, 1, 4, 0, 0, 0, stream};
    say(fd, bytes, RPC_FRAME_HEAD);
    memcpy(bytes, frame, sizeof frame);
    bytes[8] = stream;
    while (frames--)
        (void)!send(fd, bytes, sizeof bytes, MSG_NOSIGNAL); /* he may be cut */
}

static void hear_request(int fd, uint8_t stream, unsigned frames)
{
    uint8_t bytes[RPC_FRAME_HEAD + 4087] = {0, 0, 0, 1, 4, 0, 0, 0, stream};
    hear(fd, bytes, RPC_FRAME_HEAD);
    memcpy(bytes, (uint8_t[]){0, 15, 247, 0, 0}, 5);
    while (frames--)
        hear(fd, bytes, sizeof bytes);
}

static void begin_other(void *arg)
{
    struct other *other = arg;
    assert_int_equal(rpc_relay_begin(other->relay, other->bench->gate, other->outside,
                                     other->inside, &other->bench->load, on_over),
                     0);
}

/* Requests of two callers: the one who has more of them is cut when both have too much. */
static void test_requests_of_all_together(void **state)
{
    (void)state;
    struct bench bench;
    set_up_greeted(&bench);
    struct other other = {.bench = &bench, .relay = calloc(1, sizeof *other.relay)};
    assert_non_null(other.relay);
    pair_of(&other.caller, &other.outside);
    pair_of(&other.grpc, &other.inside);
    rpc_gate_do(bench.gate, begin_other, &other);
    say(other.caller, RPC_PREFACE, RPC_PREFACE_SIZE);
    say(other.caller, settings, sizeof settings);
    hear(other.grpc, RPC_PREFACE, RPC_PREFACE_SIZE);
    hear(other.grpc, settings, sizeof settings);
    for (uint8_t stream = 1; stream < 11; stream += 2) { /* they do not add up */
        say_request(bench.caller, stream, 9);
        hear_request(bench.grpc, stream, 9);
        say(bench.grpc, (uint8_t[]){0, 0, 0, 1, 5, 0, 0, 0, stream}, RPC_FRAME_HEAD);
        hear(bench.caller, (uint8_t[]){0, 0, 0, 1, 5, 0, 0, 0, stream}, RPC_FRAME_HEAD);
    }
    say_request(other.caller, 1, 12);
    hear_request(other.grpc, 1, 12);
    say_request(bench.caller, 11, 14);
    hear_end(bench.caller);
    await_end(&bench);
    assert_string_equal(bench.why,
                        "its requests hold more than any other's, and all together too much");
    say_request(other.caller, 3, 9); /* there is room again */
    hear_request(other.grpc, 3, 9);
    say_request(other.caller, 5, 9);
    hear_end(other.caller);
    rpc_gate_do(bench.gate, look, &bench);
    assert_true(bench.cut);
    assert_int_equal(bench.load.held, 0);
    close(other.caller);
    close(other.grpc);
    free(other.relay);
    tear_down(&bench);
}

static void flush(void *arg)
{
    struct bench *bench = arg;
    bench->ended = rpc_relay_flush(bench->relay);
    rpc_relay_end(bench->relay);
    bench->over = true;
}

/* What was written before it ends gets out. */
static void test_the_last_words(void **state)
{
    (void)state;
    struct bench bench;
    uint8_t *bytes = make_stream(100000);
    set_up_greeted(&bench);
    say(bench.grpc, bytes, 100000);
    rpc_gate_do(bench.gate, flush, &bench);
    assert_true(bench.ended);
    hear(bench.caller, bytes, 100000);
    hear_end(bench.caller);
    free(bytes);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_much_both_ways),           cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_the_caller_ends_first),    cmocka_unit_test(test_grpc_ends_first),
        cmocka_unit_test(test_one_end_is_over),          cmocka_unit_test(test_a_cut),
        cmocka_unit_test(test_requests_of_all_together), cmocka_unit_test(test_the_last_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
