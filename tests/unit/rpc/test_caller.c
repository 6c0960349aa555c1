/* Whose a call is, when its caller leaves and others come. */
#include "pair.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define ROUNDS  300
#define STREAMS 4

/* ---- one who left ---- */

struct held {
    struct rpc_call *call;
    bool holding, gone;
};

static void on_gone(struct rpc_call *call, void *arg)
{
    (void)call;
    ((struct held *)arg)->gone = true;
}

static void hold(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    struct held *held = ctx;
    (void)request;
    held->call = call;
    held->holding = true;
    rpc_on_gone(call, on_gone, held);
}

static void test_a_caller_who_left_is_known(void **state)
{
    (void)state;
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    struct pair pair;
    struct held held = {0};
    struct answer answer = {0};
    char user[32];
    pair_init(&pair, hold, &held);
    assert_non_null(rpc_start(pair.peer, &agent_methods[AGENT_CLOCK], &request.base, -1, false,
                              answer_take, &answer));
    loop_until(pair.loop, &held.holding);
    rpc_peer_destroy(pair.peer);
    pair.peer = NULL;
    assert_int_equal(answer.code, RPC_CANCELLED);
    loop_until(pair.loop, &held.gone);
    snprintf(user, sizeof user, "uid %u", geteuid());
    assert_string_equal(rpc_caller(held.call)->key, user);
    rpc_finish(held.call, NULL, RPC_OK, NULL);
    pair_fini(&pair);
}

/* ---- many who leave at once ---- */

struct crowd {
    struct pair pair;
    unsigned served;
};

/* Its caller names himself as its version. */
static void serve_hello(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    struct crowd *crowd = ctx;
    const Tcpflowgen__HelloRequest *hello = (const Tcpflowgen__HelloRequest *)request;
    assert_string_equal(rpc_caller(call)->key, hello->version);
    crowd->served++;
    rpc_finish(call, NULL, RPC_NOT_FOUND, NULL);
}

static size_t put_head(uint8_t *out, size_t length, uint8_t type, uint8_t flags, unsigned stream)
{
    const uint8_t head[9] = {0, 0, (uint8_t)length, type, flags, 0, 0, 0, (uint8_t)stream};
    memcpy(out, head, sizeof head);
    return sizeof head;
}

static size_t put_text(uint8_t *out, const char *text)
{
    *out = (uint8_t)strlen(text);
    memcpy(out + 1, text, *out);
    return *out + 1u;
}

static size_t put_hello(uint8_t *out, unsigned stream, const char *name)
{
    static const char *const headers[][2] = {
        {":method", "POST"},   {":scheme", "http"}, {":path", "/tcpflowgen.Agent/Hello"},
        {":authority", "any"}, {"te", "trailers"},  {"content-type", "application/grpc"},
    };
    Tcpflowgen__HelloRequest request = TCPFLOWGEN__HELLO_REQUEST__INIT;
    request.version = (char *)name;
    uint8_t *block = out + 9, *at = block;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        *at++ = 0;
        at += put_text(at, headers[i][0]);
        at += put_text(at, headers[i][1]);
    }
    put_head(out, (size_t)(at - block), 1, 4, stream);
    const size_t length = protobuf_c_message_get_packed_size(&request.base);
    at += put_head(at, 5 + length, 0, 1, stream);
    memcpy(at, (uint8_t[]){0, 0, 0, 0, (uint8_t)length}, 5);
    protobuf_c_message_pack(&request.base, at + 5);
    return (size_t)(at + 5 + length - out);
}

/* Says Hello a few times, and leaves without an answer; he may be seen before. */
static void call_and_leave(const struct crowd *crowd, uid_t uid)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(crowd->pair.port)};
    uint8_t bytes[2048] = PREFACE;
    char name[32];
    size_t size = strlen(PREFACE);
    size += put_head(bytes + size, 0, 4, 0, 0);
    snprintf(name, sizeof name, "uid %u", uid);
    for (unsigned i = 0; i < STREAMS; i++)
        size += put_hello(bytes + size, 2 * i + 1, name);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setfsuid(uid);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setfsuid(0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    usleep(1000); /* it is handed over by now */
    for (int turns = rand() % 3; turns > 0; turns--)
        rpc_loop_run(crowd->pair.loop, 0);
    if (uid % 2) {
        const struct linger reset = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    close(fd);
}

/* gRPC closes the descriptor of a connection behind the last call on it: so that the next
 * connection, which may get its number, is not taken for it. */
static void test_nobody_is_taken_for_the_next_one(void **state)
{
    (void)state;
    struct crowd crowd = {0};
    struct users trusted = {0};
    const struct endpoint at = {.host = "127.0.0.1"};
    const struct rpc_listening how = {.at = &at, .trusted = &trusted};
    if (geteuid() != 0)
        skip();
    assert_int_equal(users_add(&trusted, "1001,1002,1003,1004,1005", NULL), 0);
    pair_init(&crowd.pair, serve_hello, &crowd);
    rpc_server_destroy(crowd.pair.server, 0);
    assert_int_equal(rpc_server_create(&crowd.pair.server, crowd.pair.loop, &crowd.pair.service,
                                       &how, &crowd.pair.port, NULL),
                     0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        call_and_leave(&crowd, 1001 + (uid_t)(rand() % 5));
        for (int turns = rand() % 3; turns > 0; turns--)
            rpc_loop_run(crowd.pair.loop, 0);
    }
    for (int i = 0; i < 20; i++)
        rpc_loop_run(crowd.pair.loop, 10);
    assert_true(crowd.served >= ROUNDS);
    pair_fini(&crowd.pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_caller_who_left_is_known),
        cmocka_unit_test(test_nobody_is_taken_for_the_next_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
