/* What goes wrong: specs that cannot run, peers that are gone, silent, hostile or slow. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listener of the test's own; *port gets its port. */
static int listen_plainly(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 10), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int connect_plainly(uint16_t port)
{
    const struct sockaddr_in address = loopback(port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Whether the peer closes within that time. */
static bool is_closed(int fd, int timeout_ms)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&pollfd, 1, timeout_ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void assert_speaks_of(const struct end_report *report, const char *part)
{
    if (!strstr(report->error, part))
        fail_msg("\"%s\" does not speak of \"%s\"", report->error, part);
}

static void test_specs_that_cannot_run(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.peer_port = 9;
    snprintf(spec.ccalg, sizeof spec.ccalg, "nosuch");
    rig_refused(rig, &spec, "nosuch");

    spec = rig_flow(0);
    spec.end = END_DST;
    snprintf(spec.local_address, sizeof spec.local_address, "192.0.2.1");
    rig_refused(rig, &spec, "192.0.2.1");
    snprintf(spec.local_address, sizeof spec.local_address, "::1");
    rig_refused(rig, &spec, "family");
    snprintf(spec.local_address, sizeof spec.local_address, "host.example");
    rig_refused(rig, &spec, "numeric");

    spec = rig_flow(0);
    spec.peer_port = 9;
    spec.duration_ns = 0;
    rig_refused(rig, &spec, "duration");
    spec = rig_flow(0);
    spec.peer_port = 9;
    snprintf(spec.device, sizeof spec.device, "nosuch0");
    rig_refused(rig, &spec, "nosuch0");
    assert_int_equal(engine_totals(rig->engine).ends, 0);
    rig_free(rig);
}

/* All that is wrong with an end is told at once, and what follows from it is not. */
static void test_every_problem(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    struct end_ready answer;
    spec.peer_port = 9;
    snprintf(spec.ccalg, sizeof spec.ccalg, "nosuch");
    snprintf(spec.local_address, sizeof spec.local_address, "192.0.2.1");
    spec.tuning.mss = 1;
    assert_int_equal(engine_prepare(rig->engine, &spec, 1, &answer, NULL), 0);
    assert_false(answer.runs);
    const char *line = answer.error;
    static const char *const parts[] = {"192.0.2.1", "nosuch", "an mss of 1"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_non_null(line);
        const char *end = strchr(line, '\n'), *found = strstr(line, parts[i]);
        assert_true(found && (!end || found < end));
        line = end ? end + 1 : NULL;
    }
    assert_null(line);
    rig_free(rig);
}

/* Its peer cannot run, so it has no port to connect to. */
static void test_source_that_is_only_checked(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    struct end_ready answer;
    assert_int_equal(engine_prepare(rig->engine, &spec, 1, &answer, NULL), 0);
    assert_string_equal(answer.error, "");
    assert_false(answer.runs);
    snprintf(spec.ccalg, sizeof spec.ccalg, "nosuch");
    rig_refused(rig, &spec, "nosuch");
    assert_int_equal(engine_totals(rig->engine).ends, 0);
    rig_free(rig);
}

static void test_duplicates(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec dst = rig_flow(0);
    dst = rig_peer_of(&dst);
    rig_prepare(rig, &dst);
    rig_refused(rig, &dst, "already");
    dst.flow = 2; /* of the same worker */
    rig_refused(rig, &dst, "token");
    rig_free(rig);
}

/* Each is told what all need: a port for those before, and one for each segment size. */
static void refuse_all_for_ports(struct rig *rig)
{
    struct end_spec specs[3];
    struct end_ready answers[3];
    struct error err = {0};
    for (uint32_t i = 0; i < 3; i++) {
        specs[i] = rig_flow(i + 1);
        specs[i] = rig_peer_of(&specs[i]);
        specs[i].tuning.mss = 1000 + i / 2;
    }
    assert_int_equal(engine_prepare(rig->engine, specs, 3, answers, &err), 0);
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(answers[i].error, " are 1 port, and the flows need 3 on "));
}

/* A range of one port makes one worker; then that port is taken by somebody else. */
static void test_data_ports(void **state)
{
    (void)state;
    struct engine_options options = rig_options();
    uint16_t port;
    int fd = listen_plainly(&port);
    options.port_first = options.port_last = port;
    struct rig *rig = rig_open(&options);
    struct end_spec src = rig_flow(0), dst = rig_peer_of(&src);
    rig_refused(rig, &dst, "data ports");
    refuse_all_for_ports(rig);
    close(fd);
    assert_int_equal(rig_prepare(rig, &dst), port);
    src = rig_flow(1);
    dst = rig_peer_of(&src);
    assert_int_equal(rig_prepare(rig, &dst), port);
    rig_free(rig);
}

static void test_options_that_are_refused(void **state)
{
    (void)state;
    struct engine *engine;
    struct error err = {0};
    struct engine_options options = rig_options();
    options.interval_ns = INTERVAL_MIN_NS - 1;
    assert_int_equal(engine_create(&engine, &options, &err), ERROR_SYSTEM);
    options = rig_options();
    options.port_first = 10;
    options.port_last = 9;
    assert_int_equal(engine_create(&engine, &options, &err), ERROR_SYSTEM);
}

static void test_refused_connect(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    close(listen_plainly(&spec.peer_port));
    rig_prepare(rig, &spec);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_SRC);
    assert_int_equal(report->status, END_FAILED);
    assert_speaks_of(report, "127.0.0.1");
    assert_speaks_of(report, "refused");
    rig_free(rig);
}

