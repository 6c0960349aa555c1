#include "agent/consent.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <search.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/hosts.h"
#include "engine/proof.h"
#include "engine/socket_options.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define TRIES       3 /* of a place that is silent: on a lossy path an honest one may be */
#define PATIENCE_NS (5 * NS_PER_S) /* for connection and answer */
/* For the connection: the kernel sends a lost SYN once more, after a second, and not a third time,
 * which would be after two or three.  (TCP_SYNCNT counts otherwise since Linux 6.5.) */
#define CONNECT_NS     (1900 * NS_PER_MS)
#define SLOW_NS        (2 * NS_PER_S) /* what took longer counts as failed: it holds others up */
#define POLL_MS        50             /* a cancel is seen by then */
#define PLACE_TEXT_MAX (ADDRESS_MAX + 16)
#define LOG_HINT       "; the log of this end's agent says what it found there"
#define BUSY_MS        2 /* likewise that the limit has room again */

enum standing {
    UNKNOWN,
    WANTED, /* to be asked in this round */
    PROVED,
    REFUSED,
    UNTRIED, /* no connection could be tried from here */
    SPENT,   /* too many failed before */
    CANCELLED
};

struct consent_place {
    char local[ADDRESS_MAX], peer[ADDRESS_MAX], device[DEVICE_MAX];
    uint16_t port;
    enum standing standing;
    bool taken; /* a connection stood */
    int cause;  /* errno; 0: another */
};

struct consent {
    struct consent_limit *limit;
    char caller[CONSENT_CALLER_MAX];
    struct hmac *key;
    void *places; /* a tsearch tree */
    bool frank;   /* see consent_explain() */
    atomic_bool cancelled;
};

