#include "pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

/* Serves a Clock call as an agent does. */
static void serve_clock(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    Tcpflowgen__ClockReply reply = TCPFLOWGEN__CLOCK_REPLY__INIT;
    (void)ctx;
    assert_ptr_equal(request->descriptor, &tcpflowgen__clock_request__descriptor);
    assert_string_equal(rpc_caller(call)->address, "127.0.0.1");
    reply.received_ns = rpc_received_ns(call);
    reply.sent_ns = clock_now();
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, serve_clock, NULL);
    for (int i = 0; i < 20; i++) {
        int64_t before = clock_now();
        struct answer answer = pair_clock(&pair);
        assert_int_equal(answer.code, RPC_OK);
        assert_int_equal(answer.messages, 1);
        assert_true(before <= answer.received_ns && answer.received_ns <= clock_now());
    }
    pair_fini(&pair);
}

static void test_unknown_method(void **state)
{
    (void)state;
    static const struct rpc_method later = {"/tcpflowgen.Agent/Later",
                                            &tcpflowgen__run_request__descriptor,
                                            &tcpflowgen__run_reply__descriptor, RPC_UNARY};
    Tcpflowgen__RunRequest request = TCPFLOWGEN__RUN_REQUEST__INIT;
    struct pair pair;
    pair_init(&pair, serve_clock, NULL);
    for (int i = 0; i < 3; i++) {
        struct answer answer = pair_call(&pair, &later, &request.base);
        assert_int_equal(answer.code, RPC_UNIMPLEMENTED);
        assert_int_equal(answer.messages, 0);
    }
    assert_int_equal(pair_clock(&pair).code, RPC_OK);
    pair_fini(&pair);
}

/* The server's Hello has messages where this client's has a text: it cannot decode it. */
static void test_garbage_request(void **state)
{
    (void)state;
    struct rpc_method hello = agent_methods[AGENT_HELLO];
    hello.request = &tcpflowgen__host_address__descriptor;
    Tcpflowgen__HostAddress text = TCPFLOWGEN__HOST_ADDRESS__INIT;
    text.interface = (char *)"\377\377\377";
    struct pair pair;
    pair_init(&pair, serve_clock, NULL);
    struct answer answer = pair_call(&pair, &hello, &text.base);
    assert_int_equal(answer.code, RPC_INVALID_ARGUMENT);
    assert_int_equal(answer.messages, 0);
    pair_fini(&pair);
}

/* Empty messages: two bytes each, which would be some hundred in memory. */
#define FLOOD 1000000

/* Within another message, as a request. */
static void test_a_flood_of_messages(void **state)
{
    (void)state;
    Tcpflowgen__RunHost host = TCPFLOWGEN__RUN_HOST__INIT;
    Tcpflowgen__RunHost **hosts = calloc(FLOOD, sizeof(*hosts));
    for (size_t i = 0; i < FLOOD; i++)
        hosts[i] = &host;
    Tcpflowgen__Run about = TCPFLOWGEN__RUN__INIT;
    about.hosts = hosts;
    about.n_hosts = FLOOD;
    Tcpflowgen__PrepareRequest request = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    request.about = &about;
    struct pair pair;
    pair_init(&pair, serve_clock, NULL);
    struct answer answer = pair_call(&pair, &agent_methods[AGENT_PREPARE], &request.base);
    assert_int_equal(answer.code, RPC_INVALID_ARGUMENT);
    pair_fini(&pair);
    free(hosts);
}

static void serve_flood(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    (void)request;
    (void)ctx;
    Tcpflowgen__EndReady end = TCPFLOWGEN__END_READY__INIT;
    Tcpflowgen__EndReady **ends = calloc(FLOOD, sizeof(*ends));
    for (size_t i = 0; i < FLOOD; i++)
        ends[i] = &end;
    Tcpflowgen__PrepareReply reply = TCPFLOWGEN__PREPARE_REPLY__INIT;
    reply.ends = ends;
    reply.n_ends = FLOOD;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
    free(ends);
}

/* And as an answer. */
static void test_a_flood_that_comes_back(void **state)
{
    (void)state;
    Tcpflowgen__PrepareRequest request = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    struct pair pair;
    pair_init(&pair, serve_flood, NULL);
    struct answer answer = pair_call(&pair, &agent_methods[AGENT_PREPARE], &request.base);
    assert_int_equal(answer.code, RPC_INTERNAL);
    assert_string_equal(answer.text, "cannot decode the reply");
    assert_int_equal(answer.messages, 0);
    pair_fini(&pair);
}

