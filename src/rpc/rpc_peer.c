#include "rpc/rpc_peer.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <grpc/grpc_posix.h>

#include "rpc/rpc_guests.h"
#include "util/address.h"

#define REST_FIRST_MS 100
#define REST_MAX_MS   1000

static const struct rpc_dialled no_memory = {
    .fd = -1, .code = RPC_RESOURCE_EXHAUSTED, .why = "out of memory"};

/* The place to choose TLS. */
static grpc_channel_credentials *choose_credentials(void)
{
    return grpc_insecure_credentials_create();
}

/* ---- the connection ---- */

static struct rpc_connection *new_connection(int fd)
{
    struct rpc_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    struct rpc_args args;
    rpc_args_init(&args);
    grpc_channel_credentials *credentials = choose_credentials();
    connection->fd = fd;
    connection->cookie = rpc_socket_cookie(fd);
    connection->channel = grpc_channel_create_from_fd("agent", fd, credentials, &args.args);
    grpc_channel_credentials_release(credentials);
    return connection;
}

static void free_connection(struct rpc_connection *connection)
{
    grpc_channel_destroy(connection->channel);
    free(connection);
}

static void retire(struct rpc_peer *peer)
{
    struct rpc_connection *connection = peer->connection;
    peer->connection = NULL;
    if (!connection)
        return;
    connection->retired = true;
    if (!connection->calls)
        free_connection(connection);
}

/* Whether the other side has not closed it, as far as that has come here. */
static bool stands(const struct rpc_connection *connection)
{
    struct pollfd state = {.fd = connection->fd, .events = POLLRDHUP};
    return poll(&state, 1, 0) == 0 && rpc_socket_cookie(connection->fd) == connection->cookie;
}

struct rpc_connection *rpc_peer_connection(struct rpc_peer *peer)
{
    if (peer->connection && !stands(peer->connection))
        retire(peer);
    return peer->connection;
}

void rpc_peer_release(struct rpc_peer *peer, struct rpc_connection *connection, bool broken)
{
    connection->calls--;
    if (broken && connection == peer->connection)
        retire(peer);
    else if (connection->retired && !connection->calls)
        free_connection(connection);
}

/* ---- connecting ---- */

static void on_rested(void *arg);

static void rest(struct rpc_peer *peer)
{
    peer->resting = rpc_loop_after(peer->loop, peer->rest_ms, on_rested, peer) == 0;
    peer->rest_ms = peer->rest_ms * 2 < REST_MAX_MS ? peer->rest_ms * 2 : REST_MAX_MS;
}

static void fail(struct rpc_peer *peer, const struct rpc_dialled *dialled)
{
    peer->failure = *dialled;
    rest(peer);
    rpc_calls_fail(peer);
}

static void on_dialled(void *arg, const struct rpc_dialled *dialled)
{
    struct rpc_peer *peer = arg;
    peer->dial = NULL;
    if (dialled->fd < 0) {
        fail(peer, dialled);
        return;
    }
    peer->connection = new_connection(dialled->fd);
    if (!peer->connection) {
        close(dialled->fd);
        fail(peer, &no_memory);
        return;
    }
    peer->rest_ms = REST_FIRST_MS;
    rpc_calls_go_on(peer);
}

static void dial(struct rpc_peer *peer)
{
    peer->dial = rpc_dial_start(peer->loop, &peer->target, on_dialled, peer);
}

static void on_rested(void *arg)
{
    struct rpc_peer *peer = arg;
    peer->resting = false;
    if (rpc_calls_wait(peer))
        dial(peer);
}

bool rpc_peer_connect(struct rpc_peer *peer)
{
    if (!peer->dial && !peer->resting)
        dial(peer);
    return peer->dial;
}

/* ---- life ---- */

static int find_target(struct rpc_target *out, const struct endpoint *to, struct error *err)
{
    char where[ENDPOINT_TEXT_MAX];
    struct addrinfo *list;
    endpoint_text(to, where);
    if (to->path[0]) {
        out->sizes[out->count] = rpc_address_unix(&out->addresses[out->count], to->path);
        out->count++;
        return 0;
    }
    if (!to->host[0])
        return error_set(err, ERROR_AGENT, where, "the host to connect to is missing");
    if (!to->port)
        return error_set(err, ERROR_AGENT, where, "the port to connect to is missing");
    if (rpc_address_resolve(&list, to->host, 0, ERROR_AGENT, where, err))
        return ERROR_AGENT;
    for (struct addrinfo *a = list; a && out->count < RPC_TARGET_MAX; a = a->ai_next) {
        out->sizes[out->count] = rpc_address_take(&out->addresses[out->count], a, to->port);
        out->count += out->sizes[out->count] > 0;
    }
    freeaddrinfo(list);
    return 0;
}

int rpc_peer_create(struct rpc_peer **out, struct rpc_loop *loop, const struct endpoint *to,
                    const struct users *trusted, struct error *err)
{
    if (rpc_loop_gate(loop, err))
        return ERROR_SYSTEM;
    struct rpc_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    peer->loop = loop;
    peer->rest_ms = REST_FIRST_MS;
    peer->failure = no_memory; /* if not even an attempt can be made */
    if (trusted)
        peer->target.trusted = *trusted;
    else
        users_add_own(&peer->target.trusted);
    int failed = find_target(&peer->target, to, err);
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
    if (peer->dial)
        rpc_dial_abandon(peer->dial);
    peer->dial = NULL;
    rpc_loop_cancel(peer->loop, on_rested, peer);
    rpc_calls_cancel(peer);
    while (peer->calls)
        rpc_loop_run(peer->loop, -1);
    retire(peer);
    free(peer);
}