int consent_create(struct consent **out, struct consent_limit *limit, const char *caller,
                   const uint8_t flow_key[FLOW_KEY_SIZE], struct error *err)
{
    struct consent *consent = calloc(1, sizeof *consent);
    if (consent)
        consent->key = hmac_new(flow_key, FLOW_KEY_SIZE);
    if (!consent || !consent->key) {
        free(consent);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    consent->limit = limit;
    snprintf(consent->caller, sizeof consent->caller, "%s", caller);
    *out = consent;
    return 0;
}

void consent_destroy(struct consent *consent)
{
    if (!consent)
        return;
    tdestroy(consent->places, free);
    hmac_free(consent->key);
    free(consent);
}

void consent_be_frank(struct consent *consent)
{
    consent->frank = true;
}

void consent_cancel(struct consent *consent)
{
    atomic_store(&consent->cancelled, true);
}

void consent_resume(struct consent *consent)
{
    atomic_store(&consent->cancelled, false);
}

/* ---- one connection ---- */

struct attempt {
    struct consent_place *place;
    int fd, ticket;
    int64_t began_ns;
    bool sent;
    uint8_t question[PROOF_SIZE], answer[PROOF_SIZE];
    size_t got; /* bytes of the answer */
};

/* Nothing of it stays: no TIME_WAIT, and nothing for the kernel to remember of the peer. */
static void settle(struct consent *consent, struct attempt *attempt, enum standing standing,
                   int cause)
{
    const int64_t now = clock_now();
    /* Who calls it off, to begin anew, has had it sent all the same. */
    const bool failed = standing == REFUSED || standing == CANCELLED;
    const bool slow = now - attempt->began_ns > SLOW_NS;
    if (attempt->fd >= 0)
        socket_reset(attempt->fd);
    attempt->fd = -1;
    attempt->place->standing = standing;
    attempt->place->taken = attempt->sent;
    attempt->place->cause = cause;
    consent_limit_give(consent->limit, attempt->ticket, failed || slow, now);
}

/* A socket whose packets leave as the flows' do, and stay on the test network like them; else the
 * engine has a word on the end. */
static int open_as_flows(const struct consent_place *place, struct socket_address *peer)
{
    char device[DEVICE_MAX];
    if (socket_address_parse(place->peer, place->port, peer, NULL))
        return -1;
    host_scope_peer(peer, place->local, place->device);
    const int fd = socket_open(peer->storage.ss_family, place->local, place->device, NULL);
    if (fd < 0 || route_check(place->local, place->peer, place->device, device, NULL) == 0)
        return fd;
    close(fd);
    return -1;
}

static void begin(struct consent *consent, struct attempt *attempt)
{
    struct socket_address peer;
    attempt->fd = open_as_flows(attempt->place, &peer);
    if (attempt->fd < 0) {
        settle(consent, attempt, UNTRIED, 0);
        return;
    }
    proof_ask(attempt->question);
    socket_set_int(attempt->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, CONNECT_NS / NS_PER_MS);
    if (connect(attempt->fd, (const struct sockaddr *)&peer.storage, peer.size) < 0 &&
        errno != EINPROGRESS)
        settle(consent, attempt, errno == ECONNREFUSED ? REFUSED : UNTRIED, errno);
}

static void send_question(struct consent *consent, struct attempt *attempt)
{
    int cause = socket_error(attempt->fd);
    if (!cause) {
        socket_set_int(attempt->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
        const ssize_t sent =
            send(attempt->fd, attempt->question, PROOF_SIZE, MSG_DONTWAIT | MSG_NOSIGNAL);
        cause = sent < 0 ? errno : sent < PROOF_SIZE ? ENOBUFS : 0;
    }
    attempt->sent = !cause;
    if (cause)
        settle(consent, attempt, REFUSED, cause);
}

static void take_answer(struct consent *consent, struct attempt *attempt)
{
    const ssize_t got =
        recv(attempt->fd, attempt->answer + attempt->got, PROOF_SIZE - attempt->got, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        settle(consent, attempt, REFUSED, got < 0 ? errno : ECONNRESET);
        return;
    }
    attempt->got += (size_t)got;
    if (attempt->got < PROOF_SIZE)
        return;
    const bool holds =
        proof_holds(consent->key, attempt->question, attempt->place->port, attempt->answer);
    settle(consent, attempt, holds ? PROVED : REFUSED, 0);
}

/* ---- many ---- */

struct round {
    struct consent *consent;
    struct consent_place **places;
    size_t count, next;
    struct attempt attempts[CONSENT_ASKED_MAX]; /* the first `open` are under way */
    size_t open;
    bool busy; /* the limit had no room */
};

static void begin_some(struct round *round)
{
    struct consent *consent = round->consent;
    round->busy = false;
    while (round->next < round->count && !round->busy) {
        struct consent_place *place = round->places[round->next];
        const int64_t now = clock_now();
        const int ticket = consent_limit_take(consent->limit, consent->caller, now);
        round->busy = ticket == CONSENT_BUSY;
        if (ticket == CONSENT_SPENT)
            place->standing = SPENT;
        round->next += !round->busy;
        if (ticket < 0)
            continue;
        struct attempt *attempt = &round->attempts[round->open];
        *attempt = (struct attempt){.place = place, .ticket = ticket, .began_ns = now};
        begin(consent, attempt);
        round->open += attempt->fd >= 0;
    }
}

static void wait_a_little(struct round *round, struct pollfd fds[CONSENT_ASKED_MAX])
{
    for (size_t i = 0; i < round->open; i++)
        fds[i] = (struct pollfd){.fd = round->attempts[i].fd,
                                 .events = round->attempts[i].sent ? POLLIN : POLLOUT};
    if (poll(fds, round->open, round->busy ? BUSY_MS : POLL_MS) < 0)
        memset(fds, 0, round->open * sizeof *fds);
}

static bool took_too_long(const struct attempt *attempt)
{
    return clock_now() - attempt->began_ns >= (attempt->sent ? PATIENCE_NS : CONNECT_NS);
}

static void go_on(struct round *round)
{
    struct pollfd fds[CONSENT_ASKED_MAX];
    size_t open = 0;
    wait_a_little(round, fds);
    for (size_t i = 0; i < round->open; i++) {
        struct attempt *attempt = &round->attempts[i];
        if (fds[i].revents && !attempt->sent)
            send_question(round->consent, attempt);
        else if (fds[i].revents)
            take_answer(round->consent, attempt);
        else if (took_too_long(attempt))
            settle(round->consent, attempt, REFUSED, ETIMEDOUT);
        if (attempt->fd >= 0)
            round->attempts[open++] = *attempt;
    }
    round->open = open;
}

static void call_off(struct round *round)
{
    for (size_t i = 0; i < round->open; i++)
        settle(round->consent, &round->attempts[i], CANCELLED, 0);
    for (; round->next < round->count; round->next++)
        round->places[round->next]->standing = CANCELLED;
    round->open = 0;
}

static void ask_all(struct consent *consent, struct consent_place **places, size_t count)
{
    struct round round = {.consent = consent, .places = places, .count = count};
    while (round.open || round.next < round.count) {
        if (atomic_load(&consent->cancelled)) {
            call_off(&round);
            return;
        }
        begin_some(&round);
        if (round.open || round.busy)
            go_on(&round);
    }
}

/* ---- what is said of it ---- */

static void place_text(const struct consent_place *place, char where[PLACE_TEXT_MAX])
{
    snprintf(where, PLACE_TEXT_MAX, "%s port %u", place->peer, place->port);
}

/* The time that it took tells as much. */
static bool is_silent(const struct consent_place *place)
{
    return place->cause == ETIMEDOUT;
}

static const char *what_was_found(const struct consent_place *place)
{
    if (is_silent(place))
        return place->taken ? "what took the connection said nothing for 5 s"
                            : "nothing took the connection";
    return !place->cause  ? "the answer is not of this run"
           : place->taken ? "what took the connection closed it"
                          : strerrordesc_np(place->cause);
}

/* The most likely cure comes first. */
static void explain_refusal(const struct consent_place *place, bool frank, struct error *err)
{
    char where[PLACE_TEXT_MAX];
    place_text(place, where);
    error_set(err, ERROR_FLOW, where, "%s%s%s",
              is_silent(place) ? "nobody answered there as an agent of this run"
                               : "no agent of this run listens there",
              frank ? ": " : "", frank ? what_was_found(place) : "");
    if (is_silent(place))
        error_cure(err,
                   "let the data ports pass firewalls and NAT between the hosts (agents have "
                   "--data-ports for that), or correct the \"host\" that others connect to%s",
                   frank ? "" : LOG_HINT);
    else
        error_cure(err,
                   "correct the \"host\" that others connect to, or let the data ports pass "
                   "firewalls and NAT between the hosts%s",
                   frank ? "" : LOG_HINT);
}

/* What was refused just now: the first in words. */
static void log_refusals(const struct consent *consent, struct consent_place *const *asked,
                         size_t count)
{
    const struct consent_place *first = NULL;
    char where[PLACE_TEXT_MAX], more[48] = "";
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        if (asked[i]->standing != REFUSED)
            continue;
        first = refused++ ? first : asked[i];
    }
    if (!first)
        return;
    place_text(first, where);
    if (refused > 1)
        snprintf(more, sizeof more, ", and %zu places more", refused - 1);
    log_info("asked for %s whether its run's agent listens at %s: %s%s", consent->caller, where,
             what_was_found(first), more);
}

/* ---- ends ---- */

static int by_way(const void *a, const void *b)
{
    const struct consent_place *x = a, *y = b;
    int order = (int)x->port - (int)y->port;
    if (!order)
        order = strcmp(x->peer, y->peer);
    if (!order)
        order = strcmp(x->local, y->local);
    return order ? order : strcmp(x->device, y->device);
}

/* Where the end would connect to, known or new.  NULL: out of memory. */
static struct consent_place *place_of(struct consent *consent, const struct end_spec *spec)
{
    struct consent_place *place = calloc(1, sizeof *place);
    if (!place)
        return NULL;
    memcpy(place->local, spec->local_address, sizeof place->local);
    memcpy(place->peer, spec->peer_address, sizeof place->peer);
    memcpy(place->device, spec->device, sizeof place->device);
    place->port = spec->peer_port;
    struct consent_place *const *found = tsearch(place, &consent->places, by_way);
    struct consent_place *known = found ? *found : NULL;
    if (known != place)
        free(place);
    return known;
}

/* Those that did not answer at all: packets get lost.  They are asked again, or else refused. */
static size_t keep_silent(struct consent_place **places, size_t count, bool again)
{
    size_t kept = 0;
    for (size_t i = 0; again && i < count; i++) {
        struct consent_place *place = places[i];
        if (place->standing != REFUSED || place->cause != ETIMEDOUT)
            continue;
        place->standing = WANTED;
        places[kept++] = place;
    }
    return kept;
}

static bool is_final(enum standing standing)
{
    return standing == PROVED || standing == REFUSED;
}

int consent_ask(struct consent *consent, struct end_spec *specs, size_t count,
                const struct consent_place **denied, struct error *err)
{
    CLEANUP_FREE struct consent_place **wanted = calloc(count + 1, sizeof(*wanted));
    CLEANUP_FREE struct consent_place **asked = calloc(count + 1, sizeof(*asked));
    size_t asked_count = 0;
    if (!wanted || !asked)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        denied[i] = NULL;
        if (specs[i].end != END_SRC || specs[i].peer_port == 0)
            continue;
        struct consent_place *place = place_of(consent, &specs[i]);
        if (!place)
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
        denied[i] = place;
        if (!is_final(place->standing) && place->standing != WANTED) {
            place->standing = WANTED;
            asked[asked_count++] = place;
        }
    }
    size_t wanted_count = asked_count;
    memcpy(wanted, asked, asked_count * sizeof(*asked));
    for (int tries = 0; wanted_count && tries < TRIES; tries++) {
        ask_all(consent, wanted, wanted_count);
        wanted_count = keep_silent(wanted, wanted_count, tries + 1 < TRIES);
    }
    log_refusals(consent, asked, asked_count);
    for (size_t i = 0; i < count; i++) {
        if (denied[i] && denied[i]->standing == PROVED)
            denied[i] = NULL;
        else if (denied[i])
            specs[i].peer_port = 0;
    }
    return 0;
}

void consent_explain(const struct consent *consent, const struct consent_place *place,
                     char problems[PROBLEMS_MAX])
{
    struct error err;
    char where[PLACE_TEXT_MAX];
    const char *cause = place->cause ? strerrordesc_np(place->cause) : NULL;
    place_text(place, where);
    if (place->standing == UNTRIED && *problems)
        return; /* the engine knows more of this end */
    if (place->standing == REFUSED) {
        explain_refusal(place, consent->frank, &err);
    } else if (place->standing == SPENT) {
        error_set(&err, ERROR_FLOW, where,
                  "it is not asked whether an agent of this run listens there: too many other "
                  "places did not answer within the last minute");
        error_cure(&err, "see to those first, or wait a minute");
    } else {
        error_set(&err, ERROR_FLOW, where,
                  "it could not be asked whether an agent of this run listens there%s%s",
                  cause ? ": " : "", cause ? cause : "");
    }
    error_add_line(problems, &err);
}
