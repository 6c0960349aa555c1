/* When a reply left is best known from the kernel's stamp, which comes only after it left: it
 * travels in the next reply.  That one may be the first to be sent after the stamp's bracket was
 * closed, too. */
#include "probe/responder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "probe/stamped_socket.h"
#include "probe/thread_priority.h"
#include "util/bracket.h"
#include "util/cleanup.h"
#include "util/waking.h"

#define RATE_MAX     4000 /* datagrams a second that one probe may cost */
#define RATE_BURST   400
#define EXHAUSTED_MS 2
#define EXPIRY_MS    1000 /* how exact silence_ns is */

struct probe {
    uint8_t secret[SECRET_SIZE]; /* of its run */
    struct hmac *key;
    struct stamped_socket socket;
    union udp_address sources[2];
    size_t source_count;
    uint64_t sequence;           /* of the last request */
    struct clock_bracket before; /* made when it was answered */
    int64_t sent_ns;             /* just before its reply was sent; 0: it was not */
    int64_t heard_ns;
    int64_t filled_ns; /* when datagrams were last allowed for */
    int64_t allowed;   /* how many may be read now */
};

struct responder {
    pthread_mutex_t lock; /* of all below */
    struct probe probes[PROBES_MAX];
    size_t count;
    int64_t silence_ns;
    struct waking waking;
    bool runs, ends; /* the thread */
    pthread_t thread;
    int wake; /* eventfd: look at the table again */
};

/* ---- one probe ---- */

static bool is_expected(const struct probe *probe, const union udp_address *from)
{
    for (size_t i = 0; i < probe->source_count; i++)
        if (udp_address_same_host(&probe->sources[i], from))
            return true;
    return false;
}

/* The request's arrival: the kernel's stamp, if it can be trusted, else when we read it.  `before`
 * was made before the request was there only if the master had our last reply when it asked. */
static void say_received(struct probe_packet *reply, const struct probe *probe, int64_t real_ns,
                         const struct clock_bracket *after, int64_t read_ns, bool in_turn)
{
    int64_t latest;
    reply->received_ns = read_ns;
    if (!real_ns || !in_turn || !bracket_latest(&probe->before, after, real_ns, &latest))
        return;
    reply->received_by_kernel = true;
    if (latest < read_ns)
        reply->received_ns = latest;
}

static void say_previous(struct probe_packet *reply, struct probe *probe,
                         const struct clock_bracket *after, bool in_turn)
{
    int64_t real_ns = stamped_socket_left(&probe->socket);
    int64_t earliest;
    if (!real_ns || !in_turn || !probe->sent_ns ||
        !bracket_earliest(&probe->before, after, real_ns, &earliest) || earliest < probe->sent_ns)
        return;
    reply->has_previous = true;
    reply->previous_sent_ns = earliest;
}

static void answer(struct probe *probe, const struct probe_packet *request,
                   const union udp_address *to, int64_t real_ns, int64_t read_ns)
{
    uint8_t data[PROBE_PACKET_SIZE];
    struct clock_bracket now = bracket_read();
    struct probe_packet reply = {.kind = PROBE_REPLY, .sequence = request->sequence};
    bool in_turn = request->sequence == probe->sequence + 1;
    say_received(&reply, probe, real_ns, &now, read_ns, in_turn);
    say_previous(&reply, probe, &now, in_turn);
    probe->sequence = request->sequence;
    probe->before = now;
    probe->sent_ns = reply.sent_ns = clock_now();
    probe->heard_ns = reply.sent_ns;
    if (!probe_packet_write(&reply, probe->key, data) ||
        !stamped_socket_send(&probe->socket, data, sizeof data, to))
        probe->sent_ns = 0;
}

/* Reads one datagram; false: none is there. */
static bool serve_one(struct probe *probe)
{
    uint8_t data[PROBE_PACKET_SIZE];
    union udp_address from;
    struct probe_packet request;
    int64_t real_ns;
    ssize_t size = stamped_socket_receive(&probe->socket, data, sizeof data, &from, &real_ns);
    int64_t read_ns = clock_now();
    if (size < 0)
        return size != -EAGAIN;
    if (is_expected(probe, &from) &&
        probe_packet_read(&request, PROBE_REQUEST, probe->key, data, (size_t)size) &&
        request.sequence > probe->sequence)
        answer(probe, &request, &from, real_ns, read_ns);
    return true;
}

