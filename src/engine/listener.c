/* Anybody may connect to a data port.  Who does not show a known token within five seconds is sent
 * away; there is a place for each end to come and some more, and when all are taken the stranger
 * who came first has to go.  So nobody can use up memory or descriptors, or keep the others out for
 * longer than it takes to come again.
 *
 * Who begins with a question gets an answer no longer than that, once, and never becomes a flow's
 * connection. */
#include "engine/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/capture.h"
#include "engine/end.h"
#include "engine/proof.h"
#include "engine/tuning.h"
#include "engine/worker.h"
#include "model/ccalg.h"
#include "util/clock.h"

#define PATIENCE_NS    (5 * NS_PER_S)
#define PLACES_MIN     64
#define ACCEPTS_A_TURN 16
#define RETRY_NS       (50 * NS_PER_MS)

struct listener {
    SLIST_ENTRY(listener) next;
    struct worker *worker;
    struct watch watch;
    struct timer retry; /* while no descriptor is left */
    int fd;             /* -1: closed */
    bool alone;         /* it is for one end */
    struct end *end;    /* that it is for; NULL: for whom a token names */
    uint16_t port;
    int family; /* AF_UNSPEC: both */
    char local[ADDRESS_MAX], device[DEVICE_MAX];
    char ccalg[CCALG_MAX]; /* that handshakes need; "": none special */
    struct handshake handshake;
    struct end *captured; /* the only one that a token names here, so that the port names it in
                             captures; NULL: there may be many */
};

/* A place for one; never freed while the worker runs, as events may still name it. */
struct stranger {
    TAILQ_ENTRY(stranger) next;
    struct worker *worker;
    struct watch watch;
    const struct listener *listener; /* where it came */
    int fd;                          /* -1: vacant */
    int64_t accepted_ns;
    struct socket_address peer;
    uint8_t shown[PROOF_SIZE + 1]; /* a token, or a question and what should not follow */
    size_t got;                    /* bytes of it */
};

static void on_patience_over(struct timer *timer);

static int add_place(struct reception *reception)
{
    struct stranger *stranger = calloc(1, sizeof *stranger);
    if (!stranger)
        return -1;
    stranger->fd = -1;
    TAILQ_INSERT_TAIL(&reception->vacant, stranger, next);
    return 0;
}

