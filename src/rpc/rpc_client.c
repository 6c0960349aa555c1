/* The client: peers and the calls to them.
 *
 * A unary call is a stream of one message here.  Three operations are under way in each call: the
 * request, the next message, the status.  The status may overtake the last message, so the end is
 * told when all three are over. */
#include "rpc/rpc_internal.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <grpc/support/alloc.h>

#include "util/clock.h"

#define BACKOFF_FIRST_MS   100
#define BACKOFF_MAX_MS     1000
#define CONNECT_TIMEOUT_MS 5000 /* of one attempt, when nobody answers */
#define RESOLVE_MIN_MS     1000 /* between two looks at a name */

struct rpc_peer {
    struct rpc_loop *loop;
    grpc_channel *channel;
    struct client_call *calls; /* in progress */
    bool closing;
};

struct client_call {
    struct rpc_call base;
    struct client_call *next, **link; /* in the peer's list */
    struct rpc_tag request_tag, message_tag, status_tag;
    unsigned operations; /* under way */
    rpc_reply *reply;
    void *arg;
    grpc_metadata_array headers, trailers;
    grpc_byte_buffer *payload;
    unsigned messages;  /* delivered; counts to 1 only */
    const char *broken; /* what is wrong with the reply; outdoes the status */
    grpc_status_code code;
    grpc_slice text;
};

/* The place to choose TLS. */
static grpc_channel_credentials *choose_credentials(void)
{
    return grpc_insecure_credentials_create();
}

/* ---- peer ---- */

static grpc_channel *open_channel(const char *target)
{
    struct rpc_args args;
    rpc_args_init(&args);
    rpc_args_add(&args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    rpc_args_add(&args, GRPC_ARG_ENABLE_RETRIES, 0);            /* an order must not be repeated */
    rpc_args_add(&args, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1); /* a connection of its own */
    rpc_args_add(&args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS);
    rpc_args_add(&args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS);
    rpc_args_add(&args, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS);
    rpc_args_add(&args, GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_MIN_MS);
    grpc_channel_credentials *credentials = choose_credentials();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args.args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

/* A numeric address is connected to as it stands, and so is a name's only one.  Of several
 * addresses gRPC tries each; but that there is any is checked here, for a clear error. */
static int find_target(const char *host, uint16_t port, char *out, size_t size, struct error *err)
{
    char where[RPC_ADDRESS_MAX], text[RPC_ADDRESS_MAX];
    struct addrinfo *list;
    rpc_address_text(host, port, where);
    if (!*host)
        return error_set(err, ERROR_AGENT, where, "the host to connect to is missing");
    if (!port)
        return error_set(err, ERROR_AGENT, where, "the port to connect to is missing");
    if (rpc_address_resolve(&list, host, 0, ERROR_AGENT, where, err))
        return ERROR_AGENT;
    const char *scheme = list->ai_family == AF_INET6 ? "ipv6" : "ipv4";
    if (list->ai_next)
        snprintf(out, size, "dns:///%s", where);
    else
        snprintf(out, size, "%s:%s", scheme, rpc_address_uri(list, port, text));
    freeaddrinfo(list);
    return 0;
}

int rpc_peer_create(struct rpc_peer **out, struct rpc_loop *loop, const char *host, uint16_t port,
                    struct error *err)
{
    char target[RPC_ADDRESS_MAX + sizeof "dns:///"];
    if (find_target(host, port, target, sizeof target, err))
        return ERROR_AGENT;
    struct rpc_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    peer->loop = loop;
    peer->channel = open_channel(target);
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
    grpc_channel_destroy(peer->channel);
    free(peer);
}

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
    grpc_metadata_array_destroy(&call->headers);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_slice_unref(call->text);
    free(call);
}

/* What gRPC says in words of its own, among addresses and names of its parts. */
static const char *plain_words(grpc_status_code code, const char *text)
{
    static const char closed[] = "the other side closed the connection: it ended, or was killed";
    static const struct {
        const char *sign, *plain;
    } known[] = {
        {"Connection refused", "nothing listens there: Connection refused"},
        {"Connection reset by peer", closed},
        {"Socket closed", closed},
        {"Broken pipe", closed},
    };
    for (size_t i = 0; code == GRPC_STATUS_UNAVAILABLE && i < sizeof known / sizeof *known; i++)
        if (strstr(text, known[i].sign))
            return known[i].plain;
    return text;
}

/* One operation is over; behind the last one comes the status. */
static void end_operation(struct client_call *call)
{
    if (--call->operations)
        return;
    unlink_call(call);
    if (call->code == GRPC_STATUS_OK && call->base.method->kind == RPC_UNARY && !call->messages &&
        !call->broken)
        call->broken = "the reply has no message";
    char *text = grpc_slice_to_c_string(call->text);
    struct rpc_status status = {(int)call->code, plain_words(call->code, text)};
    if (call->broken)
        status = (struct rpc_status){RPC_INTERNAL, call->broken};
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

/* ---- the request ---- */

static struct client_call *new_call(struct rpc_peer *peer, const struct rpc_method *method,
                                    int64_t deadline_ns)
{
    struct client_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->base.method = method;
    call->request_tag.done = on_requested;
    call->message_tag.done = on_message;
    call->status_tag.done = on_status;
    call->text = grpc_empty_slice();
    grpc_metadata_array_init(&call->headers);
    grpc_metadata_array_init(&call->trailers);
    call->base.call = grpc_channel_create_call(
        peer->channel, NULL, GRPC_PROPAGATE_DEFAULTS, peer->loop->queue,
        grpc_slice_from_static_string(method->path), NULL, rpc_time(deadline_ns), NULL);
    call->next = peer->calls;
    call->link = &peer->calls;
    if (call->next)
        call->next->link = &call->next;
    peer->calls = call;
    return call;
}

static void send_request(struct client_call *call, const ProtobufCMessage *request, bool wait_ready)
{
    grpc_byte_buffer *bytes = rpc_encode(request);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET |
                   (wait_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0);
    ops[1].data.send_message.send_message = bytes;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->headers;
    rpc_submit(call->base.call, ops, 4, &call->request_tag);
    grpc_byte_buffer_destroy(bytes);
}

static void await_status(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailers;
    op.data.recv_status_on_client.status = &call->code;
    op.data.recv_status_on_client.status_details = &call->text;
    rpc_submit(call->base.call, &op, 1, &call->status_tag);
}

struct rpc_call *rpc_start(struct rpc_peer *peer, const struct rpc_method *method,
                           const ProtobufCMessage *request, int64_t deadline_ms, bool wait_ready,
                           rpc_reply *reply, void *arg)
{
    if (peer->closing)
        return NULL;
    struct client_call *call = new_call(peer, method, rpc_after_ms(deadline_ms));
    if (!call)
        return NULL;
    call->reply = reply;
    call->arg = arg;
    call->operations = 3;
    send_request(call, request, wait_ready);
    await_status(call);
    await_message(call);
    return &call->base;
}

void rpc_cancel(struct rpc_call *base)
{
    grpc_call_cancel(base->call, NULL);
}