static void allow(struct probe *probe, int64_t now)
{
    int64_t more = (now - probe->filled_ns) * RATE_MAX / NS_PER_S;
    if (now - probe->filled_ns >= NS_PER_S)
        more = RATE_BURST;
    if (more <= 0)
        return;
    probe->filled_ns = now;
    probe->allowed += more;
    if (probe->allowed > RATE_BURST)
        probe->allowed = RATE_BURST;
}

static void serve(struct probe *probe)
{
    while (probe->allowed > 0) {
        probe->allowed--;
        if (!serve_one(probe))
            break;
    }
    stamped_socket_left(&probe->socket); /* or poll() would tell of its stamp again and again */
}

/* ---- the table ---- */

static void drop(struct responder *responder, size_t index)
{
    struct probe *probe = &responder->probes[index];
    stamped_socket_close(&probe->socket);
    hmac_free(probe->key);
    *probe = responder->probes[--responder->count];
}

static void expire(struct responder *responder, int64_t now)
{
    for (size_t i = responder->count; i-- > 0;)
        if (now - responder->probes[i].heard_ns > responder->silence_ns)
            drop(responder, i);
}

/* What this thread did not live to hear is no silence. */
static void come_round(struct responder *responder, int64_t meant_ns)
{
    const int64_t missed = responder->waking.missed_ns;
    waking_come_round(&responder->waking, clock_now(), meant_ns);
    for (size_t i = 0; i < responder->count; i++)
        responder->probes[i].heard_ns += responder->waking.missed_ns - missed;
}

static bool drop_run(struct responder *responder, const uint8_t secret[SECRET_SIZE])
{
    for (size_t i = responder->count; i-- > 0;)
        if (secret_matches(responder->probes[i].secret, secret, SECRET_SIZE)) {
            drop(responder, i);
            return true;
        }
    return false;
}

static bool make_room(struct responder *responder)
{
    if (responder->count < PROBES_MAX)
        return true;
    size_t oldest = 0;
    for (size_t i = 1; i < responder->count; i++)
        if (responder->probes[i].heard_ns < responder->probes[oldest].heard_ns)
            oldest = i;
    if (clock_now() - responder->probes[oldest].heard_ns < PROBE_IDLE_NS)
        return false;
    drop(responder, oldest);
    return true;
}

/* ---- the thread ---- */

/* Fills fds, [0] the wake-up, and says how long to wait, ms; -1: for ever. */
static int prepare_poll(struct responder *responder, struct pollfd *fds)
{
    int64_t now = clock_now();
    expire(responder, now);
    fds[0] = (struct pollfd){.fd = responder->wake, .events = POLLIN};
    int timeout = responder->count ? EXPIRY_MS : -1;
    for (size_t i = 0; i < responder->count; i++) {
        struct probe *probe = &responder->probes[i];
        allow(probe, now);
        bool exhausted = probe->allowed <= 0;
        fds[1 + i] = (struct pollfd){.fd = exhausted ? -1 : probe->socket.fd, .events = POLLIN};
        if (exhausted)
            timeout = EXHAUSTED_MS;
    }
    return timeout;
}

/* The table may have changed since. */
static void serve_fd(struct responder *responder, int fd)
{
    for (size_t i = 0; i < responder->count; i++)
        if (responder->probes[i].socket.fd == fd)
            serve(&responder->probes[i]);
}

static void *run(void *arg)
{
    struct responder *responder = arg;
    struct pollfd fds[1 + PROBES_MAX];
    thread_priority_raise();
    pthread_mutex_lock(&responder->lock);
    while (!responder->ends) {
        int timeout = prepare_poll(responder, fds);
        nfds_t count = 1 + (nfds_t)responder->count;
        const int64_t meant_ns = timeout < 0 ? INT64_MAX : clock_now() + timeout * NS_PER_MS;
        pthread_mutex_unlock(&responder->lock);
        int ready = poll(fds, count, timeout);
        pthread_mutex_lock(&responder->lock);
        come_round(responder, meant_ns);
        for (nfds_t i = 1; ready > 0 && i < count; i++)
            if (fds[i].revents)
                serve_fd(responder, fds[i].fd);
        eventfd_t woken;
        if (ready > 0 && fds[0].revents)
            eventfd_read(responder->wake, &woken);
    }
    pthread_mutex_unlock(&responder->lock);
    return NULL;
}

static int start_thread(struct responder *responder, struct error *err)
{
    if (!responder->runs) {
        int failed = pthread_create(&responder->thread, NULL, run, responder);
        if (failed)
            return error_set_errno(err, ERROR_SYSTEM, failed, NULL, "no thread can be had");
        responder->runs = true;
    }
    return 0;
}

