/* What an agent says to places where its run's ends would connect, and what it makes of what they
 * answer. */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/consent.h"
#include "engine/proof.h"
#include "util/clock.h"
#include "util/log.h"

#define KEY  "0123456789abcdef0123456789abcde" /* FLOW_KEY_SIZE bytes */
#define ENDS 40

enum manner { PROVE, PROVE_IN_PIECES, FOREIGN_KEY, ANOTHER_PORT, ECHO, CLOSE, SILENT };

/* Who listens on a port, one connection after another. */
struct place {
    enum manner manner;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_uint visits;
    atomic_size_t heard; /* bytes, at most, of a visit */
};

static void answer(const struct place *place, int fd, const uint8_t question[PROOF_SIZE])
{
    const uint16_t port = (uint16_t)(place->port + (place->manner == ANOTHER_PORT));
    uint8_t out[PROOF_SIZE];
    struct hmac *key = hmac_new(place->manner == FOREIGN_KEY ? "0" KEY : KEY, FLOW_KEY_SIZE);
    proof_answer(key, question, port, out);
    hmac_free(key);
    if (place->manner == ECHO)
        memcpy(out, question, sizeof out);
    if (place->manner == PROVE_IN_PIECES) {
        send(fd, out, 5, MSG_NOSIGNAL);
        poll(NULL, 0, 20);
        send(fd, out + 5, PROOF_SIZE - 5, MSG_NOSIGNAL);
    } else if (place->manner != SILENT && place->manner != CLOSE) {
        send(fd, out, PROOF_SIZE, MSG_NOSIGNAL);
    }
}

static void *listen_there(void *arg)
{
    struct place *place = arg;
    for (int fd; (fd = accept(place->fd, NULL, NULL)) >= 0; close(fd)) {
        uint8_t bytes[4096];
        size_t heard = 0;
        place->visits++;
        while (heard < PROOF_SIZE) {
            const ssize_t got = recv(fd, bytes + heard, sizeof bytes - heard, 0);
            if (got <= 0)
                break;
            heard += (size_t)got;
        }
        if (heard == PROOF_SIZE && proof_is_asked(bytes))
            answer(place, fd, bytes);
        if (place->manner != CLOSE) /* whatever comes until it goes */
            for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) > 0;)
                heard += (size_t)got;
        if (heard > place->heard)
            place->heard = heard;
    }
    return NULL;
}

static void open_place(struct place *place, enum manner manner)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place->manner = manner;
    place->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(place->fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(place->fd, 100), 0);
    assert_int_equal(getsockname(place->fd, (struct sockaddr *)&address, &size), 0);
    place->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&place->thread, NULL, listen_there, place), 0);
}

static void close_place(struct place *place)
{
    shutdown(place->fd, SHUT_RDWR);
    pthread_join(place->thread, NULL);
    close(place->fd);
    assert_true(place->heard <= PROOF_SIZE);
}

struct fixture {
    struct consent_limit limit;
    struct consent *consent;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.limit = CONSENT_LIMIT_NEW};
    *state = &fixture;
    log_set_level(LOG_QUIET);
    return consent_create(&fixture.consent, &fixture.limit, "uid 0", (const uint8_t *)KEY, NULL);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    consent_destroy(fixture->consent);
    return 0;
}

static struct end_spec end_to(uint16_t port)
{
    return (struct end_spec){.end = END_SRC,
                             .local_address = "127.0.0.1",
                             .peer_address = "127.0.0.1",
                             .peer_port = port};
}

/* Whether the end may connect; else why not. */
static bool may(struct fixture *fixture, struct end_spec spec, char problems[PROBLEMS_MAX])
{
    const struct consent_place *denied;
    const uint16_t port = spec.peer_port;
    *problems = '\0';
    assert_int_equal(consent_ask(fixture->consent, &spec, 1, &denied, NULL), 0);
    assert_int_equal(spec.peer_port, denied ? 0 : port);
    if (denied)
        consent_explain(fixture->consent, denied, problems);
    return !denied;
}

static void assert_denied(struct fixture *fixture, uint16_t port, const char *why)
{
    char problems[PROBLEMS_MAX];
    assert_false(may(fixture, end_to(port), problems));
    if (!strstr(problems, "no agent of this run listens there") || !strstr(problems, why))
        fail_msg("\"%s\" does not speak of \"%s\"", problems, why);
    assert_non_null(strstr(problems, "127.0.0.1 port "));
}

static void test_who_proves_it(void **state)
{
    struct fixture *fixture = *state;
    char problems[PROBLEMS_MAX];
    for (enum manner manner = PROVE; manner <= PROVE_IN_PIECES; manner++) {
        struct place place = {0};
        open_place(&place, manner);
        for (int i = 0; i < 3; i++)
            assert_true(may(fixture, end_to(place.port), problems));
        assert_int_equal(place.visits, 1);
        close_place(&place);
        assert_int_equal(place.heard, PROOF_SIZE);
    }
}

/* And is not asked again. */
static void test_who_does_not(void **state)
{
    static const char *const why[] = {
        [FOREIGN_KEY] = "the answer is not of this run",
        [ANOTHER_PORT] = "the answer is not of this run",
        [ECHO] = "the answer is not of this run",
        [CLOSE] = "what took the connection closed it",
    };
    struct fixture *fixture = *state;
    consent_be_frank(fixture->consent);
    for (enum manner manner = FOREIGN_KEY; manner <= CLOSE; manner++) {
        struct place place = {0};
        open_place(&place, manner);
        assert_denied(fixture, place.port, why[manner]);
        assert_denied(fixture, place.port, why[manner]);
        assert_int_equal(place.visits, 1);
        close_place(&place);
    }
}