static void serve_error(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    (void)request;
    (void)ctx;
    rpc_finish(call, NULL, RPC_NOT_FOUND, "no run \"x\" here");
}

static void test_error_status(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, serve_error, NULL);
    struct answer answer = pair_clock(&pair);
    assert_int_equal(answer.code, RPC_NOT_FOUND);
    assert_string_equal(answer.text, "no run \"x\" here");
    assert_int_equal(answer.messages, 0);
    pair_fini(&pair);
}

static void serve_empty(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    (void)request;
    (void)ctx;
    rpc_finish(call, NULL, RPC_OK, NULL);
}

static void test_ok_without_message_is_broken(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, serve_empty, NULL);
    struct answer answer = pair_clock(&pair);
    assert_int_equal(answer.code, RPC_INTERNAL);
    assert_int_equal(answer.messages, 0);
    pair_fini(&pair);
}

static void serve_other_type(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    Tcpflowgen__HostAddress reply = TCPFLOWGEN__HOST_ADDRESS__INIT;
    (void)request;
    (void)ctx;
    reply.address = (char *)"not what a Hello answers";
    reply.bind = (char *)"";
    reply.interface = (char *)"";
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void test_undecodable_reply(void **state)
{
    (void)state;
    struct rpc_method wrong = agent_methods[AGENT_CLOCK];
    wrong.response = &tcpflowgen__prepare_reply__descriptor; /* field 1 is a message */
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    struct pair pair;
    pair_init(&pair, serve_other_type, NULL);
    struct answer answer = pair_call(&pair, &wrong, &request.base);
    assert_int_equal(answer.code, RPC_INTERNAL);
    assert_int_equal(answer.messages, 0);
    assert_string_equal(answer.text, "cannot decode the reply");
    pair_fini(&pair);
}

/* ---- calls that the server keeps ---- */

struct keeper {
    struct rpc_call *call;
    bool kept, gone;
};

static void on_gone(struct rpc_call *call, void *arg)
{
    struct keeper *keeper = arg;
    assert_ptr_equal(call, keeper->call);
    keeper->gone = true;
}

static void serve_keep(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    struct keeper *keeper = ctx;
    (void)request;
    keeper->call = call;
    keeper->kept = true;
    rpc_on_gone(call, on_gone, keeper);
}

static void finish_kept(struct keeper *keeper)
{
    Tcpflowgen__ClockReply reply = TCPFLOWGEN__CLOCK_REPLY__INIT;
    rpc_finish(keeper->call, &reply.base, RPC_OK, "too late");
}

static struct rpc_call *start_kept(struct pair *pair, struct keeper *keeper, int64_t deadline_ms,
                                   struct answer *answer)
{
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    pair_init(pair, serve_keep, keeper);
    struct rpc_call *call = rpc_start(pair->peer, &agent_methods[AGENT_CLOCK], &request.base,
                                      deadline_ms, false, answer_take, answer);
    assert_non_null(call);
    loop_until(pair->loop, &keeper->kept);
    return call;
}

static void test_deadline(void **state)
{
    (void)state;
    struct pair pair;
    struct keeper keeper = {0};
    struct answer answer = {0};
    start_kept(&pair, &keeper, 200, &answer);
    answer_await(&pair, &answer);
    assert_int_equal(answer.code, RPC_DEADLINE_EXCEEDED);
    loop_until(pair.loop, &keeper.gone);
    assert_string_not_equal(rpc_caller(keeper.call)->text, "");
    finish_kept(&keeper);
    pair_fini(&pair);
}

static void test_finish_after_the_server_is_gone(void **state)
{
    (void)state;
    struct pair pair;
    struct keeper keeper = {0};
    struct answer answer = {0};
    start_kept(&pair, &keeper, 20000, &answer);
    rpc_server_destroy(pair.server, 50);
    pair.server = NULL;
    assert_true(keeper.gone);
    answer_await(&pair, &answer);
    assert_int_not_equal(answer.code, RPC_OK);
    finish_kept(&keeper);
    pair_fini(&pair);
}

static void serve_by_destroying(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    struct pair *pair = ctx;
    rpc_server_destroy(pair->server, 0);
    pair->server = NULL;
    assert_int_equal(rpc_send(call, request), -EPIPE);
    rpc_finish(call, NULL, RPC_NOT_FOUND, "nobody hears it");
}

static void test_server_destroyed_by_its_callback(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, serve_by_destroying, &pair);
    struct answer answer = pair_clock(&pair);
    assert_true(answer.code != RPC_OK && answer.code != RPC_NOT_FOUND);
    pair_fini(&pair);
}

