/* A client's view of one server: its calls, and the link that they go over.
 *
 * A unary call is a stream of one message here.  A call waits until its peer has a connection; from
 * then on three operations are under way: the request, the next message, the status.  The status
 * may overtake the last message, so the end is told when all three are over. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>

#include "rpc/rpc_link.h"

struct rpc_peer {
    struct rpc_link link;
    struct rpc_loop *loop;
    struct client_call *calls; /* in progress, or waiting */
    bool closing;
};

struct client_call {
    struct rpc_call base; /* its call is NULL while it waits */
    struct rpc_peer *peer;
    struct client_call *next, **link; /* in the peer's list */
    struct rpc_tag request_tag, message_tag, status_tag;
    unsigned operations; /* under way */
    rpc_reply *reply;
    void *arg;
    /* before the connection */
    bool waiting, wait_ready;
    grpc_byte_buffer *request;
    bool nobody; /* why it ended there */
    /* on it */
    struct rpc_connection *connection;
    grpc_metadata_array headers, trailers;
    grpc_byte_buffer *payload;
    unsigned messages;  /* delivered; counts to 1 only */
    const char *broken; /* what is wrong with the reply; outdoes the status */
    grpc_status_code code;
    grpc_slice text;
};

static void on_late(void *arg);

/* ---- the reply ---- */

static void break_call(struct client_call *call, const char *why)
{
    call->broken = why;
    grpc_call_cancel(call->base.call, NULL);
}

static void unlink_call(struct client_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
}

static void free_call(struct client_call *call)
{
    if (call->base.call)
        grpc_call_unref(call->base.call);
    if (call->request)
        grpc_byte_buffer_destroy(call->request);
    grpc_metadata_array_destroy(&call->headers);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_slice_unref(call->text);
    free(call);
}

/* What gRPC says in words of its own, among addresses and names of its parts. */
static struct rpc_status plain_status(grpc_status_code code, const char *text, bool nobody)
{
    static const char closed[] = "the other side closed the connection: it ended, or was killed";
    static const struct {
        const char *sign, *plain;
        bool foreign;
    } known[] = {
        {"Connection reset by peer", closed, false},
        {"Socket closed", closed, false},
        {"Broken pipe", closed, false},
        {"GOAWAY received", "it takes no more calls: it is about to end, or has too many", false},
        {"Stream removed", "the connection broke: what answers there may not speak HTTP/2", true},
        {"http1", "a web server answers, by HTTP/1", true},
    };
    struct rpc_status status = {(int)code, text, nobody, false};
    bool own = code == GRPC_STATUS_UNAVAILABLE || code == GRPC_STATUS_INTERNAL;
    for (size_t i = 0; own && i < sizeof known / sizeof *known; i++) {
        if (!strstr(text, known[i].sign))
            continue;
        status.text = known[i].plain;
        status.foreign = known[i].foreign;
        break;
    }
    return status;
}

/* A connection that a call was lost with is of no use to the next one.  No agent says UNKNOWN: to
 * gRPC it is a stream that went with its connection. */
static void leave_connection(struct client_call *call)
{
    if (call->code == GRPC_STATUS_UNKNOWN)
        call->code = GRPC_STATUS_UNAVAILABLE;
    if (call->connection)
        rpc_link_release(&call->peer->link, call->connection,
                         call->code == GRPC_STATUS_UNAVAILABLE);
    call->connection = NULL;
}

/* One operation is over; behind the last one comes the status. */
static void end_operation(struct client_call *call)
{
    if (--call->operations)
        return;
    unlink_call(call);
    rpc_loop_cancel(call->peer->loop, on_late, call);
    leave_connection(call);
    if (call->code == GRPC_STATUS_OK && call->base.method->kind == RPC_UNARY && !call->messages &&
        !call->broken)
        call->broken = "the reply has no message";
    char *text = grpc_slice_to_c_string(call->text);
    struct rpc_status status = plain_status(call->code, text, call->nobody);
    if (call->broken)
        status = (struct rpc_status){RPC_INTERNAL, call->broken, false, false};
    call->reply(&call->base, NULL, &status, call->arg);
    gpr_free(text);
    free_call(call);
}

static void on_requested(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* the status will tell */
    end_operation(CONTAINER_OF(tag, struct client_call, request_tag));
}

static void on_status(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    end_operation(CONTAINER_OF(tag, struct client_call, status_tag));
}

static void await_message(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->payload;
    rpc_submit(call->base.call, &op, 1, &call->message_tag);
}

/* The callback comes last: it may do anything, even destroy the peer, and with it this call. */
static void on_message(struct rpc_tag *tag, bool ok)
{
    struct client_call *call = CONTAINER_OF(tag, struct client_call, message_tag);
    if (!ok || !call->payload) {
        end_operation(call);
        return;
    }
    ProtobufCMessage *message = rpc_decode(call->base.method->response, call->payload);
    call->payload = NULL;
    if (!message)
        break_call(call, "cannot decode the reply");
    else if (call->base.method->kind == RPC_UNARY && call->messages)
        break_call(call, "more than one message in the reply");
    call->messages = 1;
    await_message(call);
    if (message && !call->broken)
        call->reply(&call->base, message, NULL, call->arg);
    protobuf_c_message_free_unpacked(message, NULL);
}

/* ---- on a connection ---- */

static void send_request(struct client_call *call)
{
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[1].data.send_message.send_message = call->request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->headers;
    rpc_submit(call->base.call, ops, 4, &call->request_tag);
    grpc_byte_buffer_destroy(call->request);
    call->request = NULL;
}

