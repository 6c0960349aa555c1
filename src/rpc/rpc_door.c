#include "rpc/rpc_door.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <grpc/grpc_posix.h>

#include "host/socket_owner.h"
#include "rpc/rpc_farewell.h"
#include "rpc/rpc_gate.h"
#include "rpc/rpc_guests.h"
#include "rpc/rpc_listen.h"
#include "rpc/rpc_refusals.h"
#include "rpc/rpc_relay.h"
#include "rpc/rpc_who.h"
#include "util/clock.h"

#define PREFACE_NS      (5 * NS_PER_S)
#define IDLE_NS         (500 * NS_PER_MS) /* that a connection is idle before it gives way */
#define OF_ONE_KEY_MAX  32                /* connections, that wait or are served */
#define LEAVING_SCARCE  4 /* that leave (RPC_LEAVING_MAX), while descriptors are scarce */
#define LEAVING_OF_ONE  8 /* likewise, of one key */
#define LEAVING_NS      (1 * NS_PER_S)
#define RESERVED_FDS    16 /* descriptors that the door leaves for the rest of the program */
#define ACCEPT_AGAIN_NS (100 * NS_PER_MS)
#define DRAIN_LOOK_MS   10 /* between looks whether all has been sent */

static const char no_descriptors[] = "the agent has no descriptors to spare: raise its limit there "
                                     "(ulimit -n), or wait until others are done";

struct arrival {
    struct rpc_watch watch;
    struct rpc_door *door;
    struct arrival *next, **link;
    struct rpc_caller caller;
    bool leaving;
    struct rpc_farewell farewell;
};

/* A connection that gRPC serves. */
struct passage {
    struct rpc_relay relay;
    struct rpc_door *door;
    struct passage *next, **link;
    struct rpc_caller caller;
    uint64_t cookie; /* of gRPC's end */
    bool yielded;
};

struct listener {
    struct rpc_watch watch;
    struct rpc_door *door;
};

struct rpc_door {
    struct rpc_loop *loop;
    grpc_server *server;
    grpc_server_credentials *credentials;
    struct users trusted;
    struct rpc_listeners sockets;
    struct listener listeners[RPC_LISTENERS_MAX];
    size_t listening;         /* of them are watched */
    struct arrival *arrivals; /* that wait or leave */
    struct passage *passages;
    size_t most; /* connections that it serves */
    struct rpc_load load;
    struct rpc_refusals refusals;
    struct rpc_guests guests;
};

/* ---- arrivals ---- */

static void drop(struct arrival *arrival)
{
    *arrival->link = arrival->next;
    if (arrival->next)
        arrival->next->link = arrival->link;
    free(arrival);
}

static void close_arrival(struct arrival *arrival)
{
    rpc_gate_remove(arrival->door->loop->gate, &arrival->watch);
    close(arrival->watch.fd);
    drop(arrival);
}

/* How many leave, or else wait, and how many of them have the key. */
static size_t count_arrivals(const struct rpc_door *door, bool leaving, const char *key,
                             size_t *of_key)
{
    size_t count = 0;
    *of_key = 0;
    for (const struct arrival *arrival = door->arrivals; arrival; arrival = arrival->next) {
        if (arrival->leaving != leaving)
            continue;
        count++;
        *of_key += strcmp(arrival->caller.key, key) == 0;
    }
    return count;
}

/* The kernel gives the lowest number that is free: so this one tells how many are left. */
static bool is_scarce(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + RESERVED_FDS >= limit.rlim_cur;
}

/* ---- refusing ---- */

static void on_leaving(struct rpc_watch *watch, uint32_t events)
{
    struct arrival *arrival = CONTAINER_OF(watch, struct arrival, watch);
    if (events && !rpc_farewell_read(&arrival->farewell, watch->fd))
        return;
    rpc_farewell_end(&arrival->farewell, watch->fd);
    close_arrival(arrival);
}

/* The one that has been leaving for longest, of a key unless that is NULL, goes now. */
static void hurry(struct rpc_door *door, const char *key)
{
    struct arrival *oldest = NULL;
    for (struct arrival *arrival = door->arrivals; arrival; arrival = arrival->next)
        if (arrival->leaving && (!key || strcmp(arrival->caller.key, key) == 0))
            oldest = arrival;
    if (oldest)
        on_leaving(&oldest->watch, 0);
}

