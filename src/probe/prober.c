/* An exchange is complete when the next reply is there, which tells when this one's reply left; the
 * last of a burst has to do with the agent's own time before sending.
 *
 * Sequence numbers go up by one, so that the agent knows that its last reply had arrived when it
 * was asked again; where one is lost, a number is left out. */
#include "probe/prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "probe/stamped_socket.h"
#include "probe/thread_priority.h"
#include "util/bracket.h"
#include "util/clock.h"

#define REPLY_NS   NS_PER_S
#define LOST_MAX   2 /* in a row: nothing comes through */
#define TIMEOUT_MS 1000

enum burst_state { BURST_NONE, BURST_RUNS, BURST_OVER };

struct probe_target {
    struct prober *prober;
    struct probe_target *next;
    size_t slot; /* in fds; 0: none yet */
    union udp_address address;
    char source[PROBE_ADDRESS_MAX];
    struct stamped_socket socket;
    struct hmac *key;
    uint64_t sequence;           /* of the last request */
    struct clock_bracket before; /* made before it was sent */
    int64_t sent_ns;             /* just before */
    enum burst_state state;
    size_t wanted;
    unsigned lost; /* in a row */
    struct probe_burst burst;
};

struct prober {
    pthread_mutex_t lock; /* of all below */
    struct probe_target *targets;
    size_t target_count;
    bool ends;
    pthread_t thread;
    int wake; /* eventfd */
    struct pollfd *fds;
    size_t fd_room;
    void (*done)(void *arg);
    void *arg;
};

/* ---- an exchange ---- */

static void end_burst(struct probe_target *target, const char *failure)
{
    target->state = BURST_OVER;
    if (target->burst.count == 0)
        snprintf(target->burst.failure, sizeof target->burst.failure, "%s", failure);
    target->prober->done(target->prober->arg);
}

static void ask(struct probe_target *target)
{
    uint8_t data[PROBE_PACKET_SIZE];
    const struct probe_packet request = {.kind = PROBE_REQUEST, .sequence = ++target->sequence};
    if (!probe_packet_write(&request, target->key, data)) {
        end_burst(target, "a request cannot be made");
        return;
    }
    target->sent_ns = clock_now();
    bool sent = stamped_socket_send(&target->socket, data, sizeof data, NULL);
    if (!sent) /* an error that an earlier datagram caused is told once, in place of sending */
        sent = stamped_socket_send(&target->socket, data, sizeof data, NULL);
    if (!sent)
        end_burst(target, "a request cannot be sent");
}

/* t1 and t4 of the exchange that has just been answered. */
static void stamp(struct probe_target *target, struct clock_exchange *exchange, int64_t real_ns,
                  int64_t read_ns, const struct probe_packet *reply)
{
    struct clock_bracket after = bracket_read();
    int64_t left_real_ns = stamped_socket_left(&target->socket);
    int64_t left, came;
    *exchange = (struct clock_exchange){.t1 = target->sent_ns,
                                        .t2 = reply->received_ns,
                                        .t3 = reply->sent_ns,
                                        .t4 = read_ns,
                                        .method = CLOCK_UDP};
    if (left_real_ns && bracket_earliest(&target->before, &after, left_real_ns, &left) &&
        left > target->sent_ns && left <= read_ns)
        exchange->t1 = left;
    if (real_ns && bracket_latest(&target->before, &after, real_ns, &came) &&
        came >= exchange->t1) {
        if (came < read_ns)
            exchange->t4 = came;
        if (reply->received_by_kernel)
            exchange->method = CLOCK_UDP_KERNEL;
    }
    target->before = after;
}

static void take_reply(struct probe_target *target, const struct probe_packet *reply,
                       int64_t real_ns, int64_t read_ns)
{
    struct probe_burst *burst = &target->burst;
    /* A later departure than the agent's own word is one that it saw with the kernel's eyes. */
    if (reply->has_previous && burst->count && target->lost == 0) {
        struct clock_exchange *previous = &burst->exchanges[burst->count - 1];
        if (reply->previous_sent_ns > previous->t3)
            previous->t3 = reply->previous_sent_ns;
    }
    stamp(target, &burst->exchanges[burst->count++], real_ns, read_ns, reply);
    target->lost = 0;
    if (burst->count == target->wanted)
        end_burst(target, "");
    else
        ask(target);
}