static void finish_soon(void *arg)
{
    finish_kept(arg);
}

static void test_grace_lets_a_call_end(void **state)
{
    (void)state;
    struct pair pair;
    struct keeper keeper = {0};
    struct answer answer = {0};
    start_kept(&pair, &keeper, 20000, &answer);
    rpc_loop_after(pair.loop, 20, finish_soon, &keeper);
    rpc_server_destroy(pair.server, 10000);
    pair.server = NULL;
    answer_await(&pair, &answer);
    assert_int_equal(answer.code, RPC_OK);
    assert_int_equal(answer.messages, 1);
    assert_false(keeper.gone);
    pair_fini(&pair);
}

static void test_destroying_a_peer_ends_its_calls(void **state)
{
    (void)state;
    struct pair pair;
    struct keeper keeper = {0};
    struct answer answer = {0};
    start_kept(&pair, &keeper, -1, &answer);
    rpc_peer_destroy(pair.peer);
    pair.peer = NULL;
    assert_true(answer.done);
    assert_int_equal(answer.code, RPC_CANCELLED);
    loop_until(pair.loop, &keeper.gone);
    finish_kept(&keeper);
    pair_fini(&pair);
}

static void test_cancel_twice(void **state)
{
    (void)state;
    struct pair pair;
    struct keeper keeper = {0};
    struct answer answer = {0};
    struct rpc_call *call = start_kept(&pair, &keeper, -1, &answer);
    rpc_cancel(call);
    rpc_cancel(call);
    answer_await(&pair, &answer);
    assert_int_equal(answer.code, RPC_CANCELLED);
    loop_until(pair.loop, &keeper.gone);
    finish_kept(&keeper);
    pair_fini(&pair);
}

/* ---- sizes ---- */

/* A reply of as many bytes of payload as ctx says. */
static void serve_size(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    const size_t *size = ctx;
    Tcpflowgen__HelloReply reply = TCPFLOWGEN__HELLO_REPLY__INIT;
    (void)request;
    reply.version = test_calloc(*size + 1, 1);
    memset(reply.version, 'x', *size);
    rpc_finish(call, &reply.base, RPC_OK, NULL);
    test_free(reply.version);
}

static struct answer hello(struct pair *pair, size_t request_size)
{
    Tcpflowgen__HelloRequest request = TCPFLOWGEN__HELLO_REQUEST__INIT;
    struct answer answer = {0};
    request.version = test_calloc(request_size + 1, 1);
    memset(request.version, 'x', request_size);
    assert_non_null(rpc_start(pair->peer, &agent_methods[AGENT_HELLO], &request.base, 8000, false,
                              answer_take, &answer));
    test_free(request.version);
    answer_await(pair, &answer);
    return answer;
}

static void test_message_sizes(void **state)
{
    (void)state;
    struct pair pair;
    size_t reply_size = RPC_MESSAGE_MAX - 100;
    pair_init(&pair, serve_size, &reply_size);
    assert_int_equal(hello(&pair, RPC_MESSAGE_MAX - 100).code, RPC_OK);
    struct answer answer = hello(&pair, RPC_MESSAGE_MAX);
    assert_int_equal(answer.code, RPC_RESOURCE_EXHAUSTED);
    reply_size = RPC_MESSAGE_MAX;
    answer = hello(&pair, 10);
    assert_int_equal(answer.code, RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(answer.messages, 0);
    pair_fini(&pair);
}

/* ---- connections ---- */

static void test_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, serve_clock, NULL);
    rpc_server_destroy(pair.server, 0);
    pair.server = NULL;
    int64_t before = clock_now();
    struct answer answer = pair_clock(&pair);
    assert_int_equal(answer.code, RPC_UNAVAILABLE);
    assert_string_equal(answer.text, "nothing listens there: Connection refused");
    assert_true(clock_now() - before < 4 * NS_PER_S); /* its deadline is at 5 s */
    pair_fini(&pair);
}