static void await_status(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailers;
    op.data.recv_status_on_client.status = &call->code;
    op.data.recv_status_on_client.status_details = &call->text;
    rpc_submit(call->base.call, &op, 1, &call->status_tag);
}

static void begin(struct client_call *call, struct rpc_connection *connection)
{
    call->waiting = false;
    call->connection = connection;
    connection->calls++;
    call->base.call = grpc_channel_create_call(
        connection->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->peer->loop->queue,
        grpc_slice_from_static_string(call->base.method->path), NULL, rpc_time(INT64_MAX), NULL);
    call->operations = 3;
    send_request(call);
    await_status(call);
    await_message(call);
}

/* ---- before there is one ---- */

/* The status comes as if gRPC had sent it. */
static void end_waiting(struct client_call *call, int code, const char *text, bool nobody)
{
    call->waiting = false;
    call->nobody = nobody;
    call->code = (grpc_status_code)code;
    call->text = grpc_slice_from_copied_string(text);
    call->operations = 1;
    rpc_loop_cancel(call->peer->loop, on_late, call);
    rpc_loop_tag(call->peer->loop, &call->status_tag);
}

/* gRPC's own deadlines pass while this process is stopped, and outdo an answer that has come. */
static void on_late(void *arg)
{
    struct client_call *call = arg;
    if (call->waiting)
        end_waiting(call, RPC_DEADLINE_EXCEEDED, "no connection before the deadline", false);
    else
        grpc_call_cancel_with_status(call->base.call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                     "no answer before the deadline", NULL);
}

static void fail(struct client_call *call)
{
    const struct rpc_dialled *failure = &call->peer->link.failure;
    end_waiting(call, failure->code, failure->why, failure->nobody);
}

static void await_connection(struct client_call *call)
{
    call->waiting = true;
    bool comes =
        rpc_link_connect(&call->peer->link) || (call->wait_ready && call->peer->link.resting);
    if (!comes)
        fail(call);
}

/* Those that wait go on. */
static void go_on(struct rpc_peer *peer)
{
    for (struct client_call *call = peer->calls; call; call = call->next)
        if (call->waiting)
            begin(call, peer->link.connection);
}

/* Those that do not wait until it is ready end. */
static void fail_all(struct rpc_peer *peer)
{
    for (struct client_call *call = peer->calls; call; call = call->next)
        if (call->waiting && !call->wait_ready)
            fail(call);
}

static void try_again(struct rpc_peer *peer)
{
    const struct client_call *call = peer->calls;
    while (call && !call->waiting)
        call = call->next;
    if (call)
        rpc_link_connect(&peer->link);
}

static void on_link(struct rpc_link *link, enum rpc_link_news news)
{
    struct rpc_peer *peer = CONTAINER_OF(link, struct rpc_peer, link);
    switch (news) {
    case RPC_LINK_UP:
        go_on(peer);
        break;
    case RPC_LINK_FAILED:
        fail_all(peer);
        break;
    case RPC_LINK_RESTED:
        try_again(peer);
        break;
    }
}

/* ---- from outside ---- */

static struct client_call *new_call(struct rpc_peer *peer, const struct rpc_method *method)
{
    struct client_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->base.method = method;
    call->peer = peer;
    call->request_tag.done = on_requested;
    call->message_tag.done = on_message;
    call->status_tag.done = on_status;
    call->text = grpc_empty_slice();
    grpc_metadata_array_init(&call->headers);
    grpc_metadata_array_init(&call->trailers);
    call->next = peer->calls;
    call->link = &peer->calls;
    if (call->next)
        call->next->link = &call->next;
    peer->calls = call;
    return call;
}

struct rpc_call *rpc_start(struct rpc_peer *peer, const struct rpc_method *method,
                           const ProtobufCMessage *request, int64_t deadline_ms, bool wait_ready,
                           rpc_reply *reply, void *arg)
{
    struct client_call *call = peer->closing ? NULL : new_call(peer, method);
    if (!call)
        return NULL;
    if (deadline_ms >= 0 && rpc_loop_after(peer->loop, deadline_ms, on_late, call)) {
        unlink_call(call);
        free_call(call);
        return NULL;
    }
    call->reply = reply;
    call->arg = arg;
    call->wait_ready = wait_ready;
    call->request = rpc_encode(request);
    struct rpc_connection *connection = rpc_link_connection(&peer->link);
    if (connection)
        begin(call, connection);
    else
        await_connection(call);
    return &call->base;
}

void rpc_cancel(struct rpc_call *base)
{
    struct client_call *call = CONTAINER_OF(base, struct client_call, base);
    if (call->waiting)
        end_waiting(call, RPC_CANCELLED, "cancelled", false);
    else if (base->call)
        grpc_call_cancel(base->call, NULL);
}

/* ---- the peer ---- */

int rpc_peer_create(struct rpc_peer **out, struct rpc_loop *loop, const struct endpoint *to,
                    const struct users *trusted, struct error *err)
{
    struct rpc_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    peer->loop = loop;
    int failed = rpc_link_init(&peer->link, loop, to, trusted, on_link, err);
    if (failed) {
        free(peer);
        return failed;
    }
    *out = peer;
    return 0;
}

void rpc_peer_destroy(struct rpc_peer *peer)
{
    if (!peer)
        return;
    peer->closing = true;
    for (struct client_call *call = peer->calls; call; call = call->next)
        rpc_cancel(&call->base);
    while (peer->calls)
        rpc_loop_run(peer->loop, -1);
    rpc_link_fini(&peer->link);
    free(peer);
}
