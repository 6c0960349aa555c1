#include "rpc/rpc_guests.h"

#include <string.h>
#include <sys/socket.h>

void rpc_guests_init(struct rpc_guests *guests)
{
    guests->count = 0;
    pthread_mutex_init(&guests->lock, NULL);
}

void rpc_guests_fini(struct rpc_guests *guests)
{
    pthread_mutex_destroy(&guests->lock);
}

uint64_t rpc_socket_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) ? 0 : cookie;
}

static bool is_held_by_grpc(const struct rpc_guest *guest)
{
    return rpc_socket_cookie(guest->fd) == guest->cookie;
}

static void drop_those_that_left(struct rpc_guests *guests)
{
    size_t kept = 0;
    for (size_t i = 0; i < guests->count; i++)
        if (guests->items[i].relayed || is_held_by_grpc(&guests->items[i]))
            guests->items[kept++] = guests->items[i];
    guests->count = kept;
}

static bool is_full(const struct rpc_guests *guests)
{
    size_t yielded = 0;
    for (size_t i = 0; i < guests->count; i++)
        yielded += guests->items[i].yielded;
    return guests->count - yielded == RPC_CONNECTIONS_MAX ||
           guests->count == sizeof guests->items / sizeof *guests->items;
}

uint64_t rpc_guests_add(struct rpc_guests *guests, int fd, const struct rpc_caller *caller)
{
    uint64_t cookie = rpc_socket_cookie(fd);
    pthread_mutex_lock(&guests->lock);
    drop_those_that_left(guests);
    if (is_full(guests))
        cookie = 0;
    if (cookie)
        guests->items[guests->count++] = (struct rpc_guest){fd, cookie, true, false, *caller};
    pthread_mutex_unlock(&guests->lock);
    return cookie;
}

void rpc_guests_leave(struct rpc_guests *guests, uint64_t cookie, bool yielded)
{
    pthread_mutex_lock(&guests->lock);
    for (size_t i = 0; i < guests->count; i++) {
        if (guests->items[i].cookie != cookie)
            continue;
        guests->items[i].relayed = false;
        guests->items[i].yielded = yielded;
    }
    pthread_mutex_unlock(&guests->lock);
}

size_t rpc_guests_count(struct rpc_guests *guests, const char *key, size_t *of_key)
{
    pthread_mutex_lock(&guests->lock);
    drop_those_that_left(guests);
    size_t count = 0;
    *of_key = 0;
    for (size_t i = 0; i < guests->count; i++) {
        if (guests->items[i].yielded)
            continue;
        count++;
        *of_key += strcmp(guests->items[i].caller.key, key) == 0;
    }
    pthread_mutex_unlock(&guests->lock);
    return count;
}

bool rpc_guests_find(struct rpc_guests *guests, int fd, struct rpc_caller *out)
{
    bool found = false;
    pthread_mutex_lock(&guests->lock);
    for (size_t i = 0; i < guests->count && !found; i++) {
        found = guests->items[i].fd == fd && is_held_by_grpc(&guests->items[i]);
        if (found)
            *out = guests->items[i].caller;
    }
    pthread_mutex_unlock(&guests->lock);
    return found;
}
