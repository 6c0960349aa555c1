#include "rpc/rpc_link.h"

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

static void retire(struct rpc_link *link)
{
    struct rpc_connection *connection = link->connection;
    link->connection = NULL;
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

struct rpc_connection *rpc_link_connection(struct rpc_link *link)
{
    if (link->connection && !stands(link->connection))
        retire(link);
    return link->connection;
}

void rpc_link_release(struct rpc_link *link, struct rpc_connection *connection, bool broken)
{
    connection->calls--;
    if (broken && connection == link->connection)
        retire(link);
    else if (connection->retired && !connection->calls)
        free_connection(connection);
}

/* ---- connecting ---- */

static void on_rested(void *arg);

static void rest(struct rpc_link *link)
{
    link->resting = rpc_loop_after(link->loop, link->rest_ms, on_rested, link) == 0;
    link->rest_ms = link->rest_ms * 2 < REST_MAX_MS ? link->rest_ms * 2 : REST_MAX_MS;
}

static void fail(struct rpc_link *link, const struct rpc_dialled *dialled)
{
    link->failure = *dialled;
    rest(link);
    link->changed(link, RPC_LINK_FAILED);
}

static void on_dialled(void *arg, const struct rpc_dialled *dialled)
{
    struct rpc_link *link = arg;
    link->dial = NULL;
    if (dialled->fd < 0) {
        fail(link, dialled);
        return;
    }
    link->connection = new_connection(dialled->fd);
    if (!link->connection) {
        close(dialled->fd);
        fail(link, &no_memory);
        return;
    }
    link->rest_ms = REST_FIRST_MS;
    link->changed(link, RPC_LINK_UP);
}

static void dial(struct rpc_link *link)
{
    link->dial = rpc_dial_start(link->loop, &link->target, on_dialled, link);
}

static void on_rested(void *arg)
{
    struct rpc_link *link = arg;
    link->resting = false;
    link->changed(link, RPC_LINK_RESTED);
}

bool rpc_link_connect(struct rpc_link *link)
{
    if (!link->dial && !link->resting)
        dial(link);
    return link->dial;
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

int rpc_link_init(struct rpc_link *link, struct rpc_loop *loop, const struct endpoint *to,
                  const struct users *trusted,
                  void (*changed)(struct rpc_link *link, enum rpc_link_news news),
                  struct error *err)
{
    if (rpc_loop_gate(loop, err))
        return ERROR_SYSTEM;
    *link = (struct rpc_link){.loop = loop, .rest_ms = REST_FIRST_MS, .changed = changed};
    link->failure = no_memory; /* if not even an attempt can be made */
    if (trusted)
        link->target.trusted = *trusted;
    else
        users_add_own(&link->target.trusted);
    return find_target(&link->target, to, err);
}

void rpc_link_fini(struct rpc_link *link)
{
    if (link->dial)
        rpc_dial_abandon(link->dial);
    rpc_loop_cancel(link->loop, on_rested, link);
    retire(link);
}
