#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/socket_owner.h"

#define STRANGER 54321

union address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

struct bed {
    struct socket_owners *owners;
    int listener, client, server; /* -1: none */
    union address at;
    socklen_t size;
};

static void begin(struct bed *bed, int family)
{
    *bed = (struct bed){.client = -1, .server = -1};
    assert_int_equal(socket_owners_open(&bed->owners), 0);
    bed->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bed->at.any.sa_family = (sa_family_t)family;
    bed->size = family == AF_INET ? sizeof bed->at.in4 : sizeof bed->at.in6;
    if (family == AF_INET)
        bed->at.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        bed->at.in6.sin6_addr = in6addr_loopback;
    if (bed->listener < 0 || bind(bed->listener, &bed->at.any, bed->size))
        skip();
    assert_int_equal(listen(bed->listener, 8), 0);
    assert_int_equal(getsockname(bed->listener, &bed->at.any, &bed->size), 0);
}

static void join(struct bed *bed)
{
    bed->client = socket(bed->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(bed->client, &bed->at.any, bed->size), 0);
}

static void end(struct bed *bed)
{
    const int fds[] = {bed->listener, bed->client, bed->server};
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    socket_owners_close(bed->owners);
}

static void both_ends(int family)
{
    struct bed bed;
    uid_t uid = STRANGER;
    begin(&bed, family);
    join(&bed);
    assert_int_equal(socket_owner_of_listener(bed.owners, bed.client, &uid), 0);
    assert_int_equal(uid, geteuid());
    /* Nobody has accepted it. */
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.client, &uid), -ENOENT);
    bed.server = accept(bed.listener, NULL, NULL);
    uid = STRANGER;
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.client, &uid), 0);
    assert_int_equal(uid, geteuid());
    uid = STRANGER;
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.server, &uid), 0);
    assert_int_equal(uid, geteuid());
    close(bed.listener);
    bed.listener = -1;
    assert_int_equal(socket_owner_of_listener(bed.owners, bed.client, &uid), -ENOENT);
    end(&bed);
}

static void test_ipv4(void **state)
{
    (void)state;
    both_ends(AF_INET);
}

static void test_ipv6(void **state)
{
    (void)state;
    both_ends(AF_INET6);
}

static void test_ipv4_to_a_socket_of_ipv6(void **state)
{
    (void)state;
    struct bed bed;
    uid_t uid = STRANGER;
    begin(&bed, AF_INET6);
    close(bed.listener);
    bed.at.in6.sin6_addr = in6addr_any;
    bed.listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bed.listener, &bed.at.any, bed.size), 0);
    assert_int_equal(listen(bed.listener, 8), 0);
    bed.at = (union address){.in4 = {AF_INET, bed.at.in6.sin6_port, {htonl(INADDR_LOOPBACK)}, {0}}};
    bed.size = sizeof bed.at.in4;
    join(&bed);
    bed.server = accept(bed.listener, NULL, NULL);
    assert_int_equal(socket_owner_of_listener(bed.owners, bed.client, &uid), 0);
    assert_int_equal(uid, geteuid());
    uid = STRANGER;
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.server, &uid), 0);
    assert_int_equal(uid, geteuid());
    end(&bed);
}

static void test_another_user(void **state)
{
    (void)state;
    struct bed bed;
    uid_t uid = 0;
    if (geteuid() != 0)
        skip();
    begin(&bed, AF_INET);
    setfsuid(STRANGER);
    join(&bed);
    setfsuid(0);
    bed.server = accept(bed.listener, NULL, NULL);
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.server, &uid), 0);
    assert_int_equal(uid, STRANGER);
    end(&bed);
}

/* The kernel says root of a socket that nobody holds any more. */
static void test_a_peer_that_left_is_nobody(void **state)
{
    (void)state;
    struct bed bed;
    uid_t uid = STRANGER;
    begin(&bed, AF_INET);
    join(&bed);
    close(bed.client);
    bed.client = -1;
    bed.server = accept(bed.listener, NULL, NULL);
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.server, &uid), -ENOENT);
    assert_int_equal(uid, STRANGER);
    end(&bed);
}

/* One that has said all that it has to say holds its socket, but is not connected both ways. */
static void test_a_peer_that_is_half_closed(void **state)
{
    (void)state;
    struct bed bed;
    uid_t uid;
    begin(&bed, AF_INET);
    join(&bed);
    bed.server = accept(bed.listener, NULL, NULL);
    shutdown(bed.client, SHUT_WR);
    assert_int_equal(socket_owner_of_peer(bed.owners, bed.server, &uid), -ENOENT);
    end(&bed);
}

static void test_unix(void **state)
{
    (void)state;
    int fds[2];
    uid_t uid = STRANGER;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(socket_owner_of_unix_peer(fds[0], &uid), 0);
    assert_int_equal(uid, geteuid());
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_ipv4_to_a_socket_of_ipv6),
        cmocka_unit_test(test_another_user),
        cmocka_unit_test(test_a_peer_that_left_is_nobody),
        cmocka_unit_test(test_a_peer_that_is_half_closed),
        cmocka_unit_test(test_unix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
