#include "pair.h"

#include <errno.h>

#define MESSAGES 10000

/* A stream of numbered messages, sent as fast as the queue takes them. */
struct source {
    struct rpc_call *call;
    uint64_t next, refused;
    size_t padding; /* bytes a message */
    bool last_word; /* the last message goes with rpc_finish(), into a queue that is full */
    bool endless, serving, gone, finished;
};

static void fill_reply(Tcpflowgen__WatchReply *reply, uint64_t offset, ProtobufCBinaryData *record)
{
    static uint8_t bytes[64 << 10];
    tcpflowgen__watch_reply__init(reply);
    reply->offset = offset;
    reply->n_records = 1;
    reply->records = record;
    record->data = bytes;
}

static void end_source(struct source *source)
{
    source->finished = true;
    rpc_finish(source->call, NULL, RPC_OK, "that is all");
}

static void send_more(struct rpc_call *call, void *arg)
{
    struct source *source = arg;
    Tcpflowgen__WatchReply reply;
    ProtobufCBinaryData record = {.len = source->padding};
    assert_false(source->finished);
    while (source->endless || source->next < MESSAGES) {
        fill_reply(&reply, source->next, &record);
        int failed = rpc_send(call, &reply.base);
        if (failed == -EAGAIN && source->last_word && source->next + 1 == MESSAGES) {
            source->finished = true;
            rpc_finish(call, &reply.base, RPC_OK, "that is all");
            return;
        }
        source->refused += failed == -EAGAIN;
        if (failed)
            return;
        source->next++;
    }
    end_source(source);
}

static void on_gone(struct rpc_call *call, void *arg)
{
    struct source *source = arg;
    Tcpflowgen__WatchReply reply;
    ProtobufCBinaryData record = {0};
    fill_reply(&reply, source->next, &record);
    assert_int_equal(rpc_send(call, &reply.base), -EPIPE);
    source->gone = true;
    end_source(source);
}

static void serve_source(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    struct source *source = ctx;
    (void)request;
    source->call = call;
    source->serving = true;
    rpc_on_ready(call, send_more, source);
    rpc_on_gone(call, on_gone, source);
    send_more(call, source);
}

struct sink {
    struct answer answer;
    struct rpc_peer *destroy; /* with the first message */
    struct rpc_call *call;
    uint64_t cancel_at; /* 0: never */
};

static void take(struct rpc_call *call, const ProtobufCMessage *message,
                 const struct rpc_status *status, void *arg)
{
    struct sink *sink = arg;
    if (message)
        assert_int_equal(((const Tcpflowgen__WatchReply *)message)->offset, sink->answer.messages);
    answer_take(call, message, status, &sink->answer);
    if (message && sink->destroy) {
        struct rpc_peer *peer = sink->destroy;
        sink->destroy = NULL;
        rpc_peer_destroy(peer);
        assert_true(sink->answer.done);
        return;
    }
    if (status || sink->answer.messages == sink->cancel_at)
        rpc_cancel(call); /* harmless during the last callback */
}

static void start(struct pair *pair, struct source *source, struct sink *sink)
{
    Tcpflowgen__WatchRequest request = TCPFLOWGEN__WATCH_REQUEST__INIT;
    pair_init(pair, serve_source, source);
    sink->call =
        rpc_start(pair->peer, &agent_methods[AGENT_WATCH], &request.base, -1, false, take, sink);
    assert_non_null(sink->call);
}

static void expect_all(struct source *source)
{
    struct pair pair;
    struct sink sink = {0};
    start(&pair, source, &sink);
    answer_await(&pair, &sink.answer);
    assert_int_equal(sink.answer.messages, MESSAGES);
    assert_int_equal(sink.answer.code, RPC_OK);
    assert_string_equal(sink.answer.text, "that is all");
    assert_true(source->refused > 0);
    assert_false(source->gone);
    pair_fini(&pair);
}

static void test_all_in_order(void **state)
{
    (void)state;
    struct source source = {.padding = 10};
    expect_all(&source);
}