static void refuse(struct arrival *arrival, int code, const char *why)
{
    struct rpc_door *door = arrival->door;
    const char *key = arrival->caller.key;
    size_t most = is_scarce(arrival->watch.fd) ? LEAVING_SCARCE : RPC_LEAVING_MAX;
    size_t of_key;
    rpc_refusals_add(&door->refusals, &arrival->caller, why);
    rpc_farewell_begin(&arrival->farewell, arrival->watch.fd, code, why);
    while (count_arrivals(door, true, key, &of_key) >= most || of_key >= LEAVING_OF_ONE)
        hurry(door, of_key >= LEAVING_OF_ONE ? key : NULL);
    arrival->leaving = true;
    arrival->watch.ready = on_leaving;
    arrival->watch.due_ns = rpc_gate_now(door->loop->gate) + LEAVING_NS;
    rpc_gate_change(door->loop->gate, &arrival->watch, EPOLLIN);
}

/* ---- passages ---- */

static void end_passage(struct passage *passage)
{
    rpc_guests_leave(&passage->door->guests, passage->cookie, passage->yielded);
    *passage->link = passage->next;
    if (passage->next)
        passage->next->link = passage->link;
    free(passage);
}

static void on_over(struct rpc_relay *relay, const char *why)
{
    struct passage *passage = CONTAINER_OF(relay, struct passage, relay);
    if (why)
        rpc_refusals_add(&passage->door->refusals, &passage->caller, why);
    end_passage(passage);
}

static void yield(struct passage *passage)
{
    passage->yielded = true;
    rpc_relay_cut(&passage->relay,
                  "nothing is under way on it, and another caller needs its place");
}

/* False: there is no place, or no memory; the descriptors are as they were. */
static bool begin_passage(struct rpc_door *door, const struct rpc_caller *caller, int outside,
                          const int pair[2])
{
    struct passage *passage = calloc(1, sizeof *passage);
    if (!passage)
        return false;
    passage->cookie = rpc_guests_add(&door->guests, pair[1], caller);
    passage->door = door;
    passage->caller = *caller;
    passage->link = &door->passages;
    passage->next = door->passages;
    if (passage->next)
        passage->next->link = &passage->next;
    door->passages = passage;
    if (passage->cookie &&
        !rpc_relay_begin(&passage->relay, door->loop->gate, outside, pair[0], &door->load, on_over))
        return true;
    end_passage(passage);
    return false;
}

static void end_early(struct arrival *arrival, const char *why)
{
    rpc_refusals_add(&arrival->door->refusals, &arrival->caller, why);
    close_arrival(arrival);
}

/* ---- room ---- */

/* The passage on which nothing has been under way for longest, or the arrival that has waited for
 * longer than that, of a key unless that is NULL, ends for a newcomer.  False: something is under
 * way on each. */
static bool gives_way(const struct arrival *newcomer, const char *key)
{
    struct rpc_door *door = newcomer->door;
    struct passage *idle = NULL;
    struct arrival *slow = NULL;
    int64_t since_ns = rpc_gate_now(door->loop->gate) - IDLE_NS;
    for (struct passage *each = door->passages; each; each = each->next) {
        int64_t idle_ns = rpc_inspector_idle_ns(&each->relay.inspector);
        if (idle_ns >= since_ns || (key && strcmp(each->caller.key, key) != 0))
            continue;
        since_ns = idle_ns;
        idle = each;
    }
    for (struct arrival *each = door->arrivals; each; each = each->next) {
        int64_t came_ns = each->watch.due_ns - PREFACE_NS;
        if (each == newcomer || each->leaving || came_ns >= since_ns ||
            (key && strcmp(each->caller.key, key) != 0))
            continue;
        since_ns = came_ns;
        slow = each;
    }
    if (slow)
        end_early(slow, "it has said nothing yet, and another caller needs its place");
    else if (idle)
        yield(idle);
    return slow || idle;
}

/* Makes it if need be.  Fills why and returns false if there is no room for one more.  The one that
 * asks is not among those that wait. */
