/* One call at a server: the request comes in, messages go out through a short queue, the status
 * ends it.
 *
 * A call has two holders: gRPC, while operations of it are under way, and who serves it, until
 * rpc_finish().  The later one to let go frees it.  Callbacks to the latter come last in each
 * handler, for they may do anything, even destroy the server. */
#include "rpc/rpc_server_call.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>

#include "rpc/rpc_door.h"
#include "util/clock.h"

#define QUEUE_MAX   64              /* messages that rpc_send() takes */
#define QUEUE_BYTES (1 << 20)       /* or as many bytes, if there are two messages or more */
#define QUEUE_LOW   (QUEUE_MAX / 2) /* on_ready comes when so few are left */

struct queue {
    grpc_byte_buffer *items[QUEUE_MAX + 1]; /* one more for rpc_finish() */
    size_t first, count, bytes;
};

struct server_call {
    struct rpc_call base;
    struct rpc_slot *slot; /* valid while operations are under way */
    struct rpc_tag request_tag, send_tag, close_tag;
    unsigned operations; /* under way: sending, and waiting for the close */

    grpc_metadata_array metadata;
    grpc_call_details details; /* catch-all only */
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    int64_t received_ns;
    struct rpc_caller caller; /* text empty: not asked for yet */
    int cancelled;            /* gRPC writes it; that the call was closed says all we need */

    struct queue queue;
    bool headers_sent, sending, status_sent;
    bool starved;  /* a message was refused: on_ready is owed */
    bool gone;     /* the caller went away */
    bool finished; /* the server's side let go */
    int code;
    grpc_slice text;

    void (*ready)(struct rpc_call *call, void *arg);
    void *ready_arg;
    void (*on_gone)(struct rpc_call *call, void *arg);
    void *gone_arg;
};

/* ---- queue ---- */

static bool queue_is_full(const struct queue *queue, size_t size)
{
    return queue->count >= QUEUE_MAX || (queue->count && queue->bytes + size > QUEUE_BYTES);
}

static void queue_push(struct queue *queue, grpc_byte_buffer *bytes)
{
    queue->items[(queue->first + queue->count++) % (QUEUE_MAX + 1)] = bytes;
    queue->bytes += grpc_byte_buffer_length(bytes);
}

static grpc_byte_buffer *queue_pop(struct queue *queue)
{
    grpc_byte_buffer *bytes = queue->items[queue->first];
    queue->first = (queue->first + 1) % (QUEUE_MAX + 1);
    queue->count--;
    queue->bytes -= grpc_byte_buffer_length(bytes);
    return bytes;
}

static void queue_clear(struct queue *queue)
{
    while (queue->count)
        grpc_byte_buffer_destroy(queue_pop(queue));
}

/* ---- life ---- */

static struct server_call *server_call(struct rpc_call *call)
{
    return CONTAINER_OF(call, struct server_call, base);
}

static void init_headers(struct server_call *call)
{
    grpc_metadata_array_init(&call->metadata);
    grpc_call_details_init(&call->details);
}

static void free_headers(struct server_call *call)
{
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
}

static void free_call(struct server_call *call)
{
    queue_clear(&call->queue);
    if (call->payload)
        grpc_byte_buffer_destroy(call->payload);
    free_headers(call);
    grpc_slice_unref(call->text);
    free(call);
}

static void submit(struct server_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag)
{
    call->operations++;
    call->slot->server->pending++;
    rpc_submit(call->base.call, ops, count, tag);
}

/* One operation is over; behind the last one nothing of gRPC is left in the call. */
static void end_operation(struct server_call *call)
{
    call->slot->server->pending--;
    if (--call->operations)
        return;
    grpc_call_unref(call->base.call);
    call->base.call = NULL;
    if (call->finished)
        free_call(call);
}

/* ---- sending ---- */

/* Hands gRPC what is next: the headers before all, a message, the status behind the last one.
 * gRPC takes one such batch at a time. */
static void flush(struct server_call *call)
{
    grpc_op ops[3] = {0};
    size_t count = 0;
    grpc_byte_buffer *message = NULL;
    if (call->gone)
        queue_clear(&call->queue);
    if (call->gone || call->sending || call->status_sent)
        return;
    if (!call->queue.count && !call->finished)
        return;
    if (!call->headers_sent)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (call->queue.count) {
        message = queue_pop(&call->queue);
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count].flags = call->queue.count ? GRPC_WRITE_BUFFER_HINT : 0;
        ops[count++].data.send_message.send_message = message;
    }
    if (call->finished && !call->queue.count) {
        ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[count].data.send_status_from_server.status = (grpc_status_code)call->code;
        ops[count++].data.send_status_from_server.status_details = &call->text;
        call->status_sent = true;
    }
    call->headers_sent = call->sending = true;
    submit(call, ops, count, &call->send_tag);
    if (message)
        grpc_byte_buffer_destroy(message);
}

static void on_sent(struct rpc_tag *tag, bool ok)
{
    struct server_call *call = CONTAINER_OF(tag, struct server_call, send_tag);
    call->sending = false;
    if (!ok) { /* its close is near; on_gone comes then */
        call->gone = true;
        grpc_call_cancel(call->base.call, NULL);
    }
    flush(call);
    bool wake = call->starved && !call->gone && !call->finished && call->queue.count <= QUEUE_LOW;
    if (wake)
        call->starved = false;
    end_operation(call);
    if (wake && call->ready)
        call->ready(&call->base, call->ready_arg);
}