/* The queue is full by bytes then. */
static void test_large_messages(void **state)
{
    (void)state;
    struct source source = {.padding = 30000};
    expect_all(&source);
}

static void test_last_word_into_a_full_queue(void **state)
{
    (void)state;
    struct source source = {.padding = 10, .last_word = true, .next = 0};
    expect_all(&source);
}

/* Nothing is sent but what one turn of the queue holds, and the last word on top. */
static void serve_burst(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    uint64_t *sent = ctx;
    Tcpflowgen__WatchReply reply;
    ProtobufCBinaryData record = {.len = 10};
    (void)request;
    for (;; ++*sent) {
        fill_reply(&reply, *sent, &record);
        if (rpc_send(call, &reply.base))
            break;
    }
    ++*sent;
    rpc_finish(call, &reply.base, RPC_NOT_FOUND, "end of the burst");
}

static void test_burst_and_last_word(void **state)
{
    (void)state;
    Tcpflowgen__WatchRequest request = TCPFLOWGEN__WATCH_REQUEST__INIT;
    uint64_t sent = 0;
    struct pair pair;
    struct sink sink = {0};
    pair_init(&pair, serve_burst, &sent);
    assert_non_null(
        rpc_start(pair.peer, &agent_methods[AGENT_WATCH], &request.base, -1, false, take, &sink));
    answer_await(&pair, &sink.answer);
    assert_true(sent > 60);
    assert_int_equal(sink.answer.messages, sent);
    assert_int_equal(sink.answer.code, RPC_NOT_FOUND);
    assert_string_equal(sink.answer.text, "end of the burst");
    pair_fini(&pair);
}

static void test_cancel_is_seen_by_the_server(void **state)
{
    (void)state;
    struct pair pair;
    struct source source = {.padding = 10, .endless = true};
    struct sink sink = {.cancel_at = 100};
    start(&pair, &source, &sink);
    answer_await(&pair, &sink.answer);
    assert_int_equal(sink.answer.code, RPC_CANCELLED);
    assert_true(sink.answer.messages >= 100);
    loop_until(pair.loop, &source.gone);
    pair_fini(&pair);
}

static void test_server_destroyed_in_mid_stream(void **state)
{
    (void)state;
    struct pair pair;
    struct source source = {.padding = 10, .endless = true};
    struct sink sink = {0};
    start(&pair, &source, &sink);
    loop_until(pair.loop, &source.serving);
    rpc_server_destroy(pair.server, 20);
    pair.server = NULL;
    assert_true(source.gone);
    answer_await(&pair, &sink.answer);
    assert_int_not_equal(sink.answer.code, RPC_OK);
    pair_fini(&pair);
}

static void test_peer_destroyed_by_its_callback(void **state)
{
    (void)state;
    struct pair pair;
    struct source source = {.padding = 10, .endless = true};
    struct sink sink = {0};
    start(&pair, &source, &sink);
    sink.destroy = pair.peer;
    pair.peer = NULL;
    answer_await(&pair, &sink.answer);
    assert_int_equal(sink.answer.code, RPC_CANCELLED);
    loop_until(pair.loop, &source.gone);
    pair_fini(&pair);
}

static void test_everything_destroyed_in_mid_stream(void **state)
{
    (void)state;
    struct pair pair;
    struct source source = {.padding = 10, .endless = true};
    struct sink sink = {0};
    start(&pair, &source, &sink);
    loop_until(pair.loop, &source.serving);
    pair_fini(&pair);
    assert_true(sink.answer.done);
    assert_true(source.finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_in_order),
        cmocka_unit_test(test_large_messages),
        cmocka_unit_test(test_last_word_into_a_full_queue),
        cmocka_unit_test(test_burst_and_last_word),
        cmocka_unit_test(test_cancel_is_seen_by_the_server),
        cmocka_unit_test(test_server_destroyed_in_mid_stream),
        cmocka_unit_test(test_peer_destroyed_by_its_callback),
        cmocka_unit_test(test_everything_destroyed_in_mid_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