static void receive(struct probe_target *target)
{
    uint8_t data[PROBE_PACKET_SIZE];
    struct probe_packet reply;
    while (target->state == BURST_RUNS) {
        int64_t real_ns;
        ssize_t size = stamped_socket_receive(&target->socket, data, sizeof data, NULL, &real_ns);
        int64_t read_ns = clock_now();
        if (size == -EAGAIN)
            break;
        if (size == -ECONNREFUSED)
            end_burst(target, "nothing listens on its UDP port");
        else if (size > 0 &&
                 probe_packet_read(&reply, PROBE_REPLY, target->key, data, (size_t)size) &&
                 reply.sequence == target->sequence)
            take_reply(target, &reply, real_ns, read_ns);
    }
    stamped_socket_left(&target->socket); /* or poll() would tell of its stamp again and again */
}

static void give_up_waiting(struct probe_target *target, int64_t now)
{
    if (target->state != BURST_RUNS || now - target->sent_ns < REPLY_NS)
        return;
    if (++target->lost == LOST_MAX) {
        target->burst.silent = true;
        end_burst(target, "its UDP port does not answer");
        return;
    }
    target->sequence++;
    ask(target);
}

/* ---- the thread ---- */

/* False: out of memory. */
static bool list_fds(struct prober *prober)
{
    if (prober->fd_room < prober->target_count + 1) {
        size_t room = 2 * prober->target_count + 1;
        struct pollfd *fds = reallocarray(prober->fds, room, sizeof *fds);
        if (!fds)
            return false;
        prober->fds = fds;
        prober->fd_room = room;
    }
    size_t count = 0;
    prober->fds[count++] = (struct pollfd){.fd = prober->wake, .events = POLLIN};
    for (struct probe_target *at = prober->targets; at; at = at->next) {
        at->slot = count++;
        prober->fds[at->slot] =
            (struct pollfd){.fd = at->state == BURST_RUNS ? at->socket.fd : -1, .events = POLLIN};
    }
    return true;
}

static int time_to_wait(const struct prober *prober, int64_t now)
{
    int64_t wait = INT64_MAX;
    for (const struct probe_target *at = prober->targets; at; at = at->next)
        if (at->state == BURST_RUNS && at->sent_ns + REPLY_NS - now < wait)
            wait = at->sent_ns + REPLY_NS - now;
    if (wait == INT64_MAX)
        return -1;
    return wait < 0 ? 0 : (int)(wait / NS_PER_MS) + 1;
}

/* Targets may have come and gone while poll() waited. */
static void serve_targets(struct prober *prober, size_t count)
{
    int64_t now = clock_now();
    for (struct probe_target *at = prober->targets; at; at = at->next) {
        if (at->slot && at->slot < count && prober->fds[at->slot].revents)
            receive(at);
        give_up_waiting(at, now);
    }
}

static void *run(void *arg)
{
    struct prober *prober = arg;
    thread_priority_raise();
    pthread_mutex_lock(&prober->lock);
    while (!prober->ends) {
        bool listed = list_fds(prober);
        size_t count = listed ? prober->target_count + 1 : 0; /* of fds */
        int timeout = listed ? time_to_wait(prober, clock_now()) : TIMEOUT_MS;
        pthread_mutex_unlock(&prober->lock);
        poll(prober->fds, count, timeout);
        eventfd_t woken;
        eventfd_read(prober->wake, &woken);
        pthread_mutex_lock(&prober->lock);
        serve_targets(prober, count);
    }
    pthread_mutex_unlock(&prober->lock);
    return NULL;
}

int prober_create(struct prober **out, void (*done)(void *arg), void *arg, struct error *err)
{
    struct prober *prober = calloc(1, sizeof *prober);
    if (!prober)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    prober->done = done;
    prober->arg = arg;
    prober->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&prober->lock, NULL);
    int failed = prober->wake < 0 ? errno : pthread_create(&prober->thread, NULL, run, prober);
    if (failed) {
        if (prober->wake >= 0)
            close(prober->wake);
        pthread_mutex_destroy(&prober->lock);
        free(prober);
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL, "no thread can be had");
    }
    *out = prober;
    return 0;
}