int rpc_send(struct rpc_call *base, const ProtobufCMessage *message)
{
    struct server_call *call = server_call(base);
    assert(!call->finished);
    if (call->gone)
        return -EPIPE;
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > RPC_MESSAGE_MAX)
        return -EMSGSIZE;
    if (queue_is_full(&call->queue, size)) {
        call->starved = true;
        return -EAGAIN;
    }
    queue_push(&call->queue, rpc_encode(message));
    flush(call);
    return 0;
}

void rpc_finish(struct rpc_call *base, const ProtobufCMessage *message, int code, const char *text)
{
    struct server_call *call = server_call(base);
    assert(!call->finished);
    if (message && protobuf_c_message_get_packed_size(message) > RPC_MESSAGE_MAX) {
        message = NULL;
        code = RPC_RESOURCE_EXHAUSTED;
        text = "the reply is larger than a message may be";
    }
    call->finished = true;
    call->code = code;
    call->text = grpc_slice_from_copied_string(text ? text : "");
    if (message)
        queue_push(&call->queue, rpc_encode(message));
    flush(call);
    if (!call->operations)
        free_call(call);
}

/* ---- the caller ---- */

void rpc_on_ready(struct rpc_call *base, void (*fn)(struct rpc_call *, void *), void *arg)
{
    server_call(base)->ready = fn;
    server_call(base)->ready_arg = arg;
}

void rpc_on_gone(struct rpc_call *base, void (*fn)(struct rpc_call *, void *), void *arg)
{
    server_call(base)->on_gone = fn;
    server_call(base)->gone_arg = arg;
}

int64_t rpc_received_ns(const struct rpc_call *base)
{
    return CONTAINER_OF(base, const struct server_call, base)->received_ns;
}

/* gRPC names a connection that it was given "fd:7". */
const struct rpc_caller *rpc_caller(struct rpc_call *base)
{
    struct server_call *call = server_call(base);
    struct rpc_caller *caller = &call->caller;
    int fd;
    if (caller->text[0] || !base->call)
        return caller;
    char *name = grpc_call_get_peer(base->call);
    if (sscanf(name, "fd:%d", &fd) != 1 || !rpc_door_caller(call->slot->server->door, fd, caller))
        *caller = (struct rpc_caller){.text = "?", .key = "?"};
    gpr_free(name);
    return caller;
}

/* The call is over for gRPC: its status went out, or the caller went away. */
static void on_close(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct server_call *call = CONTAINER_OF(tag, struct server_call, close_tag);
    bool tell = !call->finished && call->on_gone;
    if (!call->finished)
        rpc_caller(&call->base); /* the last chance */
    call->gone = true;
    queue_clear(&call->queue);
    end_operation(call);
    if (tell)
        call->on_gone(&call->base, call->gone_arg);
}

/* ---- the request ---- */

static void serve(struct server_call *call)
{
    const struct rpc_slot *slot = call->slot;
    if (!slot->method) {
        rpc_finish(&call->base, NULL, RPC_UNIMPLEMENTED, "no such method here");
        return;
    }
    ProtobufCMessage *request = NULL;
    watch_stage(&slot->server->loop->watched, slot->method->path);
    if (call->payload)
        request = rpc_decode(slot->method->request, call->payload);
    call->payload = NULL;
    if (!request) {
        rpc_finish(&call->base, NULL, RPC_INVALID_ARGUMENT, "cannot decode the request");
        return;
    }
    slot->serve(&call->base, request, slot->ctx);
    protobuf_c_message_free_unpacked(request, NULL);
}

/* Posts the wait for a call that matches the slot; on_request() runs in any case then. */
static int await_request(struct server_call *call)
{
    struct rpc_server *server = call->slot->server;
    grpc_completion_queue *queue = server->loop->queue;
    grpc_call_error refused;
    if (call->slot->method)
        refused = grpc_server_request_registered_call(
            server->server, call->slot->handle, &call->base.call, &call->deadline, &call->metadata,
            &call->payload, queue, queue, &call->request_tag);
    else
        refused = grpc_server_request_call(server->server, &call->base.call, &call->details,
                                           &call->metadata, queue, queue, &call->request_tag);
    if (refused != GRPC_CALL_OK)
        return -1;
    server->pending++;
    return 0;
}

/* Out of memory for the next call's place: this caller is dropped, and the next one gets its. */
static void drop_caller(struct server_call *call)
{
    grpc_call_cancel_with_status(call->base.call, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory",
                                 NULL);
    grpc_call_unref(call->base.call);
    if (call->payload)
        grpc_byte_buffer_destroy(call->payload);
    call->payload = NULL;
    free_headers(call);
    init_headers(call);
    if (await_request(call))
        free_call(call);
}

static void on_request(struct rpc_tag *tag, bool ok)
{
    int64_t now = clock_now();
    struct server_call *call = CONTAINER_OF(tag, struct server_call, request_tag);
    call->slot->server->pending--;
    if (!ok) { /* the server is being shut down */
        free_call(call);
        return;
    }
    if (rpc_slot_await(call->slot)) {
        drop_caller(call);
        return;
    }
    call->received_ns = now;
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->cancelled;
    submit(call, &op, 1, &call->close_tag);
    serve(call);
}

int rpc_slot_await(struct rpc_slot *slot)
{
    struct server_call *call = calloc(1, sizeof *call);
    if (!call)
        return -1;
    call->base.method = slot->method;
    call->slot = slot;
    call->request_tag.done = on_request;
    call->send_tag.done = on_sent;
    call->close_tag.done = on_close;
    call->text = grpc_empty_slice();
    init_headers(call);
    if (await_request(call)) {
        free_call(call);
        return -1;
    }
    return 0;
}