/* t0 lies 5 s back, so that the limit of the accepting end is near. */
static void test_nobody_comes(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec = rig_peer_of(&spec);
    rig_prepare(rig, &spec);
    rig_start(rig, -4900 * NS_PER_MS);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_DST);
    assert_int_equal(report->status, END_FAILED);
    assert_speaks_of(report, "no connection arrived");
    rig_free(rig);
}

static void test_comes_from_elsewhere(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec src = rig_flow(0), dst = rig_peer_of(&src);
    strcpy(dst.peer_address, "127.0.0.9");
    src.peer_port = rig_prepare(rig, &dst);
    rig_prepare(rig, &src);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_DST);
    assert_int_equal(report->status, END_FAILED);
    assert_speaks_of(report, "came from 127.0.0.1, not from 127.0.0.9");
    assert_speaks_of(report, "\"host\": \"127.0.0.1\", \"bind\": \"any\"");
    rig_free(rig);
}

/* The handshake is never finished: the listener's backlog is full. */
static void test_no_answer(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    const int fd = listen_plainly(&spec.peer_port);
    assert_int_equal(listen(fd, 0), 0);
    const int first = connect_plainly(spec.peer_port);
    rig_prepare(rig, &spec);
    rig_start(rig, -4900 * NS_PER_MS);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_SRC);
    assert_int_equal(report->status, END_FAILED);
    assert_speaks_of(report, "no answer from 127.0.0.1");
    close(first);
    close(fd);
    rig_free(rig);
}

static void test_peer_that_is_killed(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct rig *rig[2] = {rig_open(NULL), rig_open(NULL)};
        struct end_spec spec = rig_flow(0);
        spec.duration_ns = 60 * NS_PER_S;
        rig_prepare_flow(rig[END_SRC], rig[END_DST], &spec);
        rig_start(rig[0], 0);
        rig_start(rig[1], 0);
        rig_sleep_ms(50);
        rig_close(rig[killed]);
        rig_wait_reports(rig[!killed], 1);
        rig_close(rig[!killed]);
        const struct end_report *report = rig_report(rig[!killed], 0, (enum flow_end) !killed);
        assert_int_equal(report->status, END_FAILED);
        assert_speaks_of(report, "reset by the peer after");
        assert_int_not_equal(report->payload_bytes, 0);
        rig_free(rig[0]);
        rig_free(rig[1]);
    }
}

/* As the kernel does it for a process that was killed: a FIN, long before the scheduled end. */
static void test_peer_that_closes_early(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec src = rig_flow(0), dst = rig_peer_of(&src);
    dst.duration_ns = 60 * NS_PER_S;
    const int fd = connect_plainly(rig_prepare(rig, &dst));
    assert_int_equal(send(fd, dst.token, TOKEN_SIZE, 0), TOKEN_SIZE);
    rig_wait_ready(rig, 1);
    rig_start(rig, 0);
    assert_int_equal(send(fd, "payload", 7, 0), 7);
    close(fd);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_DST);
    assert_int_equal(report->status, END_FAILED);
    assert_string_equal(report->error, "connection closed by the peer after 7 bytes");
    assert_int_equal(report->payload_bytes, 7);
    rig_free(rig);
}