void prober_destroy(struct prober *prober)
{
    if (!prober)
        return;
    pthread_mutex_lock(&prober->lock);
    prober->ends = true;
    pthread_mutex_unlock(&prober->lock);
    eventfd_write(prober->wake, 1);
    pthread_join(prober->thread, NULL);
    pthread_mutex_destroy(&prober->lock);
    close(prober->wake);
    free(prober->fds);
    free(prober);
}

/* ---- targets ---- */

static bool connect_to(struct probe_target *target, uint16_t port)
{
    target->address.v4.sin_port = htons(port);
    return connect(target->socket.fd, &target->address.any, udp_address_size(&target->address)) ==
           0;
}

static bool find_source(struct probe_target *target)
{
    union udp_address source = {0};
    socklen_t size = sizeof source;
    if (getsockname(target->socket.fd, &source.any, &size))
        return false;
    const void *bytes = source.any.sa_family == AF_INET6 ? (const void *)&source.v6.sin6_addr
                                                         : (const void *)&source.v4.sin_addr;
    return inet_ntop(source.any.sa_family, bytes, target->source, sizeof target->source);
}

int probe_target_open(struct probe_target **out, struct prober *prober, const char *address,
                      struct error *err)
{
    struct probe_target *target = calloc(1, sizeof *target);
    if (!target)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    target->prober = prober;
    target->socket.fd = -1;
    int failed = 0;
    const uint16_t any_port = 9; /* nothing is sent there: it finds the source */
    if (!udp_address_read(&target->address, address, any_port))
        failed = error_set(err, ERROR_SYSTEM, address, "no machine has this address");
    union udp_address here = {.any.sa_family = target->address.any.sa_family};
    if (!failed)
        failed = stamped_socket_open(&target->socket, &here, err);
    if (!failed && (!connect_to(target, any_port) || !find_source(target)))
        failed = error_set_errno(err, ERROR_SYSTEM, errno, address, "there is no way to it");
    if (failed) {
        stamped_socket_close(&target->socket);
        free(target);
        return failed;
    }
    pthread_mutex_lock(&prober->lock);
    target->next = prober->targets;
    prober->targets = target;
    prober->target_count++;
    pthread_mutex_unlock(&prober->lock);
    *out = target;
    return 0;
}

const char *probe_target_source(const struct probe_target *target)
{
    return target->source;
}

int probe_target_aim(struct probe_target *target, uint16_t port, const uint8_t key[PROBE_KEY_SIZE],
                     struct error *err)
{
    target->key = hmac_new(key, PROBE_KEY_SIZE);
    if (!target->key)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    if (!port || !connect_to(target, port))
        return error_set(err, ERROR_AGENT, NULL, "its UDP port cannot be used");
    return 0;
}

void probe_target_close(struct probe_target *target)
{
    if (!target)
        return;
    struct prober *prober = target->prober;
    pthread_mutex_lock(&prober->lock);
    for (struct probe_target **at = &prober->targets; *at; at = &(*at)->next) {
        if (*at == target) {
            *at = target->next;
            prober->target_count--;
            break;
        }
    }
    pthread_mutex_unlock(&prober->lock);
    stamped_socket_close(&target->socket);
    hmac_free(target->key);
    free(target);
}

void probe_target_burst(struct probe_target *target, size_t count)
{
    struct prober *prober = target->prober;
    pthread_mutex_lock(&prober->lock);
    target->burst.count = 0;
    target->burst.failure[0] = '\0';
    target->burst.silent = false;
    target->wanted = count;
    target->lost = 0;
    target->state = BURST_RUNS;
    target->before = bracket_read();
    ask(target);
    pthread_mutex_unlock(&prober->lock);
    eventfd_write(prober->wake, 1);
}

bool probe_target_take(struct probe_target *target, struct probe_burst *out)
{
    pthread_mutex_lock(&target->prober->lock);
    bool over = target->state == BURST_OVER;
    if (over) {
        *out = target->burst;
        target->state = BURST_NONE;
    }
    pthread_mutex_unlock(&target->prober->lock);
    return over;
}