/* Takes connections of a port and lets none live. */
static void *hang_up(void *arg)
{
    const int *listener = arg;
    for (int fd; (fd = accept(*listener, NULL, NULL)) >= 0;)
        close(fd);
    return NULL;
}

static void test_closed(void **state)
{
    (void)state;
    struct pair pair;
    pthread_t thread;
    struct sockaddr_in address = {.sin_family = AF_INET};
    pair_init(&pair, serve_clock, NULL);
    rpc_server_destroy(pair.server, 0);
    pair.server = NULL;
    address.sin_port = htons(pair.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(pthread_create(&thread, NULL, hang_up, &listener), 0);
    struct answer answer = pair_clock(&pair);
    assert_int_equal(answer.code, RPC_UNAVAILABLE);
    assert_string_equal(answer.text,
                        "the other side closed the connection: it ended, or was killed");
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    pair_fini(&pair);
}

static void revive(void *arg)
{
    struct pair *pair = arg;
    assert_int_equal(server_at(pair, "127.0.0.1", pair->port, NULL), 0);
}

static void test_wait_ready_outlives_a_refusal(void **state)
{
    (void)state;
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    struct pair pair;
    struct answer answer = {0};
    pair_init(&pair, serve_clock, NULL);
    rpc_server_destroy(pair.server, 0);
    pair.server = NULL;
    rpc_loop_after(pair.loop, 300, revive, &pair);
    assert_non_null(rpc_start(pair.peer, &agent_methods[AGENT_CLOCK], &request.base, 8000, true,
                              answer_take, &answer));
    answer_await(&pair, &answer);
    assert_int_equal(answer.code, RPC_OK);
    pair_fini(&pair);
}

/* No answer is late that came while the loop stood. */
static void test_a_deadline_that_passed_while_the_loop_stood(void **state)
{
    (void)state;
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    const struct timespec stands = {.tv_nsec = 400 * NS_PER_MS};
    struct pair pair;
    struct answer answer = {0};
    pair_init(&pair, serve_clock, NULL);
    assert_int_equal(pair_clock(&pair).code, RPC_OK); /* it is connected */
    assert_non_null(rpc_start(pair.peer, &agent_methods[AGENT_CLOCK], &request.base, 250, false,
                              answer_take, &answer));
    nanosleep(&stands, NULL);
    answer_await(&pair, &answer);
    assert_int_equal(answer.code, RPC_OK);
    assert_int_equal(answer.messages, 1);
    assert_true(rpc_loop_missed(pair.loop) >= 250 * NS_PER_MS);
    pair_fini(&pair);
}

static void test_a_name_that_does_not_resolve(void **state)
{
    (void)state;
    struct rpc_loop *loop;
    struct rpc_peer *peer = NULL;
    struct error err = {0};
    char name[80] = {0};
    memset(name, 'a', sizeof name - 1); /* longer than a label may be: nobody is asked */
    assert_int_equal(rpc_loop_create(&loop, &err), 0);
    assert_int_equal(peer_at(&peer, loop, name, 8841, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "cannot resolve"));
    assert_non_null(strstr(err.where, ":8841"));
    assert_int_equal(peer_at(&peer, loop, "", 8841, &err), ERROR_AGENT);
    assert_int_equal(peer_at(&peer, loop, "127.0.0.1", 0, &err), ERROR_AGENT);
    assert_null(peer);
    rpc_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_unknown_method),
        cmocka_unit_test(test_garbage_request),
        cmocka_unit_test(test_a_flood_of_messages),
        cmocka_unit_test(test_a_flood_that_comes_back),
        cmocka_unit_test(test_error_status),
        cmocka_unit_test(test_ok_without_message_is_broken),
        cmocka_unit_test(test_undecodable_reply),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_finish_after_the_server_is_gone),
        cmocka_unit_test(test_server_destroyed_by_its_callback),
        cmocka_unit_test(test_grace_lets_a_call_end),
        cmocka_unit_test(test_destroying_a_peer_ends_its_calls),
        cmocka_unit_test(test_cancel_twice),
        cmocka_unit_test(test_message_sizes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_wait_ready_outlives_a_refusal),
        cmocka_unit_test(test_a_deadline_that_passed_while_the_loop_stood),
        cmocka_unit_test(test_a_name_that_does_not_resolve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
