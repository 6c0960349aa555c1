/* Flows that are named by their listener's port alone. */
#include <errno.h>
#include <netinet/in.h>
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

static struct end_spec flow(uint32_t index)
{
    struct end_spec spec = rig_flow(index);
    spec.no_token = true;
    memset(spec.token, 0, sizeof spec.token);
    return spec;
}

static struct end_spec from_anywhere(const struct end_spec *src)
{
    struct end_spec spec = rig_peer_of(src);
    spec.peer_address[0] = spec.local_address[0] = '\0';
    return spec;
}

static void run_to_the_end(struct rig *rig, unsigned flows)
{
    rig_start(rig, 20 * NS_PER_MS);
    rig_wait_reports(rig, 2 * flows);
    rig_close(rig);
}

/* Connects from a loopback address.  The socket, or -1 with errno. */
static int visit(const char *from, uint16_t port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (strcmp(from, "127.0.0.1") != 0)
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    const int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

static void test_each_has_a_port(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    uint16_t port[4];
    for (uint32_t i = 0; i < 4; i++) {
        struct end_spec spec = flow(i);
        spec.connect = i % 2 ? CONNECT_AT_START : CONNECT_AHEAD;
        rig_prepare_flow(rig, rig, &spec);
        port[i] = spec.peer_port;
        for (uint32_t before = 0; before < i; before++)
            assert_int_not_equal(port[before], port[i]);
    }
    run_to_the_end(rig, 4);
    for (uint32_t i = 0; i < 4; i++) {
        rig_check_complete(rig, rig, i);
        assert_int_equal(rig_report(rig, i, END_SRC)->preamble_bytes, 0);
        assert_int_equal(rig_report(rig, i, END_DST)->local_port, port[i]);
    }
    rig_free(rig);
}

static void test_beside_flows_with_tokens(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec named = rig_flow(0), bare = flow(2), other = rig_flow(4);
    rig_prepare_flow(rig, rig, &named);
    rig_prepare_flow(rig, rig, &bare);
    rig_prepare_flow(rig, rig, &other);
    assert_int_equal(named.peer_port, other.peer_port);
    assert_int_not_equal(named.peer_port, bare.peer_port);
    run_to_the_end(rig, 3);
    for (uint32_t i = 0; i <= 4; i += 2)
        rig_check_complete(rig, rig, i);
    rig_free(rig);
}

/* Bound to nothing, it takes connections of either family. */
static void test_from_anywhere(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    struct rig *rig = rig_open(NULL);
    for (uint32_t i = 0; i < 2; i++) {
        struct end_spec src = flow(i);
        const struct end_spec dst = from_anywhere(&src);
        snprintf(src.local_address, sizeof src.local_address, "%s", loopback[i]);
        snprintf(src.peer_address, sizeof src.peer_address, "%s", loopback[i]);
        src.peer_port = rig_prepare(rig, &dst);
        rig_prepare(rig, &src);
    }
    run_to_the_end(rig, 2);
    for (uint32_t i = 0; i < 2; i++) {
        rig_check_complete(rig, rig, i);
        assert_string_equal(rig_report(rig, i, END_DST)->peer_address, loopback[i]);
    }
    rig_free(rig);
}

/* The second to come finds nobody, and the flow of the first goes on. */
static void test_one_connection_only(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = flow(0);
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    assert_int_equal(visit("127.0.0.1", spec.peer_port), -1);
    assert_int_equal(errno, ECONNREFUSED);
    run_to_the_end(rig, 1);
    rig_check_complete(rig, rig, 0);
    rig_free(rig);
}

/* Who comes from another address than the one that was named is sent away, and does no harm. */
static void test_another_address_is_sent_away(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec src = flow(0);
    const struct end_spec dst = rig_peer_of(&src);
    src.peer_port = rig_prepare(rig, &dst);
    const int stranger = visit("127.0.0.2", src.peer_port);
    char byte;
    assert_true(stranger >= 0);
    assert_int_equal(recv(stranger, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(stranger);
    rig_prepare(rig, &src);
    run_to_the_end(rig, 1);
    rig_check_complete(rig, rig, 0);
    rig_free(rig);
}

/* Nobody has come yet, or it is too late. */
static void test_stop(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = flow(0);
    const struct end_spec dst = from_anywhere(&spec);
    const uint16_t port = rig_prepare(rig, &dst);
    engine_stop(rig->engine);
    rig_wait_reports(rig, 1);
    char byte;
    const int late = visit("127.0.0.1", port);
    if (late >= 0) {
        assert_true(recv(late, &byte, 1, 0) <= 0);
        close(late);
    }
    rig_close(rig);
    assert_int_equal(rig_report(rig, 0, END_DST)->status, END_STOPPED);
    rig_free(rig);
}

static void test_refused(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = flow(0);
    spec.peer_port = 9;
    spec.peer_address[0] = '\0';
    rig_refused(rig, &spec, "no address of the other end");
    spec = rig_flow(0);
    spec = from_anywhere(&spec);
    rig_refused(rig, &spec, "no address of the other end");
    spec = flow(0);
    spec = from_anywhere(&spec);
    rig_prepare(rig, &spec);
    rig_refused(rig, &spec, "prepared already");
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_a_port),
        cmocka_unit_test(test_beside_flows_with_tokens),
        cmocka_unit_test(test_from_anywhere),
        cmocka_unit_test(test_one_connection_only),
        cmocka_unit_test(test_another_address_is_sent_away),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
