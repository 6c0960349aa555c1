#include "rpc/rpc_relay.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/rpc_internal.h"
#include "util/clock.h"

#define ROUNDS_MAX 8 /* then it is others' turn */
#define LAST_NS    (5 * NS_PER_S)

/* Edges: readiness is told once, whether or not there is room for what came, and an end that hung
 * up does not tell so again and again. */
#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* ---- lanes ---- */

static bool is_for_later(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Into an empty one.  Whether anything came, the end included. */
static bool fill(struct rpc_lane *lane, int from)
{
    if (lane->ended || lane->count)
        return false;
    ssize_t got = recv(from, lane->bytes, sizeof lane->bytes, 0);
    if (is_for_later(got))
        return false;
    lane->first = 0;
    lane->count = got > 0 ? (size_t)got : 0;
    lane->ended = got <= 0;
    return true;
}

/* Whether anything went, the end included. */
static bool drain(struct rpc_lane *lane, int to)
{
    if (lane->deaf)
        lane->count = 0;
    if (!lane->count) {
        bool now = lane->ended && !lane->passed_on;
        if (now)
            shutdown(to, SHUT_WR);
        lane->passed_on = lane->ended;
        return now;
    }
    ssize_t put = send(to, lane->bytes + lane->first, lane->count, MSG_NOSIGNAL);
    if (is_for_later(put))
        return false;
    lane->deaf = put < 0;
    if (put > 0) {
        lane->first += (size_t)put;
        lane->count -= (size_t)put;
    }
    return true;
}

/* ---- moving ---- */

static bool move_out(struct rpc_relay *relay)
{
    struct rpc_lane *lane = &relay->out;
    bool came = fill(lane, relay->inside.watch.fd);
    if (came)
        rpc_inspector_hear(&relay->inspector, lane->bytes, lane->count, rpc_gate_now(relay->gate));
    return drain(lane, relay->outside.watch.fd) || came;
}

/* *why is set where it is to be cut. */
static bool move_in(struct rpc_relay *relay, const char **why)
{
    struct rpc_lane *lane = &relay->in;
    bool came = fill(lane, relay->outside.watch.fd);
    if (came)
        *why = rpc_inspector_take(&relay->inspector, lane->bytes, lane->count,
                                  rpc_gate_now(relay->gate));
    return !*why && (drain(lane, relay->inside.watch.fd) || came);
}

void rpc_relay_cut(struct rpc_relay *relay, const char *why)
{
    rpc_relay_end(relay);
    relay->over(relay, why);
}

/* ---- the load ---- */

static void count(struct rpc_relay *relay, size_t held)
{
    relay->load->held = relay->load->held - relay->share + held;
    relay->share = held;
}

/* Whoever holds no more than an even share is safe, however many others there are. */
static void relieve(struct rpc_load *load)
{
    while (load->held > load->most && load->relays) {
        struct rpc_relay *largest = load->relays;
        for (struct rpc_relay *each = largest; each; each = each->next)
            if (each->share > largest->share)
                largest = each;
        rpc_relay_cut(largest,
                      "its requests hold more than any other's, and all together too much");
    }
}

static void join(struct rpc_relay *relay, struct rpc_load *load)
{
    relay->load = load;
    relay->share = 0;
    relay->next = load->relays;
    relay->link = &load->relays;
    if (relay->next)
        relay->next->link = &relay->next;
    load->relays = relay;
}

static void leave(struct rpc_relay *relay)
{
    count(relay, 0);
    *relay->link = relay->next;
    if (relay->next)
        relay->next->link = relay->link;
}

/* ---- readiness ---- */

/* May free the relay. */
static void move(struct rpc_relay *relay)
{
    const char *why = NULL;
    bool moved = true;
    for (int round = 0; moved && round < ROUNDS_MAX; round++) {
        moved = move_out(relay);
        moved = move_in(relay, &why) || moved;
        if (why || (relay->in.passed_on && relay->out.passed_on)) {
            rpc_relay_cut(relay, why);
            return;
        }
    }
    if (moved) { /* what is ready is told anew, behind others */
        rpc_gate_change(relay->gate, &relay->outside.watch, EVENTS);
        rpc_gate_change(relay->gate, &relay->inside.watch, EVENTS);
    }
    count(relay, relay->inspector.held);
    relieve(relay->load);
}

static void on_ready(struct rpc_watch *watch, uint32_t events)
{
    struct rpc_relay_end *end = CONTAINER_OF(watch, struct rpc_relay_end, watch);
    struct rpc_relay *relay = end->relay;
    if (!events) {
        rpc_relay_cut(relay, NULL);
        return;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) && watch->due_ns == INT64_MAX)
        watch->due_ns = rpc_gate_now(relay->gate) + LAST_NS;
    move(relay);
}

/* ---- life ---- */

static int watch(struct rpc_relay *relay, struct rpc_relay_end *end, int fd)
{
    end->relay = relay;
    end->watch = (struct rpc_watch){.fd = fd, .due_ns = INT64_MAX, .ready = on_ready};
    return rpc_gate_add(relay->gate, &end->watch, EVENTS);
}

int rpc_relay_begin(struct rpc_relay *relay, struct rpc_gate *gate, int outside, int inside,
                    struct rpc_load *load, void (*over)(struct rpc_relay *relay, const char *why))
{
    relay->gate = gate;
    relay->over = over;
    rpc_inspector_init(&relay->inspector, rpc_gate_now(gate));
    int failed = watch(relay, &relay->outside, outside);
    if (failed)
        return failed;
    failed = watch(relay, &relay->inside, inside);
    if (failed)
        rpc_gate_remove(gate, &relay->outside.watch);
    else
        join(relay, load);
    return failed;
}

bool rpc_relay_flush(struct rpc_relay *relay)
{
    while (move_out(relay)) {
    }
    return !relay->out.count;
}

void rpc_relay_end(struct rpc_relay *relay)
{
    struct rpc_watch *watches[] = {&relay->outside.watch, &relay->inside.watch};
    leave(relay);
    for (size_t i = 0; i < 2; i++) {
        rpc_gate_remove(relay->gate, watches[i]);
        close(watches[i]->fd);
    }
}