int reception_init(struct reception *reception, const struct worker_setup *setup, struct error *err)
{
    SLIST_INIT(&reception->listeners);
    SLIST_INIT(&reception->missed);
    TAILQ_INIT(&reception->strangers);
    TAILQ_INIT(&reception->vacant);
    reception->patience.fire = on_patience_over;
    if (setup->has_flow_key && !(reception->key = hmac_new(setup->flow_key, FLOW_KEY_SIZE)))
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (int i = 0; i < PLACES_MIN; i++) {
        if (add_place(reception) < 0)
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    return 0;
}

static void free_places(struct stranger_list *list)
{
    struct stranger *stranger;
    while ((stranger = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, stranger, next);
        if (stranger->fd >= 0)
            socket_reset(stranger->fd);
        free(stranger);
    }
}

static void free_listeners(struct listener_list *list)
{
    struct listener *listener;
    while ((listener = SLIST_FIRST(list))) {
        SLIST_REMOVE_HEAD(list, next);
        if (listener->fd >= 0)
            close(listener->fd);
        free(listener);
    }
}

void reception_fini(struct reception *reception)
{
    free_places(&reception->strangers);
    free_places(&reception->vacant);
    hmac_free(reception->key);
    free_listeners(&reception->listeners);
    free_listeners(&reception->missed);
}

/* ---- Strangers ---- */

static void await_patience(struct worker *worker)
{
    struct reception *reception = &worker->reception;
    const struct stranger *oldest = TAILQ_FIRST(&reception->strangers);
    if (oldest)
        loop_arm(&worker->loop, &reception->patience, oldest->accepted_ns + PATIENCE_NS);
    else
        loop_disarm(&worker->loop, &reception->patience);
}

/* The stranger's place is vacant again; the socket is somebody else's business. */
static void vacate(struct stranger *stranger)
{
    struct reception *reception = &stranger->worker->reception;
    stranger->fd = -1;
    TAILQ_REMOVE(&reception->strangers, stranger, next);
    TAILQ_INSERT_TAIL(&reception->vacant, stranger, next);
    await_patience(stranger->worker);
}

static void send_away(struct stranger *stranger)
{
    socket_reset(stranger->fd);
    vacate(stranger);
}

static void on_patience_over(struct timer *timer)
{
    struct reception *reception = CONTAINER_OF(timer, struct reception, patience);
    const int64_t now = clock_now();
    struct stranger *oldest;
    while ((oldest = TAILQ_FIRST(&reception->strangers)) &&
           oldest->accepted_ns + PATIENCE_NS <= now)
        send_away(oldest);
}

/* The packets of the proof pass before the tap hears, or are of a connection that it does not
 * know. */
static void answer(struct stranger *stranger)
{
    const struct listener *listener = stranger->listener;
    struct end *captured = listener->captured;
    uint8_t out[PROOF_SIZE];
    if (captured && end_expects(captured, &stranger->peer))
        capture_aim(captured->tap, listener->port);
    if (!proof_answer(stranger->worker->reception.key, stranger->shown, listener->port, out) ||
        send(stranger->fd, out, sizeof out, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof out)
        send_away(stranger);
}

static void take_token(struct stranger *stranger)
{
    struct end *end = worker_find_token(stranger->worker, stranger->shown);
    if (!end || end->state != STATE_WAITING) {
        send_away(stranger);
        return;
    }
    const int fd = stranger->fd;
    vacate(stranger);
    end_accept(end, fd, &stranger->peer, stranger->accepted_ns);
}

static bool asks(const struct stranger *stranger)
{
    return stranger->worker->reception.key && stranger->got >= PROOF_MAGIC_SIZE &&
           proof_is_asked(stranger->shown);
}

/* Bytes of a token, or of a question. */
static size_t owed(const struct stranger *stranger)
{
    return (asks(stranger) ? PROOF_SIZE : TOKEN_SIZE) - stranger->got;
}

/* Not one byte more than a token is read: what follows is payload.  Who was answered has nothing
 * more to say. */
static void on_stranger(struct watch *watch, uint32_t events)
{
    (void)events;
    struct stranger *stranger = CONTAINER_OF(watch, struct stranger, watch);
    if (stranger->fd < 0)
        return;
    const bool answered = stranger->got == PROOF_SIZE;
    const ssize_t got = recv(stranger->fd, stranger->shown + stranger->got,
                             answered ? 1 : owed(stranger), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || answered) {
        send_away(stranger);
        return;
    }
    stranger->got += (size_t)got;
    if (owed(stranger))
        return;
    if (asks(stranger))
        answer(stranger);
    else
        take_token(stranger);
}

static struct stranger *find_place(struct reception *reception)
{
    struct stranger *stranger = TAILQ_FIRST(&reception->vacant);
    if (stranger)
        return stranger;
    send_away(TAILQ_FIRST(&reception->strangers));
    return TAILQ_FIRST(&reception->vacant);
}

static void receive(const struct listener *listener, int fd, const struct socket_address *peer)
{
    struct worker *worker = listener->worker;
    struct reception *reception = &worker->reception;
    struct stranger *stranger = find_place(reception);
    stranger->worker = worker;
    stranger->listener = listener;
    stranger->watch.ready = on_stranger;
    stranger->accepted_ns = clock_now();
    stranger->peer = *peer;
    stranger->got = 0;
    if (loop_watch(&worker->loop, fd, &stranger->watch, EPOLLIN) < 0) {
        socket_reset(fd);
        return;
    }
    stranger->fd = fd;
    TAILQ_REMOVE(&reception->vacant, stranger, next);
    TAILQ_INSERT_TAIL(&reception->strangers, stranger, next);
    if (stranger == TAILQ_FIRST(&reception->strangers))
        await_patience(worker);
}

/* ---- Listeners ---- */

static void on_retry(struct timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, retry);
    loop_rewatch(&listener->worker->loop, listener->fd, &listener->watch, EPOLLIN);
}

/* No token is needed to know whom it is for. */
static void hand_to_end(struct listener *listener, int fd, const struct socket_address *peer)
{
    struct loop *loop = &listener->worker->loop;
    struct end *end = listener->end;
    const bool wanted = end->state == STATE_WAITING && end_expects(end, peer);
    if (!wanted || loop_watch(loop, fd, &end->watch, EPOLLIN) < 0) {
        socket_reset(fd);
        return;
    }
    close(listener->fd);
    listener->fd = -1;
    end_accept(end, fd, peer, clock_now());
}

static void on_connection(struct watch *watch, uint32_t events)
{
    (void)events;
    struct listener *listener = CONTAINER_OF(watch, struct listener, watch);
    struct loop *loop = &listener->worker->loop;
    for (int i = 0; i < ACCEPTS_A_TURN && listener->fd >= 0; i++) {
        struct socket_address peer = {.size = sizeof peer.storage};
        const int fd = accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.size,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && listener->end)
            hand_to_end(listener, fd, &peer);
        else if (fd >= 0)
            receive(listener, fd, &peer);
        if (fd >= 0)
            continue;
        /* Out of descriptors or memory: it stays readable, so look away for a moment. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            loop_rewatch(loop, listener->fd, watch, 0);
            loop_arm(loop, &listener->retry, clock_now() + RETRY_NS);
        }
        return;
    }
}

/* 0, RECEPTION_NO_PORT, or an error. */
static int listen_somewhere(struct listener *listener, const struct worker_setup *setup,
                            struct error *err)
{
    for (unsigned port = setup->port_first; port <= setup->port_last; port++) {
        bool in_use;
        listener->fd = socket_listen(listener->family, listener->local, listener->device,
                                     listener->ccalg, (uint16_t)port, &in_use, err);
        if (listener->fd >= 0)
            return tuning_set_handshake(listener->fd, &listener->handshake, err);
        if (!in_use)
            return err->code;
    }
    return RECEPTION_NO_PORT;
}

static int get_port(struct listener *listener, struct error *err)
{
    struct socket_address address = {.size = sizeof address.storage};
    char text[ADDRESS_MAX];
    if (getsockname(listener->fd, (struct sockaddr *)&address.storage, &address.size) < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot tell the listening port");
    socket_address_format(&address, text, &listener->port);
    return 0;
}

/* The port, RECEPTION_NO_PORT, or an error. */
static int open_listener(struct worker *worker, const struct listener *wanted, struct error *err)
{
    struct reception *reception = &worker->reception;
    struct listener *listener = malloc(sizeof *listener);
    if (!listener)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    *listener = *wanted;
    listener->worker = worker;
    listener->watch.ready = on_connection;
    listener->retry.fire = on_retry;
    int failed = listen_somewhere(listener, worker->setup, err);
    if (!failed)
        failed = get_port(listener, err);
    if (!failed && loop_watch(&worker->loop, listener->fd, &listener->watch, EPOLLIN) < 0)
        failed = error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot watch a listener");
    if (failed) {
        if (listener->fd >= 0)
            close(listener->fd);
        free(listener);
        return failed;
    }
    SLIST_INSERT_HEAD(&reception->listeners, listener, next);
    reception->listener_count++;
    return listener->port;
}

/* Connections that a token names may come to either. */
static bool shares(const struct listener *listener, const struct listener *wanted)
{
    return !listener->alone && !wanted->alone && listener->family == wanted->family &&
           strcmp(listener->local, wanted->local) == 0 &&
           strcmp(listener->device, wanted->device) == 0 &&
           strcmp(listener->ccalg, wanted->ccalg) == 0 &&
           handshake_equal(&listener->handshake, &wanted->handshake);
}

static struct listener *find(const struct listener_list *list, const struct listener *wanted)
{
    struct listener *listener;
    SLIST_FOREACH(listener, list, next)
    {
        if (shares(listener, wanted))
            return listener;
    }
    return NULL;
}

/* Notes what there was no port for, without memory in vain. */
static void miss(struct reception *reception, const struct listener *wanted)
{
    struct listener *missed = find(&reception->missed, wanted) ? NULL : malloc(sizeof *missed);
    if (!missed)
        return;
    *missed = *wanted;
    missed->end = missed->captured = NULL; /* it is refused */
    SLIST_INSERT_HEAD(&reception->missed, missed, next);
}

/* Ports are free again. */
static void miss_no_longer(struct reception *reception, const struct listener *wanted)
{
    struct listener *missed = find(&reception->missed, wanted);
    if (missed)
        SLIST_REMOVE(&reception->missed, missed, listener, next);
    free(missed);
}

int reception_prepare(struct worker *worker, struct end *end, struct error *err)
{
    struct reception *reception = &worker->reception;
    const struct end_spec *spec = &end->spec;
    struct listener wanted = {.fd = -1, .family = end->peer.storage.ss_family};
    memcpy(wanted.local, spec->local_address, sizeof wanted.local);
    memcpy(wanted.device, spec->device, sizeof wanted.device);
    if (*spec->ccalg && ccalg_needs_ecn(spec->ccalg))
        memcpy(wanted.ccalg, spec->ccalg, sizeof wanted.ccalg);
    wanted.handshake = tuning_handshake(spec);
    wanted.end = spec->no_token ? end : NULL;
    wanted.captured = end->tap && !spec->no_token ? end : NULL;
    wanted.alone = wanted.end || wanted.captured;
    if (!spec->no_token && add_place(reception) < 0)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    const struct listener *listener = find(&reception->listeners, &wanted);
    const int port = listener ? listener->port : open_listener(worker, &wanted, err);
    if (port == RECEPTION_NO_PORT)
        miss(reception, &wanted);
    else
        miss_no_longer(reception, &wanted);
    return port;
}

static size_t count_at(const struct listener_list *list, const char *address)
{
    const struct listener *listener;
    size_t count = 0;
    SLIST_FOREACH(listener, list, next)
    {
        count += strcmp(listener->local, address) == 0;
    }
    return count;
}

size_t reception_ports_wanted(const struct reception *reception, const char *address)
{
    return count_at(&reception->listeners, address) + count_at(&reception->missed, address);
}