static void test_nobody_there(void **state)
{
    struct fixture *fixture = *state;
    struct place place = {0};
    open_place(&place, CLOSE);
    close_place(&place);
    consent_be_frank(fixture->consent);
    assert_denied(fixture, place.port, "refused");
}

/* Who calls from elsewhere is not told whether a port is open. */
static void test_no_port_scanner(void **state)
{
    struct fixture *fixture = *state;
    char text[2][PROBLEMS_MAX];
    for (enum manner manner = FOREIGN_KEY; manner <= CLOSE; manner++) {
        struct place open = {0}, closed = {0};
        open_place(&open, manner);
        open_place(&closed, CLOSE);
        close_place(&closed);
        assert_false(may(fixture, end_to(open.port), text[0]));
        assert_false(may(fixture, end_to(closed.port), text[1]));
        for (int i = 0; i < 2; i++) {
            assert_memory_equal(text[i], "127.0.0.1 port ", 15);
            assert_non_null(strstr(text[i], "the log of this end's agent says"));
        }
        assert_string_equal(strstr(text[0], ": no agent of this run"),
                            strstr(text[1], ": no agent of this run"));
        close_place(&open);
    }
}

/* A way is the peer's address and port, and the own address. */
static void test_each_way_is_asked(void **state)
{
    struct fixture *fixture = *state;
    struct place place = {0};
    struct end_spec specs[ENDS];
    const struct consent_place *denied[ENDS];
    open_place(&place, PROVE);
    for (int i = 0; i < ENDS; i++) {
        specs[i] = end_to(place.port);
        snprintf(specs[i].local_address, ADDRESS_MAX, "127.0.0.%d", 1 + i % 4);
    }
    specs[0].end = END_DST;
    specs[1].peer_port = 0;
    assert_int_equal(consent_ask(fixture->consent, specs, ENDS, denied, NULL), 0);
    assert_int_equal(place.visits, 4);
    for (int i = 0; i < ENDS; i++)
        assert_null(denied[i]);
    close_place(&place);
}

/* An address that is not here: the engine has the word, and nothing was sent. */
static void test_no_way_from_here(void **state)
{
    struct fixture *fixture = *state;
    struct place place = {0};
    char problems[PROBLEMS_MAX];
    struct end_spec spec;
    open_place(&place, PROVE);
    spec = end_to(place.port);
    strcpy(spec.local_address, "192.0.2.77");
    assert_false(may(fixture, spec, problems));
    assert_non_null(strstr(problems, "could not be asked"));
    close_place(&place);
    assert_int_equal(place.visits, 0);
}

/* More than may fail, of which half are one caller's; then no more is asked, and told so. */
static void test_no_more_than_may_fail(void **state)
{
    struct fixture *fixture = *state;
    struct place place = {0};
    char problems[PROBLEMS_MAX];
    open_place(&place, CLOSE);
    for (int i = 1; i <= CONSENT_FAILURES_MAX / 2; i++) {
        struct end_spec spec = end_to(place.port);
        snprintf(spec.local_address, ADDRESS_MAX, "127.0.1.%d", i);
        assert_false(may(fixture, spec, problems));
    }
    assert_non_null(strstr(problems, "no agent of this run listens there"));
    assert_false(may(fixture, end_to(place.port), problems));
    assert_non_null(strstr(problems, "too many other places did not answer"));
    assert_int_equal(place.visits, CONSENT_FAILURES_MAX / 2);
    close_place(&place);
}

static void *cancel_soon(void *consent)
{
    poll(NULL, 0, 100);
    consent_cancel(consent);
    return NULL;
}

static void test_cancelled(void **state)
{
    struct fixture *fixture = *state;
    struct place place = {0};
    struct end_spec specs[ENDS];
    const struct consent_place *denied[ENDS];
    pthread_t thread;
    open_place(&place, SILENT);
    for (int i = 0; i < ENDS; i++) {
        specs[i] = end_to(place.port);
        snprintf(specs[i].local_address, ADDRESS_MAX, "127.0.1.%d", 1 + i);
    }
    const int64_t began = clock_now();
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, fixture->consent), 0);
    assert_int_equal(consent_ask(fixture->consent, specs, ENDS, denied, NULL), 0);
    assert_true(clock_now() - began < 3 * NS_PER_S);
    pthread_join(thread, NULL);
    for (int i = 0; i < ENDS; i++) {
        char problems[PROBLEMS_MAX] = "";
        assert_non_null(denied[i]);
        consent_explain(fixture->consent, denied[i], problems);
        assert_non_null(strstr(problems, "could not be asked"));
    }
    /* All tickets are back, and what was sent counts. */
    assert_int_equal(fixture->limit.next_failure, CONSENT_ASKED_MAX / 2);
    for (int i = 0; i < CONSENT_ASKED_MAX / 2; i++)
        assert_true(consent_limit_take(&fixture->limit, "uid 0", clock_now()) >= 0);
    close_place(&place);
}

/* Who asks next has nothing to do with whose caller went away. */
static void test_resumed(void **state)
{
    struct fixture *fixture = *state;
    struct place place = {0};
    char problems[PROBLEMS_MAX];
    open_place(&place, PROVE);
    consent_cancel(fixture->consent);
    assert_false(may(fixture, end_to(place.port), problems));
    consent_resume(fixture->consent);
    assert_true(may(fixture, end_to(place.port), problems));
    close_place(&place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_proves_it),     TEST(test_who_does_not),     TEST(test_nobody_there),
        TEST(test_each_way_is_asked), TEST(test_no_way_from_here), TEST(test_no_more_than_may_fail),
        TEST(test_cancelled),         TEST(test_resumed),          TEST(test_no_port_scanner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