/* Connected, but never reads: the source gives up after the drain limit. */
static void test_peer_that_never_reads(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    const int fd = listen_plainly(&spec.peer_port);
    const int little = 1; /* the least there is: a starved source must fill it, too */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    rig_prepare(rig, &spec);
    rig_start(rig, 0);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_SRC);
    assert_int_equal(report->status, END_CUT);
    assert_speaks_of(report, "not acknowledged");
    assert_true(report->payload_bytes_stop < report->payload_bytes);
    assert_true(report->at[T_CLOSED] >= report->at[T_STOP] + DRAIN_NS);
    close(fd);
    rig_free(rig);
}

/* A flow runs undisturbed while strangers come: some silent, some with garbage, some with half a
 * token, one with a token that was claimed.  All are sent away. */
static void test_strangers(void **state)
{
    (void)state;
    enum { SILENT = 100 };
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 300 * NS_PER_MS;
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    rig_start(rig, 0);
    int silent[SILENT];
    for (int i = 0; i < SILENT; i++)
        silent[i] = connect_plainly(spec.peer_port);
    /* There are fewer places than that: the first had to go. */
    assert_true(is_closed(silent[0], 2000));
    assert_false(is_closed(silent[SILENT - 1], 0));

    const int garbage = connect_plainly(spec.peer_port);
    assert_int_equal(send(garbage, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    assert_true(is_closed(garbage, 2000));
    const int claimed = connect_plainly(spec.peer_port);
    assert_int_equal(send(claimed, spec.token, TOKEN_SIZE, 0), TOKEN_SIZE);
    assert_true(is_closed(claimed, 2000));
    const int half = connect_plainly(spec.peer_port);
    assert_int_equal(send(half, spec.token, 8, 0), 8);
    assert_false(is_closed(half, 100));

    rig_wait_reports(rig, 2);
    assert_true(is_closed(silent[SILENT - 1], 8000));
    assert_true(is_closed(half, 2000));
    rig_close(rig);
    rig_check_complete(rig, rig, 0);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    close(garbage);
    close(claimed);
    close(half);
    rig_free(rig);
}

/* The token in pieces is a token; payload right behind it stays payload. */
static void test_token_in_pieces(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec src = rig_flow(0), dst = rig_peer_of(&src);
    const int fd = connect_plainly(rig_prepare(rig, &dst));
    assert_int_equal(send(fd, dst.token, 5, 0), 5);
    rig_sleep_ms(20);
    uint8_t rest[TOKEN_SIZE - 5 + 3] = {0};
    memcpy(rest, dst.token + 5, TOKEN_SIZE - 5);
    assert_int_equal(send(fd, rest, sizeof rest, 0), sizeof rest);
    rig_wait_ready(rig, 1);
    rig_start(rig, -50 * NS_PER_MS); /* its scheduled end is near */
    shutdown(fd, SHUT_WR);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_DST);
    assert_int_equal(report->status, END_COMPLETE);
    assert_int_equal(report->payload_bytes, 3);
    close(fd);
    rig_free(rig);
}

static void test_token_from_elsewhere(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec src = rig_flow(0), dst = rig_peer_of(&src);
    snprintf(dst.peer_address, sizeof dst.peer_address, "127.0.0.2");
    const int fd = connect_plainly(rig_prepare(rig, &dst));
    assert_int_equal(send(fd, dst.token, TOKEN_SIZE, 0), TOKEN_SIZE);
    rig_wait_reports(rig, 1);
    rig_close(rig);
    const struct end_report *report = rig_report(rig, 0, END_DST);
    assert_int_equal(report->status, END_FAILED);
    assert_speaks_of(report, "127.0.0.2");
    close(fd);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_specs_that_cannot_run),
        cmocka_unit_test(test_every_problem),
        cmocka_unit_test(test_source_that_is_only_checked),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_data_ports),
        cmocka_unit_test(test_options_that_are_refused),
        cmocka_unit_test(test_refused_connect),
        cmocka_unit_test(test_nobody_comes),
        cmocka_unit_test(test_comes_from_elsewhere),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_peer_that_is_killed),
        cmocka_unit_test(test_peer_that_closes_early),
        cmocka_unit_test(test_peer_that_never_reads),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_token_in_pieces),
        cmocka_unit_test(test_token_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