/* ---- life ---- */

int responder_create(struct responder **out, int64_t silence_ns, struct error *err)
{
    struct responder *responder = calloc(1, sizeof *responder);
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!responder || wake < 0) {
        free(responder);
        if (wake >= 0)
            close(wake);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory or descriptors");
    }
    pthread_mutex_init(&responder->lock, NULL);
    responder->wake = wake;
    responder->silence_ns = silence_ns;
    *out = responder;
    return 0;
}

static int read_sources(struct probe *probe, const struct probe_announcement *announcement,
                        struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(announcement->sources); i++) {
        if (!announcement->sources[i])
            continue;
        if (!udp_address_read(&probe->sources[probe->source_count++], announcement->sources[i], 0))
            return error_set(err, ERROR_INPUT, NULL, "no machine has the address it probes from");
    }
    return 0;
}

static int bind_in_range(struct stamped_socket *out, union udp_address *address,
                         const struct probe_announcement *announcement, struct error *err)
{
    int failed = 0;
    for (unsigned port = announcement->port_first; port <= announcement->port_last; port++) {
        address->v4.sin_port = htons((uint16_t)port); /* in both families at one place */
        failed = stamped_socket_open(out, address, err);
        if (!failed || (errno != EADDRINUSE && errno != EACCES)) /* no port would do */
            break;
    }
    return failed;
}

static int open_socket(struct probe *probe, const struct probe_announcement *announcement,
                       uint16_t *port, struct error *err)
{
    union udp_address address;
    socklen_t size = sizeof address;
    if (!udp_address_read(&address, announcement->address, 0))
        return error_set(err, ERROR_INPUT, NULL, "no machine has the address to be probed");
    union udp_address all = {.any.sa_family = address.any.sa_family};
    int failed = bind_in_range(&probe->socket, &address, announcement, err);
    if (failed && announcement->anywhere)
        failed = bind_in_range(&probe->socket, &all, announcement, err);
    if (failed)
        return failed;
    if (getsockname(probe->socket.fd, &address.any, &size))
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "a socket has no port");
    *port = ntohs(address.v4.sin_port);
    return 0;
}

static int make_probe(struct probe *probe, const struct probe_announcement *announcement,
                      uint16_t *port, struct error *err)
{
    int64_t now = clock_now();
    *probe = (struct probe){.socket.fd = -1,
                            .before = bracket_read(),
                            .heard_ns = now,
                            .filled_ns = now,
                            .allowed = RATE_BURST};
    memcpy(probe->secret, announcement->secret, SECRET_SIZE);
    int failed = read_sources(probe, announcement, err);
    if (!failed)
        failed = open_socket(probe, announcement, port, err);
    if (!failed && !(probe->key = hmac_new(announcement->key, PROBE_KEY_SIZE)))
        failed = error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return failed;
}

int responder_add(struct responder *responder, const struct probe_announcement *announcement,
                  uint16_t *port, struct error *err)
{
    struct probe probe;
    int failed = make_probe(&probe, announcement, port, err);
    pthread_mutex_lock(&responder->lock);
    if (!failed)
        drop_run(responder, announcement->secret);
    if (!failed && !make_room(responder))
        failed = error_set(err, ERROR_AGENT, NULL, "%d runs probe its clock", PROBES_MAX);
    if (!failed)
        failed = start_thread(responder, err);
    if (!failed)
        responder->probes[responder->count++] = probe;
    pthread_mutex_unlock(&responder->lock);
    eventfd_write(responder->wake, 1);
    if (failed) {
        stamped_socket_close(&probe.socket);
        hmac_free(probe.key);
    }
    return failed;
}

bool responder_remove(struct responder *responder, const uint8_t secret[SECRET_SIZE])
{
    if (!responder)
        return false;
    pthread_mutex_lock(&responder->lock);
    const bool dropped = drop_run(responder, secret);
    pthread_mutex_unlock(&responder->lock);
    return dropped;
}

void responder_destroy(struct responder *responder)
{
    if (!responder)
        return;
    pthread_mutex_lock(&responder->lock);
    responder->ends = true;
    pthread_mutex_unlock(&responder->lock);
    eventfd_write(responder->wake, 1);
    if (responder->runs)
        pthread_join(responder->thread, NULL);
    while (responder->count)
        drop(responder, responder->count - 1);
    pthread_mutex_destroy(&responder->lock);
    close(responder->wake);
    free(responder);
}