static bool has_room(struct arrival *arrival, char why[RPC_WHY_MAX])
{
    struct rpc_door *door = arrival->door;
    const char *key = arrival->caller.key;
    size_t waiting_of_key, served_of_key;
    size_t count = count_arrivals(door, false, key, &waiting_of_key) +
                   rpc_guests_count(&door->guests, key, &served_of_key);
    const bool of_key = waiting_of_key + served_of_key > OF_ONE_KEY_MAX;
    why[0] = '\0';
    if (is_scarce(arrival->watch.fd))
        snprintf(why, RPC_WHY_MAX, "%s", no_descriptors);
    else if ((!of_key && count <= door->most) || gives_way(arrival, of_key ? key : NULL))
        return true;
    else if (of_key)
        snprintf(why, RPC_WHY_MAX,
                 "the agent has %d connections of %s already, and takes no more: end the programs "
                 "that hold them",
                 OF_ONE_KEY_MAX, key);
    else
        snprintf(why, RPC_WHY_MAX, "the agent has %zu connections already: wait until one ends",
                 door->most);
    return false;
}

/* ---- admission ---- */

/* False: he was refused, or is gone. */
static bool may_stay(struct arrival *arrival)
{
    struct rpc_door *door = arrival->door;
    char why[RPC_WHY_MAX];
    switch (rpc_who_calls(rpc_gate_owners(door->loop->gate), &door->trusted, arrival->watch.fd,
                          &arrival->caller, why)) {
    case RPC_WHO_FINE:
        return true;
    case RPC_WHO_GONE:
        close_arrival(arrival);
        return false;
    case RPC_WHO_FOREIGN:
        break;
    }
    refuse(arrival, RPC_PERMISSION_DENIED, why);
    return false;
}

/* ---- handing over ---- */

static bool make_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        return false;
    if (!is_scarce(pair[0]) && !is_scarce(pair[1]))
        return true;
    close(pair[0]);
    close(pair[1]);
    return false;
}

/* The place where any connection, however it came, is handed to gRPC, which closes its end. */
static void hand_over(struct arrival *arrival)
{
    struct rpc_door *door = arrival->door;
    int pair[2], fd = arrival->watch.fd;
    if (!make_pair(pair)) {
        refuse(arrival, RPC_RESOURCE_EXHAUSTED, no_descriptors);
        return;
    }
    rpc_gate_remove(door->loop->gate, &arrival->watch);
    if (begin_passage(door, &arrival->caller, fd, pair)) {
        grpc_server_add_channel_from_fd(door->server, pair[1], door->credentials);
    } else {
        close(pair[0]);
        close(pair[1]);
        close(fd);
    }
    drop(arrival);
}

/* ---- the preface ---- */

/* It is looked at, not taken: gRPC reads it again. */
static void on_preface(struct rpc_watch *watch, uint32_t events)
{
    struct arrival *arrival = CONTAINER_OF(watch, struct arrival, watch);
    char bytes[RPC_PREFACE_SIZE];
    if (!events) {
        end_early(arrival, "it did not begin as HTTP/2 does within 5 s");
        return;
    }
    ssize_t size = recv(watch->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const bool whole = size == (ssize_t)sizeof bytes;
    if (size > 0 && memcmp(bytes, RPC_PREFACE, (size_t)size) != 0)
        end_early(arrival, "it does not speak HTTP/2");
    else if (whole && may_stay(arrival))
        hand_over(arrival);
    else if (!whole && (size <= 0 || events & EPOLLRDHUP))
        close_arrival(arrival);
}

/* ---- accepting ---- */

static void receive(struct rpc_door *door, int fd)
{
    const int on = 1;
    char why[RPC_WHY_MAX];
    struct arrival *arrival = calloc(1, sizeof *arrival);
    if (!arrival) {
        close(fd);
        return;
    }
    arrival->door = door;
    arrival->watch.fd = fd;
    arrival->watch.due_ns = rpc_gate_now(door->loop->gate) + PREFACE_NS;
    arrival->watch.ready = on_preface;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a Unix socket has none */
    /* Edges, as what was only looked at stays readable. */
    if (rpc_gate_add(door->loop->gate, &arrival->watch, EPOLLIN | EPOLLRDHUP | EPOLLET)) {
        close(fd);
        free(arrival);
        return;
    }
    arrival->link = &door->arrivals;
    arrival->next = door->arrivals;
    if (arrival->next)
        arrival->next->link = &arrival->next;
    door->arrivals = arrival;
    if (may_stay(arrival) && !has_room(arrival, why))
        refuse(arrival, RPC_RESOURCE_EXHAUSTED, why);
}

/* Without descriptors or memory nothing can be accepted, and the socket would stay ready: it is
 * looked at again later. */
static void on_caller(struct rpc_watch *watch, uint32_t events)
{
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);
    struct rpc_gate *gate = listener->door->loop->gate;
    if (!events)
        rpc_gate_change(gate, watch, EPOLLIN);
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        receive(listener->door, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        rpc_gate_change(gate, watch, 0);
        watch->due_ns = rpc_gate_now(gate) + ACCEPT_AGAIN_NS;
    }
}

