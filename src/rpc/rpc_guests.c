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

static void drop_those_that_left(struct rpc_guests *guests)
{
    size_t kept = 0;
    for (size_t i = 0; i < guests->count; i++)
        if (rpc_socket_cookie(guests->items[i].fd) == guests->items[i].cookie)
            guests->items[kept++] = guests->items[i];
    guests->count = kept;
}

bool rpc_guests_add(struct rpc_guests *guests, int fd, const struct rpc_caller *caller)
{
    pthread_mutex_lock(&guests->lock);
    drop_those_that_left(guests);
    bool room = guests->count < RPC_GUESTS_MAX;
    if (room)
        guests->items[guests->count++] = (struct rpc_guest){fd, rpc_socket_cookie(fd), *caller};
    pthread_mutex_unlock(&guests->lock);
    return room;
}

size_t rpc_guests_count(struct rpc_guests *guests, const char *key, size_t *of_key)
{
    pthread_mutex_lock(&guests->lock);
    drop_those_that_left(guests);
    *of_key = 0;
    for (size_t i = 0; i < guests->count; i++)
        *of_key += strcmp(guests->items[i].caller.key, key) == 0;
    size_t count = guests->count;
    pthread_mutex_unlock(&guests->lock);
    return count;
}

bool rpc_guests_find(struct rpc_guests *guests, int fd, struct rpc_caller *out)
{
    bool found = false;
    pthread_mutex_lock(&guests->lock);
    for (size_t i = 0; i < guests->count && !found; i++) {
        found = guests->items[i].fd == fd;
        if (found)
            *out = guests->items[i].caller;
    }
    pthread_mutex_unlock(&guests->lock);
    return found;
}
