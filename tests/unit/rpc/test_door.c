/* What stands before gRPC: strangers, crowds and nonsense at the port of a server, and strangers
 * behind a port that a client connects to. */
#include "pair.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/socket_owner.h"
#include "rpc/rpc_who.h"
#include "util/clock.h"

#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define STRANGER 54321u
#define OF_ONE   32
#define IN_ALL   256
/* Descriptors of a connection that is served: of the client, the server, the relay's pair. */
#define OF_SERVED 4
#define MANY      400

struct door {
    struct pair pair;
    struct users trusted;
    unsigned refused;
    char whom[sizeof((struct rpc_caller *)0)->text], why[256]; /* the last one's */
    struct rpc_caller served;
};

static void serve(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    Tcpflowgen__ClockReply reply = TCPFLOWGEN__CLOCK_REPLY__INIT;
    struct door *door = ctx;
    (void)request;
    door->served = *rpc_caller(call);
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void on_refused(void *arg, const struct rpc_caller *caller, const char *why, unsigned more)
{
    struct door *door = arg;
    door->refused += 1 + more;
    snprintf(door->whom, sizeof door->whom, "%s", caller->text);
    snprintf(door->why, sizeof door->why, "%s", why);
}

/* Serves anew, these users besides; with so many descriptors, 0: all. */
static void open_with(struct door *door, const struct endpoint *at, const char *also,
                      size_t descriptors)
{
    struct pair *pair = &door->pair;
    struct error err = {0};
    *door = (struct door){0};
    pair_init(pair, serve, door);
    rpc_peer_destroy(pair->peer);
    rpc_server_destroy(pair->server, 0);
    users_add_own(&door->trusted);
    if (also)
        assert_int_equal(users_add(&door->trusted, also, &err), 0);
    const struct rpc_listening how = {at, &door->trusted, on_refused, door, descriptors};
    assert_int_equal(
        rpc_server_create(&pair->server, pair->loop, &pair->service, &how, &pair->port, &err), 0);
    struct endpoint to = *at;
    to.port = pair->port;
    assert_int_equal(rpc_peer_create(&pair->peer, pair->loop, &to, NULL, &err), 0);
}

static void open_at(struct door *door, const struct endpoint *at, const char *also)
{
    open_with(door, at, also, 0);
}

static void open_door(struct door *door, const char *also)
{
    const struct endpoint at = {.host = "127.0.0.1"};
    open_at(door, &at, also);
}

static int raw(const struct door *door)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(door->pair.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int raw_of(const struct door *door, uid_t uid)
{
    setfsuid(uid);
    int fd = raw(door);
    setfsuid(0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes within a time; returns when the other side has closed it, which *closed tells. */
static size_t hear(int fd, char *out, size_t size, int64_t within_ms, bool *closed)
{
    int64_t until = clock_now() + within_ms * NS_PER_MS;
    size_t got = 0;
    *closed = false;
    while (!*closed && got + 1 < size) {
        struct pollfd state = {.fd = fd, .events = POLLIN};
        int64_t left = (until - clock_now()) / NS_PER_MS;
        if (left <= 0 || poll(&state, 1, (int)left) <= 0)
            break;
        ssize_t more = recv(fd, out + got, size - 1 - got, 0);
        *closed = more <= 0;
        got += more > 0 ? (size_t)more : 0;
    }
    out[got] = '\0';
    return got;
}

static bool was_closed(int fd, int64_t within_ms)
{
    char bytes[4096];
    bool closed;
    hear(fd, bytes, sizeof bytes, within_ms, &closed);
    return closed;
}

static bool is_said(const char *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text));
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *fds = opendir("/proc/self/fd");
    while (readdir(fds))
        count++;
    closedir(fds);
    return count;
}

static void await_descriptors(struct door *door, unsigned count)
{
    int64_t until = clock_now() + 10 * NS_PER_S;
    while (descriptors() > count) {
        assert_true(clock_now() < until);
        rpc_loop_run(door->pair.loop, 10);
    }
}

static void await_refusals(struct door *door, unsigned count)
{
    int64_t until = clock_now() + 10 * NS_PER_S;
    while (door->refused < count) {
        assert_true(clock_now() < until);
        rpc_loop_run(door->pair.loop, 10);
    }
}

/* ---- who calls ---- */

static void test_the_caller_is_named(void **state)
{
    (void)state;
    struct door door;
    char user[32];
    unsigned port;
    open_door(&door, NULL);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    snprintf(user, sizeof user, "uid %u", geteuid());
    assert_string_equal(door.served.key, user);
    assert_string_equal(door.served.address, "127.0.0.1");
    assert_memory_equal(door.served.text, user, strlen(user));
    assert_int_equal(sscanf(door.served.text + strlen(user), " at 127.0.0.1:%u", &port), 1);
    pair_fini(&door.pair);
}

static const char headers_frame[] = "\0\0\0\1\5\0\0\0\1"; /* of a call without any */

static void test_a_stranger_is_refused_in_words(void **state)
{
    (void)state;
    struct door door;
    char bytes[4096];
    bool closed;
    if (geteuid() != 0)
        skip();
    open_door(&door, NULL);
    int fd = raw_of(&door, STRANGER);
    say(fd, PREFACE);
    assert_int_equal(send(fd, headers_frame, 9, 0), 9);
    size_t size = hear(fd, bytes, sizeof bytes, 5000, &closed);
    assert_true(closed);
    assert_true(is_said(bytes, size, "grpc-status\0017"));
    assert_true(is_said(bytes, size, "--allow-user 54321"));
    await_refusals(&door, 1);
    assert_memory_equal(door.whom, "uid 54321 at 127.0.0.1:", 23);
    assert_non_null(strstr(door.why, "does not serve uid 54321"));
    close(fd);
    /* He who says nothing is told so, too, and does not stay. */
    fd = raw_of(&door, STRANGER);
    size = hear(fd, bytes, sizeof bytes, 5000, &closed);
    assert_true(closed);
    assert_true(is_said(bytes, size, "--allow-user 54321"));
    close(fd);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    pair_fini(&door.pair);
}

static void test_a_user_who_is_named_is_served(void **state)
{
    (void)state;
    struct door door;
    char bytes[4096];
    bool closed;
    if (geteuid() != 0)
        skip();
    open_door(&door, "54321");
    int fd = raw_of(&door, STRANGER);
    say(fd, PREFACE);
    assert_true(hear(fd, bytes, sizeof bytes, 300, &closed) > 0); /* gRPC's first words */
    assert_false(closed);
    assert_int_equal(door.refused, 0);
    close(fd);
    pair_fini(&door.pair);
}

/* ---- what is no HTTP/2 ---- */

static void test_other_protocols_end_at_once(void **state)
{
    (void)state;
    static const char *const words[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX",
        "P\n",
    };
    struct door door;
    open_door(&door, NULL);
    unsigned before = descriptors();
    for (unsigned i = 0; i < 4; i++) {
        int fd = raw(&door);
        say(fd, words[i]);
        assert_true(was_closed(fd, 2000));
        close(fd);
        await_refusals(&door, i + 1);
        assert_string_equal(door.why, "it does not speak HTTP/2");
    }
    await_descriptors(&door, before);
    pair_fini(&door.pair);
}

/* One says nothing, one a byte now and then, one all but the last; one takes his time and is
 * served. */
static void test_slow_ones_end_after_5_s(void **state)
{
    (void)state;
    struct door door;
    char bytes[4096];
    bool closed;
    open_door(&door, NULL);
    unsigned before = descriptors();
    int64_t began = clock_now();
    int silent = raw(&door), loris = raw(&door), almost = raw(&door), patient = raw(&door);
    say(almost, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r");
    for (int i = 0; i < 6; i++) {
        usleep(700000);
        assert_int_equal(send(loris, &PREFACE[i], 1, MSG_NOSIGNAL), 1);
        assert_int_equal(send(patient, &PREFACE[4 * i], 4, MSG_NOSIGNAL), 4);
    }
    assert_false(was_closed(silent, 0));
    assert_true(hear(patient, bytes, sizeof bytes, 200, &closed) > 0);
    assert_false(closed);
    assert_true(was_closed(silent, 3000) && was_closed(loris, 3000) && was_closed(almost, 3000));
    assert_true(clock_now() - began > 4900 * NS_PER_MS);
    await_refusals(&door, 3);
    assert_string_equal(door.why, "it did not begin as HTTP/2 does within 5 s");
    close(silent);
    close(loris);
    close(almost);
    close(patient);
    await_descriptors(&door, before);
    pair_fini(&door.pair);
}

/* ---- what gRPC would not bound ---- */

/* gRPC reads while the loop runs. */
static bool ends(struct door *door, int fd)
{
    bool closed = false;
    for (int tries = 0; !closed && tries < 100; tries++) {
        rpc_loop_run(door->pair.loop, 10);
        closed = was_closed(fd, 5);
    }
    return closed;
}

/* Opens so many calls that never end, at once; the SETTINGS are acknowledged before they came. */
static int open_streams(const struct door *door, unsigned count, bool acknowledged)
{
    uint8_t bytes[4096] = PREFACE;
    size_t size = strlen(PREFACE);
    int fd = raw(door);
    memcpy(bytes + size, (uint8_t[]){0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0}, 18);
    size += acknowledged ? 18 : 9;
    for (unsigned i = 0; i < count; i++, size += 20) {
        memcpy(bytes + size, "\0\0\13\1\4\0\0\0", 8); /* POST http /x */
        bytes[size + 8] = (uint8_t)(2 * i + 1);
        memcpy(bytes + size + 9,
               "\x83\x86\x04\x02/x\x01\x03"
               "abc",
               11);
    }
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    return fd;
}

/* Whether or not he acknowledges gRPC's own limit, and when. */
static void test_only_so_many_calls_of_a_connection(void **state)
{
    (void)state;
    struct door door;
    open_door(&door, NULL);
    unsigned before = descriptors();
    for (int i = 0; i < 2; i++) {
        int fd = open_streams(&door, 33, i == 1);
        assert_true(ends(&door, fd));
        close(fd);
        await_refusals(&door, (unsigned)i + 1);
        assert_string_equal(door.why, "it has more than 32 calls under way");
        assert_non_null(strstr(door.whom, "uid "));
        fd = open_streams(&door, 32, i == 1);
        assert_false(was_closed(fd, 100));
        close(fd);
    }
    await_descriptors(&door, before);
    assert_int_equal(door.refused, 2);
    pair_fini(&door.pair);
}

/* ---- crowds ---- */

/* Of Clock, whose request does not come. */
static void begin_call(int fd)
{
    static const uint8_t call[] = "\0\0\0\4\0\0\0\0\0" /* SETTINGS */
                                  "\0\0\x35\1\4\0\0\0\1\x83\x86"
                                  "\x04\x17/tcpflowgen.Agent/Clock"
                                  "\x41\1a"
                                  "\0\2te\x8trailers"
                                  "\0\6accept\1x";
    assert_int_equal(send(fd, call, sizeof call - 1, MSG_NOSIGNAL), sizeof call - 1);
}

static void crowd(struct door *door, int *fds, unsigned count, const uid_t *uid, bool calls)
{
    for (unsigned i = 0; i < count; i++) {
        fds[i] = uid ? raw_of(door, *uid) : raw(door);
        say(fds[i], PREFACE);
        if (calls)
            begin_call(fds[i]);
    }
}

static void disperse(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

static void test_only_so_many_of_one_user(void **state)
{
    (void)state;
    struct door door;
    int fds[OF_ONE + 3];
    open_door(&door, NULL);
    unsigned before = descriptors();
    crowd(&door, fds, OF_ONE, NULL, true);
    struct answer answer = pair_clock(&door.pair);
    assert_int_equal(answer.code, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(answer.text, "has 32 connections of uid"));
    assert_int_equal(door.refused, 1);
    close(fds[0]);
    for (int tries = 0; answer.code != RPC_OK; tries++) { /* once gRPC has noticed */
        assert_true(tries < 1000);
        usleep(1000);
        answer = pair_clock(&door.pair);
    }
    disperse(fds + 1, OF_ONE - 1);
    await_descriptors(&door, before + OF_SERVED);
    pair_fini(&door.pair);
}

/* Where few descriptors are kept for them, ends need the others. */
static void test_fewer_where_descriptors_are_few(void **state)
{
    (void)state;
    struct door door;
    const struct endpoint at = {.host = "127.0.0.1"};
    const unsigned most = RPC_CONNECTIONS_MAX / 16;
    int fds[RPC_CONNECTIONS_MAX / 16];
    open_with(&door, &at, NULL, RPC_SERVER_DESCRIPTORS / 16);
    crowd(&door, fds, most, NULL, true);
    struct answer answer = pair_clock(&door.pair);
    assert_int_equal(answer.code, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(answer.text, "16 connections already"));
    disperse(fds, most);
    pair_fini(&door.pair);
}

static void test_only_so_many_in_all(void **state)
{
    (void)state;
    struct door door;
    int fds[IN_ALL];
    if (geteuid() != 0)
        skip();
    open_door(&door, "1001,1002,1003,1004,1005,1006,1007,1008");
    unsigned before = descriptors();
    for (unsigned i = 0; i < IN_ALL / OF_ONE; i++)
        crowd(&door, fds + i * OF_ONE, OF_ONE, &(uid_t){1001 + i}, true);
    struct answer answer = pair_clock(&door.pair);
    assert_int_equal(answer.code, RPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(answer.text, "256 connections already"));
    /* With this side's.  So much is kept for them. */
    assert_in_range(descriptors() - before - IN_ALL, 3 * IN_ALL, RPC_SERVER_DESCRIPTORS);
    disperse(fds, IN_ALL);
    await_descriptors(&door, before + 1); /* the client's, that was refused */
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    pair_fini(&door.pair);
}

/* In a full door: the one that has been idle for longest, not one with a call. */
static void test_who_gives_way(void **state)
{
    (void)state;
    struct door door;
    int fds[IN_ALL];
    if (geteuid() != 0)
        skip();
    open_door(&door, "1001,1002,1003,1004,1005,1006,1007,1008");
    for (unsigned i = 0; i < IN_ALL / OF_ONE; i++)
        crowd(&door, fds + i * OF_ONE, OF_ONE, &(uid_t){1001 + i}, i != 5);
    assert_int_equal(pair_clock(&door.pair).code, RPC_RESOURCE_EXHAUSTED); /* too early */
    usleep(600000);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    assert_true(was_closed(fds[5 * OF_ONE], 2000));
    for (unsigned i = 1; i < IN_ALL; i += 10)
        assert_false(was_closed(fds[i], 3));
    await_refusals(&door, 2);
    assert_memory_equal(door.whom, "uid 1006", 8);
    assert_non_null(strstr(door.why, "another caller needs its place"));
    disperse(fds, IN_ALL);
    pair_fini(&door.pair);
}

/* Of one user's, for that user.  One who said nothing gives way, too. */
static void test_who_gives_way_to_his_own(void **state)
{
    (void)state;
    struct door door;
    int fds[OF_ONE];
    open_door(&door, NULL);
    for (unsigned i = 0; i < OF_ONE; i++) {
        fds[i] = raw(&door);
        if (i > 0)
            say(fds[i], PREFACE);
        if (i < 2)
            usleep(20000);
    }
    usleep(600000);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    assert_true(was_closed(fds[0], 2000));
    assert_false(was_closed(fds[1], 3));
    int fd = raw(&door);
    assert_true(was_closed(fds[1], 2000));
    assert_false(was_closed(fds[2], 3));
    close(fd);
    disperse(fds, OF_ONE);
    pair_fini(&door.pair);
}

/* A flood is told in few words, all of it counted. */
static void test_a_flood_of_strangers(void **state)
{
    (void)state;
    struct door door;
    if (geteuid() != 0)
        skip();
    open_door(&door, NULL);
    unsigned before = descriptors();
    for (int i = 0; i < MANY; i++)
        close(raw_of(&door, STRANGER));
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = raw_of(&door, STRANGER);
    await_refusals(&door, MANY);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    disperse(fds, MANY);
    await_descriptors(&door, before + OF_SERVED);
    assert_true(door.refused <= 2 * MANY);
    pair_fini(&door.pair);
}

/* ---- descriptors ---- */

static unsigned fill_descriptors(int *fds, unsigned most)
{
    unsigned count = 0;
    while (count < most && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    return count;
}

static void test_descriptors_run_out_and_return(void **state)
{
    (void)state;
    struct door door;
    struct rlimit limit, before;
    int fds[512], callers[2];
    open_door(&door, NULL);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 400;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    callers[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned count = fill_descriptors(fds, 512);
    /* Nothing can be accepted. */
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(door.pair.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(callers[0], (struct sockaddr *)&to, sizeof to), 0);
    say(callers[0], PREFACE);
    assert_false(was_closed(callers[0], 300));
    /* A few come back: they are left for others than callers. */
    close(fds[--count]);
    assert_true(was_closed(callers[0], 5000));
    await_refusals(&door, 1);
    assert_non_null(strstr(door.why, "no descriptors to spare"));
    close(callers[0]);
    disperse(fds, count);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    callers[0] = raw(&door);
    say(callers[0], PREFACE);
    assert_false(was_closed(callers[0], 200));
    close(callers[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    pair_fini(&door.pair);
}

/* ---- who listens ---- */

static int listener_of(uid_t uid, uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setfsuid(uid);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setfsuid(geteuid());
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void test_nothing_is_said_to_a_strangers_port(void **state)
{
    (void)state;
    struct door door;
    struct error err = {0};
    struct endpoint to = {.host = "127.0.0.1"};
    char bytes[256];
    bool closed;
    if (geteuid() != 0)
        skip();
    open_door(&door, NULL);
    int listener = listener_of(STRANGER, &to.port);
    rpc_peer_destroy(door.pair.peer);
    assert_int_equal(rpc_peer_create(&door.pair.peer, door.pair.loop, &to, NULL, &err), 0);
    struct answer answer = pair_clock(&door.pair);
    assert_int_equal(answer.code, RPC_PERMISSION_DENIED);
    assert_non_null(strstr(answer.text, "--trust-user 54321"));
    int fd = accept(listener, NULL, NULL);
    assert_int_equal(hear(fd, bytes, sizeof bytes, 2000, &closed), 0);
    assert_true(closed);
    close(fd);
    /* Trusted, it hears the preface. */
    assert_int_equal(users_add(&door.trusted, "54321", &err), 0);
    rpc_peer_destroy(door.pair.peer);
    assert_int_equal(rpc_peer_create(&door.pair.peer, door.pair.loop, &to, &door.trusted, &err), 0);
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    struct answer second = {0};
    assert_non_null(rpc_start(door.pair.peer, &agent_methods[AGENT_CLOCK], &request.base, 500,
                              false, answer_take, &second));
    answer_await(&door.pair, &second);
    fd = accept(listener, NULL, NULL);
    size_t size = hear(fd, bytes, sizeof bytes, 1000, &closed);
    assert_true(size >= strlen(PREFACE));
    assert_memory_equal(bytes, PREFACE, strlen(PREFACE));
    close(fd);
    close(listener);
    pair_fini(&door.pair);
}

/* What gRPC makes of it comes in its own words. */
static void test_a_web_server(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n"
                                 "Content-Type: text/html\r\nConnection: close\r\n\r\n<html>";
    struct door door;
    struct error err = {0};
    struct endpoint to = {.host = "127.0.0.1"};
    open_door(&door, NULL);
    int listener = listener_of(geteuid(), &to.port);
    rpc_peer_destroy(door.pair.peer);
    assert_int_equal(rpc_peer_create(&door.pair.peer, door.pair.loop, &to, NULL, &err), 0);
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    struct answer status = {0};
    assert_non_null(rpc_start(door.pair.peer, &agent_methods[AGENT_CLOCK], &request.base, 5000,
                              false, answer_take, &status));
    for (int fd = -1; fd < 0;) {
        rpc_loop_run(door.pair.loop, 10);
        struct pollfd caller = {.fd = listener, .events = POLLIN};
        if (poll(&caller, 1, 10) == 1) {
            fd = accept(listener, NULL, NULL);
            say(fd, answer);
            shutdown(fd, SHUT_WR);
        }
    }
    answer_await(&door.pair, &status);
    assert_true(status.foreign);
    assert_string_equal(status.text, "a web server answers, by HTTP/1");
    close(listener);
    pair_fini(&door.pair);
}

/* He accepts a connection, and leaves the port to one who is trusted. */
static void test_who_left_the_port_to_another(void **state)
{
    (void)state;
    struct users trusted = {0};
    struct socket_owners *owners;
    struct sockaddr_in at = {.sin_family = AF_INET};
    char why[RPC_WHY_MAX];
    uint16_t port;
    if (geteuid() != 0)
        skip();
    users_add_own(&trusted);
    assert_int_equal(socket_owners_open(&owners), 0);
    int listener = listener_of(STRANGER, &port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(port);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    setfsuid(STRANGER);
    int server = accept(listener, NULL, NULL);
    setfsuid(0);
    assert_int_equal(rpc_who_listens(owners, &trusted, client, why), RPC_WHO_FOREIGN);
    close(listener);
    assert_int_equal(rpc_who_listens(owners, &trusted, client, why), RPC_WHO_GONE);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 8), 0);
    why[0] = '\0';
    assert_int_equal(rpc_who_listens(owners, &trusted, client, why), RPC_WHO_FOREIGN);
    assert_non_null(strstr(why, "uid 54321 listens there"));
    close(server);
    close(client);
    close(listener);
    socket_owners_close(owners);
}

/* ---- Unix sockets ---- */

static struct endpoint a_path(const char *name)
{
    struct endpoint at = {.port = 0};
    snprintf(at.path, sizeof at.path, "/tmp/test_door-%d-%s", getpid(), name);
    unlink(at.path);
    return at;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void test_a_unix_socket(void **state)
{
    (void)state;
    struct door door;
    char text[sizeof door.served.text];
    struct stat there;
    struct endpoint at = a_path("plain");
    open_at(&door, &at, NULL);
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    snprintf(text, sizeof text, "uid %u at %s", geteuid(), at.path);
    assert_string_equal(door.served.text, text);
    assert_string_equal(door.served.address, "");
    assert_int_equal(lstat(at.path, &there), 0);
    if (!getenv("SUDO_UID"))
        assert_int_equal(there.st_mode, S_IFSOCK | 0600);
    pair_fini(&door.pair);
    assert_int_equal(lstat(at.path, &there), -1);
}

static void test_a_stranger_at_a_unix_socket(void **state)
{
    (void)state;
    struct door door;
    char bytes[4096];
    bool closed;
    struct endpoint at = a_path("others");
    if (geteuid() != 0)
        skip();
    open_at(&door, &at, "1001");
    /* Of this thread alone. */
    assert_int_equal(syscall(SYS_setresuid, -1, STRANGER, -1), 0);
    int fd = connect_unix(at.path);
    assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
    size_t size = hear(fd, bytes, sizeof bytes, 5000, &closed);
    assert_true(closed);
    assert_true(is_said(bytes, size, "--allow-user 54321"));
    close(fd);
    pair_fini(&door.pair);
}

static int second_at(struct door *door, const struct endpoint *at, struct error *err)
{
    struct rpc_server *second;
    const struct rpc_listening how = {.at = at};
    int failed = rpc_server_create(&second, door->pair.loop, &door->pair.service, &how, NULL, err);
    if (!failed)
        rpc_server_destroy(second, 0);
    return failed;
}

static void test_what_lies_at_the_path(void **state)
{
    (void)state;
    struct door door;
    struct error err = {0};
    struct stat there;
    struct endpoint at = a_path("used"), other = a_path("file");
    open_at(&door, &at, NULL);
    assert_int_equal(second_at(&door, &at, &err), ERROR_SYSTEM);
    assert_non_null(strstr(err.what, "in use"));
    assert_string_not_equal(err.cure, "");
    assert_int_equal(pair_clock(&door.pair).code, RPC_OK);
    /* Neither a file nor what a link leads to is touched. */
    close(open(other.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(second_at(&door, &other, &err), ERROR_SYSTEM);
    assert_non_null(strstr(err.what, "no socket"));
    unlink(other.path);
    assert_int_equal(symlink("/nowhere", other.path), 0);
    assert_int_equal(second_at(&door, &other, &err), ERROR_SYSTEM);
    assert_int_equal(lstat(other.path, &there), 0);
    unlink(other.path);
    /* What a killed agent left is replaced. */
    struct sockaddr_un left = {.sun_family = AF_UNIX};
    snprintf(left.sun_path, sizeof left.sun_path, "%s", other.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&left, sizeof left), 0);
    close(fd);
    assert_int_equal(second_at(&door, &other, &err), 0);
    assert_int_equal(lstat(other.path, &there), -1);
    pair_fini(&door.pair);
}

static void test_nobody_at_a_path(void **state)
{
    (void)state;
    struct door door;
    struct error err = {0};
    struct endpoint at = a_path("absent");
    open_door(&door, NULL);
    rpc_peer_destroy(door.pair.peer);
    assert_int_equal(rpc_peer_create(&door.pair.peer, door.pair.loop, &at, NULL, &err), 0);
    struct answer answer = pair_clock(&door.pair);
    assert_int_equal(answer.code, RPC_UNAVAILABLE);
    assert_string_equal(answer.text, "nothing listens there: No such file or directory");
    pair_fini(&door.pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_caller_is_named),
        cmocka_unit_test(test_a_stranger_is_refused_in_words),
        cmocka_unit_test(test_a_user_who_is_named_is_served),
        cmocka_unit_test(test_other_protocols_end_at_once),
        cmocka_unit_test(test_slow_ones_end_after_5_s),
        cmocka_unit_test(test_only_so_many_calls_of_a_connection),
        cmocka_unit_test(test_only_so_many_of_one_user),
        cmocka_unit_test(test_fewer_where_descriptors_are_few),
        cmocka_unit_test(test_only_so_many_in_all),
        cmocka_unit_test(test_who_gives_way),
        cmocka_unit_test(test_who_gives_way_to_his_own),
        cmocka_unit_test(test_a_flood_of_strangers),
        cmocka_unit_test(test_descriptors_run_out_and_return),
        cmocka_unit_test(test_nothing_is_said_to_a_strangers_port),
        cmocka_unit_test(test_a_web_server),
        cmocka_unit_test(test_who_left_the_port_to_another),
        cmocka_unit_test(test_a_unix_socket),
        cmocka_unit_test(test_a_stranger_at_a_unix_socket),
        cmocka_unit_test(test_what_lies_at_the_path),
        cmocka_unit_test(test_nobody_at_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
