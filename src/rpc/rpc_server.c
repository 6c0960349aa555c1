/* The server: its ports, its table of methods, its end. */
#include "rpc/rpc_server_call.h"

#include <stdlib.h>

#include "rpc/rpc_door.h"
#include "rpc/rpc_guests.h"
#include "rpc/rpc_inspector.h"
#include "util/clock.h"

#define IDLE_MAX_MS          60000 /* of a connection without calls; clients connect again */
#define PING_INTERVAL_MIN_MS 5000  /* that a client may keep to; half of what ours does */
/* Bytes that gRPC may hold: all that the door lets requests have, a third more as it is handed out
 * ahead, and connections and replies. */
#define MEMORY_MAX (RPC_CONNECTIONS_MAX * RPC_SHARE / 2 * 3)

/* The place to choose TLS. */
static grpc_server_credentials *choose_credentials(void)
{
    return grpc_insecure_server_credentials_create();
}

static void on_stopped(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    CONTAINER_OF(tag, struct rpc_server, stopped_tag)->stopped = true;
}

/* Returns the slot behind those of the service. */
static struct rpc_slot *fill_slots(struct rpc_server *server, struct rpc_slot *slot,
                                   const struct rpc_service *service)
{
    for (size_t i = 0; i < service->count; i++, slot++) {
        slot->server = server;
        slot->method = &service->methods[i];
        slot->serve = service->serve[i];
        slot->ctx = service->ctx;
        slot->handle = grpc_server_register_method(server->server, slot->method->path, NULL,
                                                   GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    }
    return slot;
}

/* The quota is a last resort: where it is short, gRPC gives up anybody's. */
static grpc_server *create_server(struct rpc_args *args)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("calls");
    grpc_resource_quota_resize(quota, MEMORY_MAX);
    rpc_args_add_pointer(args, GRPC_ARG_RESOURCE_QUOTA, quota, grpc_resource_quota_arg_vtable());
    grpc_server *server = grpc_server_create(&args->args, NULL);
    grpc_resource_quota_unref(quota);
    return server;
}

static struct rpc_server *new_server(struct rpc_loop *loop, const struct rpc_service *service)
{
    size_t count = 1; /* for all that has no slot of its own */
    for (const struct rpc_service *each = service; each; each = each->next)
        count += each->count;
    struct rpc_server *server = calloc(1, sizeof *server + count * sizeof *server->slots);
    if (!server)
        return NULL;
    struct rpc_args args;
    rpc_args_init(&args);
    rpc_args_add(&args, GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MAX_MS);
    rpc_args_add(&args, GRPC_ARG_MAX_CONCURRENT_STREAMS, RPC_STREAMS_MAX);
    rpc_args_add(&args, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                 PING_INTERVAL_MIN_MS);
    server->loop = loop;
    server->stopped_tag.done = on_stopped;
    server->count = count;
    server->credentials = choose_credentials();
    server->server = create_server(&args);
    grpc_server_register_completion_queue(server->server, loop->queue, NULL);
    struct rpc_slot *slot = server->slots;
    for (const struct rpc_service *each = service; each; each = each->next)
        slot = fill_slots(server, slot, each);
    slot->server = server;
    return server;
}

static int await_calls(struct rpc_server *server, struct error *err)
{
    for (size_t i = 0; i < server->count; i++)
        if (rpc_slot_await(&server->slots[i]))
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return 0;
}

int rpc_server_create(struct rpc_server **out, struct rpc_loop *loop,
                      const struct rpc_service *service, const struct rpc_listening *how,
                      uint16_t *port, struct error *err)
{
    uint16_t chosen;
    struct rpc_server *server = new_server(loop, service);
    if (!server)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    grpc_server_start(server->server);
    int failed = await_calls(server, err);
    if (!failed)
        failed = rpc_door_open(&server->door, loop, server->server, server->credentials, how,
                               &chosen, err);
    if (failed) {
        rpc_server_destroy(server, 0);
        return failed;
    }
    if (port)
        *port = chosen;
    *out = server;
    return 0;
}

static bool is_idle(const struct rpc_server *server)
{
    return server->stopped && !server->pending;
}

void rpc_server_destroy(struct rpc_server *server, int grace_ms)
{
    if (!server)
        return;
    const int64_t grace_ends = rpc_loop_now(server->loop) + grace_ms * NS_PER_MS;
    if (server->door)
        rpc_door_close(server->door);
    grpc_server_shutdown_and_notify(server->server, server->loop->queue, &server->stopped_tag);
    for (int64_t left = grace_ms; left > 0 && !is_idle(server);
         left = (grace_ends - rpc_loop_now(server->loop)) / NS_PER_MS)
        rpc_loop_run(server->loop, (int)left);
    if (!is_idle(server))
        grpc_server_cancel_all_calls(server->server);
    while (!is_idle(server))
        rpc_loop_run(server->loop, -1);
    rpc_door_free(server->door, grace_ends);
    grpc_server_destroy(server->server);
    grpc_server_credentials_release(server->credentials);
    free(server);
}
