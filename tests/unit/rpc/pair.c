#include "pair.h"

#include <stdio.h>
#include <string.h>

#include "util/clock.h"

#define PATIENCE_NS (10 * NS_PER_S)

static struct endpoint endpoint(const char *host, uint16_t port)
{
    struct endpoint endpoint = {.port = port};
    snprintf(endpoint.host, sizeof endpoint.host, "%s", host);
    return endpoint;
}

int server_at(struct pair *pair, const char *host, uint16_t port, struct error *err)
{
    const struct endpoint at = endpoint(host, port);
    const struct rpc_listening how = {.at = &at};
    return rpc_server_create(&pair->server, pair->loop, &pair->service, &how, &pair->port, err);
}

int peer_at(struct rpc_peer **peer, struct rpc_loop *loop, const char *host, uint16_t port,
            struct error *err)
{
    const struct endpoint to = endpoint(host, port);
    return rpc_peer_create(peer, loop, &to, NULL, err);
}

void pair_init(struct pair *pair, rpc_serve *serve, void *ctx)
{
    struct error err = {0};
    *pair = (struct pair){0};
    for (size_t i = 0; i < AGENT_METHODS; i++)
        pair->serve[i] = serve;
    pair->service = (struct rpc_service){
        .methods = agent_methods, .serve = pair->serve, .count = AGENT_METHODS, .ctx = ctx};
    assert_int_equal(rpc_loop_create(&pair->loop, &err), 0);
    assert_int_equal(server_at(pair, "127.0.0.1", 0, &err), 0);
    assert_true(pair->port > 0);
    assert_int_equal(peer_at(&pair->peer, pair->loop, "127.0.0.1", pair->port, &err), 0);
}

void pair_fini(struct pair *pair)
{
    rpc_peer_destroy(pair->peer);
    rpc_server_destroy(pair->server, 0);
    rpc_loop_destroy(pair->loop);
}

void answer_take(struct rpc_call *call, const ProtobufCMessage *message,
                 const struct rpc_status *status, void *arg)
{
    struct answer *answer = arg;
    (void)call;
    assert_false(answer->done);
    assert_true(!message != !status);
    if (message) {
        answer->messages++;
        if (message->descriptor == &tcpflowgen__clock_reply__descriptor)
            answer->received_ns = ((const Tcpflowgen__ClockReply *)message)->received_ns;
        return;
    }
    answer->done = true;
    answer->code = status->code;
    answer->foreign = status->foreign;
    snprintf(answer->text, sizeof answer->text, "%s", status->text);
}

void loop_until(struct rpc_loop *loop, const bool *flag)
{
    int64_t give_up = clock_now() + PATIENCE_NS;
    while (!*flag) {
        assert_true(clock_now() < give_up);
        rpc_loop_run(loop, 100);
    }
}

void answer_await(struct pair *pair, const struct answer *answer)
{
    loop_until(pair->loop, &answer->done);
}

struct answer pair_call(struct pair *pair, const struct rpc_method *method,
                        const ProtobufCMessage *request)
{
    struct answer answer = {0};
    assert_non_null(rpc_start(pair->peer, method, request, 5000, false, answer_take, &answer));
    answer_await(pair, &answer);
    return answer;
}

struct answer pair_clock(struct pair *pair)
{
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    return pair_call(pair, &agent_methods[AGENT_CLOCK], &request.base);
}