/* ---- life ---- */

static void begin(void *arg)
{
    struct rpc_door *door = arg;
    for (size_t i = 0; i < door->sockets.count; i++) {
        struct listener *listener = &door->listeners[i];
        *listener =
            (struct listener){{door->sockets.fds[i], INT64_MAX, on_caller, NULL, NULL}, door};
        if (rpc_gate_add(door->loop->gate, &listener->watch, EPOLLIN))
            return;
        door->listening++;
    }
}

static void end(void *arg)
{
    struct rpc_door *door = arg;
    while (door->listening)
        rpc_gate_remove(door->loop->gate, &door->listeners[--door->listening].watch);
    while (door->arrivals)
        close_arrival(door->arrivals);
}

struct draining {
    struct rpc_door *door;
    bool last; /* whatever is left is given up */
    bool done;
};

/* What gRPC has written goes out. */
static void drain(void *arg)
{
    struct draining *draining = arg;
    struct passage *next;
    for (struct passage *each = draining->door->passages; each; each = next) {
        next = each->next;
        if (!rpc_relay_flush(&each->relay) && !draining->last)
            continue;
        rpc_relay_end(&each->relay);
        end_passage(each);
    }
    draining->done = !draining->door->passages;
}

static size_t connections_of(size_t descriptors)
{
    if (!descriptors || descriptors >= RPC_SERVER_DESCRIPTORS)
        return RPC_CONNECTIONS_MAX;
    const size_t most = descriptors * RPC_CONNECTIONS_MAX / RPC_SERVER_DESCRIPTORS;
    return most > RPC_CONNECTIONS_MIN ? most : RPC_CONNECTIONS_MIN;
}

static struct rpc_door *new_door(struct rpc_loop *loop, const struct rpc_listening *how)
{
    struct rpc_door *door = calloc(1, sizeof *door);
    if (!door)
        return NULL;
    door->loop = loop;
    door->most = connections_of(how->descriptors);
    door->load = (struct rpc_load){.most = RPC_CONNECTIONS_MAX * RPC_SHARE};
    if (how->trusted)
        door->trusted = *how->trusted;
    else
        users_add_own(&door->trusted);
    rpc_refusals_init(&door->refusals, loop, how->refused, how->arg);
    rpc_guests_init(&door->guests);
    return door;
}

int rpc_door_open(struct rpc_door **out, struct rpc_loop *loop, grpc_server *server,
                  grpc_server_credentials *credentials, const struct rpc_listening *how,
                  uint16_t *port, struct error *err)
{
    if (rpc_loop_gate(loop, err))
        return ERROR_SYSTEM;
    struct rpc_door *door = new_door(loop, how);
    if (!door)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    door->server = server;
    door->credentials = credentials;
    if (rpc_listen(&door->sockets, how->at, users_have_others(&door->trusted), err)) {
        rpc_door_free(door, 0);
        return ERROR_SYSTEM;
    }
    rpc_gate_do(loop->gate, begin, door);
    if (door->listening < door->sockets.count) {
        rpc_door_close(door);
        rpc_door_free(door, 0);
        return error_set(err, ERROR_SYSTEM, NULL, "cannot watch the sockets that listen");
    }
    *port = door->sockets.port;
    *out = door;
    return 0;
}

void rpc_door_close(struct rpc_door *door)
{
    rpc_gate_do(door->loop->gate, end, door);
    rpc_listen_end(&door->sockets);
}

void rpc_door_free(struct rpc_door *door, int64_t until_ns)
{
    if (!door)
        return;
    struct draining draining = {.door = door};
    for (;;) {
        draining.last = rpc_loop_now(door->loop) >= until_ns;
        rpc_gate_do(door->loop->gate, drain, &draining);
        if (draining.done)
            break;
        rpc_loop_run(door->loop, DRAIN_LOOK_MS);
    }
    rpc_refusals_fini(&door->refusals);
    rpc_guests_fini(&door->guests);
    free(door);
}

bool rpc_door_caller(struct rpc_door *door, int fd, struct rpc_caller *out)
{
    return rpc_guests_find(&door->guests, fd, out);
}
