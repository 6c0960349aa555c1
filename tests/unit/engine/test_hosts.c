/* Addresses and routes of network namespaces made for each case. */
#include "netns.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "engine/hosts.h"
#include "util/address.h"

static const char *find(void *unused, const char *host, struct addrinfo **out)
{
    (void)unused;
    const int status = host_lookup(host, 0, out);
    return status ? gai_strerror(status) : NULL;
}

static int resolve(const char *host, const char *bind, const char *device,
                   struct host_address out[HOST_ADDRESSES_MAX], struct error *err)
{
    return host_resolve(host, bind, device, find, NULL, out, err);
}

static void run(const char *command)
{
    assert_int_equal(system(command), 0);
}

/* m0 and t0 in one subnet, m0 first in the routing table; t1 in a subnet of its own. */
static void make_network(void)
{
    netns_enter();
    run("ip link add m0 type veth peer name m0far && ip link add t0 type veth peer name t0far && "
        "ip link add t1 type veth peer name t1far");
    run("for i in m0 m0far t0 t0far t1 t1far; do ip link set $i up || exit 1; done");
    run("ip addr add 10.1.0.10/24 dev m0 && ip addr add 10.1.0.11/24 dev t0 && "
        "ip addr add 10.2.0.11/24 dev t1");
}

static void test_loopback(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    netns_enter();

    assert_int_equal(resolve("127.0.0.1", "", "", out, &err), 1);
    assert_string_equal(out[0].address, "127.0.0.1");
    assert_string_equal(out[0].bind, "127.0.0.1");
    assert_string_equal(out[0].interface, "lo");
    assert_int_equal(resolve("127.5.6.7", "", "lo", out, &err), 1);
    assert_string_equal(out[0].bind, "127.5.6.7");
    assert_string_equal(out[0].interface, "lo");
    assert_in_range(resolve("localhost", "", "", out, &err), 1, 2);
}

static void test_ipv6_loopback(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    char device[DEVICE_MAX];
    netns_enter();
    if (system("ip -6 addr show dev lo | grep -q ::1") != 0) {
        print_message("needs IPv6\n");
        skip();
    }
    assert_int_equal(resolve("::1", "", "", out, &err), 1);
    assert_string_equal(out[0].bind, "::1");
    assert_string_equal(out[0].interface, "lo");
    assert_int_equal(route_check("::1", "::1", "", device, &err), 0);
    assert_string_equal(device, "lo");

    /* Families do not mix. */
    assert_int_equal(resolve("127.0.0.1", "::1", "", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "family"));
    assert_int_equal(route_check("127.0.0.1", "::1", "", device, &err), ERROR_AGENT);

    /* Where the address is gone, a name that has it is not usable by it. */
    run("ip addr del ::1/128 dev lo");
    assert_int_equal(resolve("::1", "", "", out, &err), ERROR_AGENT);
    assert_int_equal(resolve("::1", "any", "", out, &err), ERROR_AGENT);
}

static void test_foreign_address_names_the_cures(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    make_network();

    assert_int_equal(resolve("10.0.0.5", "", "", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "10.0.0.5 is not an address of this machine (it has "));
    assert_non_null(strstr(err.what, "10.1.0.11"));
    assert_non_null(strstr(err.cure, "\"bind\": \"any\""));

    assert_int_equal(resolve("10.0.0.5", "10.0.0.6", "", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "10.0.0.6 is not an address of this machine"));
    assert_int_equal(resolve("10.0.0.5", "t0", "", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "not a numeric address"));
}

static void test_bind(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    make_network();

    assert_int_equal(resolve("10.0.0.5", "any", "", out, &err), 1);
    assert_string_equal(out[0].address, "10.0.0.5");
    assert_string_equal(out[0].bind, "");
    assert_string_equal(out[0].interface, "");
    assert_int_equal(resolve("10.0.0.5", "10.1.0.11", "t0", out, &err), 1);
    assert_string_equal(out[0].address, "10.0.0.5");
    assert_string_equal(out[0].bind, "10.1.0.11");
    assert_string_equal(out[0].interface, "t0");
    assert_int_equal(resolve("10.1.0.10", "", "t0", out, &err), 1);
    assert_string_equal(out[0].interface, "m0");
}

static void test_input_that_is_no_host(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();

    assert_int_equal(resolve("no-such-host.invalid", "", "", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "no-such-host.invalid"));
    assert_int_equal(resolve("", "", "", out, &err), ERROR_AGENT);
    assert_int_equal(resolve("0.0.0.0", "", "", out, &err), ERROR_AGENT);
    assert_int_equal(resolve("::", "any", "", out, &err), ERROR_AGENT);
    assert_int_equal(resolve("127.0.0.1", "", "t9", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "no interface \"t9\" (it has lo, "));
    assert_int_equal(route_check("10.1.0.11", "localhost", "", device, &err), ERROR_AGENT);
    assert_int_equal(route_check("10.1.0.99", "10.1.0.12", "", device, &err), ERROR_AGENT);
    assert_int_equal(route_check("10.1.0.11", "10.1.0.12", "t9", device, &err), ERROR_AGENT);
}

static void test_two_interfaces_in_one_subnet(void **state)
{
    (void)state;
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();

    assert_int_equal(route_check("10.1.0.11", "10.1.0.12", "", device, &err), ERROR_AGENT);
    assert_string_equal(err.what, "packets from 10.1.0.11 to 10.1.0.12 would leave by m0, "
                                  "but 10.1.0.11 belongs to t0");
    assert_non_null(strstr(err.cure, "\"device\": \"t0\""));
    assert_int_equal(route_check("10.1.0.11", "10.1.0.12", "t0", device, &err), 0);
    assert_string_equal(device, "t0");
    assert_int_equal(route_check("10.1.0.10", "10.1.0.12", "", device, &err), 0);
    assert_string_equal(device, "m0");
    assert_int_equal(route_check("10.2.0.11", "10.2.0.12", "", device, &err), 0);
    assert_string_equal(device, "t1");

    /* The same address at both interfaces: either is fine. */
    run("ip addr add 10.1.0.11/32 dev m0");
    assert_int_equal(route_check("10.1.0.11", "10.1.0.12", "", device, &err), 0);
    assert_string_equal(device, "m0");
}

static void test_routes_on_this_machine(void **state)
{
    (void)state;
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();

    assert_int_equal(route_check("127.0.0.1", "127.0.0.2", "", device, &err), 0);
    assert_string_equal(device, "lo");
    assert_int_equal(route_check("10.1.0.10", "10.2.0.11", "", device, &err), 0);
    assert_string_equal(device, "lo");
    /* Not bound: nothing is checked. */
    assert_int_equal(route_check("", "10.2.0.12", "", device, &err), 0);
    assert_string_equal(device, "t1");
    assert_int_equal(route_check("", "10.9.0.1", "", device, &err), 0);
    assert_string_equal(device, "");
}

static void test_no_route(void **state)
{
    (void)state;
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();

    assert_int_equal(route_check("10.1.0.11", "10.9.0.1", "", device, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "no route from 10.1.0.11 to 10.9.0.1"));
    run("ip route add prohibit 10.8.0.0/24");
    assert_int_equal(route_check("10.1.0.11", "10.8.0.1", "", device, &err), ERROR_AGENT);
    assert_int_equal(route_check("10.1.0.11", "10.1.0.255", "", device, &err), ERROR_AGENT);

    /* localhost on one machine, a true address on the other. */
    assert_int_equal(route_check("127.0.0.1", "10.2.0.12", "", device, &err), ERROR_AGENT);
}

static void test_address_on_lo(void **state)
{
    (void)state;
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();

    run("ip addr add 10.7.0.1/32 dev lo");
    assert_int_equal(route_check("10.7.0.1", "10.2.0.12", "", device, &err), ERROR_AGENT);
    assert_non_null(strstr(err.cure, "\"device\": \"t1\""));
    assert_int_equal(route_check("10.7.0.1", "10.2.0.12", "t1", device, &err), 0);
}

static void test_ipv6_routes(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();
    if (system("ip addr add fd01::10/64 dev m0 nodad 2>/dev/null") != 0) {
        print_message("needs IPv6\n");
        skip();
    }
    run("ip addr add fd01::11/64 dev t0 nodad && ip addr add fd02::11/64 dev t1 nodad && "
        "ip addr add fe80::77/64 dev t1 nodad");
    /* The kernel puts routes of IPv6 addresses up a little later. */
    run("for address in fd01::10 fd01::11 fd02::11 fe80::77; do for i in $(seq 100); do "
        "ip -6 route show table local | grep -q $address && break; sleep 0.05; done; done");

    assert_int_equal(route_check("fd01::11", "fd01::12", "", device, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "would leave by m0, but fd01::11 belongs to t0"));
    assert_int_equal(route_check("fd01::11", "fd01::12", "t0", device, &err), 0);
    assert_string_equal(device, "t0");
    assert_int_equal(route_check("fd02::11", "fd02::12", "", device, &err), 0);
    assert_string_equal(device, "t1");
    assert_int_equal(route_check("fd01::10", "fd02::11", "", device, &err), 0);
    assert_string_equal(device, "lo");
    assert_int_equal(route_check("fd01::10", "fd09::1", "", device, &err), ERROR_AGENT);

    assert_int_equal(resolve("fe80::77", "", "", out, &err), 1);
    assert_string_equal(out[0].bind, "fe80::77%t1");
    assert_string_equal(out[0].address, "fe80::77"); /* others have an interface of their own */
    assert_int_equal(resolve("fe80::77%t0", "", "", out, &err), ERROR_AGENT);
    assert_int_equal(route_check("fe80::77%t1", "fe80::78%t1", "", device, &err), 0);
    assert_string_equal(device, "t1");
}

static unsigned scope_of(const char *peer, const char *local, const char *device)
{
    struct socket_address address;
    assert_int_equal(socket_address_parse(peer, 1, &address, NULL), 0);
    host_scope_peer(&address, local, device);
    return ((const struct sockaddr_in6 *)&address.storage)->sin6_scope_id;
}

/* A peer's has no scope: this machine's own interface is it. */
static void test_link_local(void **state)
{
    (void)state;
    struct host_address out[HOST_ADDRESSES_MAX];
    struct error err = {0};
    char device[DEVICE_MAX];
    make_network();
    if (system("ip addr add fe80::77/64 dev t0 nodad 2>/dev/null") != 0) {
        print_message("needs IPv6\n");
        skip();
    }
    run("ip addr add fe80::77/64 dev t1 nodad && ip addr add fe80::66/64 dev t1 nodad && "
        "ip addr add fd02::11/64 dev t1 nodad");
    run("for address in fd02::11 fe80::66; do for i in $(seq 100); do "
        "ip -6 route show table local | grep -q $address && break; sleep 0.05; done; done");

    assert_int_equal(resolve("fe80::66", "", "", out, &err), 1);
    assert_string_equal(out[0].bind, "fe80::66%t1");
    assert_int_equal(resolve("fe80::77", "", "", out, &err), ERROR_AGENT);
    assert_string_equal(err.what, "fe80::77 is an address of several interfaces (t0, t1)");
    assert_string_equal(err.cure,
                        "say which one is meant, as in \"fe80::77%t1\", or with \"device\"");
    assert_int_equal(resolve("10.2.0.11", "fe80::77", "", out, &err), ERROR_AGENT);
    assert_string_equal(err.where, "bind");
    assert_int_equal(resolve("fe80::77", "", "t1", out, &err), 1);
    assert_string_equal(out[0].bind, "fe80::77%t1");
    assert_int_equal(resolve("fe80::77", "", "m0", out, &err), ERROR_AGENT);
    assert_int_equal(resolve("fe80::77%t0", "", "", out, &err), 1);
    assert_string_equal(out[0].bind, "fe80::77%t0");
    assert_string_equal(out[0].address, "fe80::77");
    assert_int_equal(resolve("fe80::77%eth9", "", "", out, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "this machine has no interface \"eth9\""));

    assert_int_equal(route_check("fe80::77%t1", "fe80::78", "", device, &err), 0);
    assert_string_equal(device, "t1");
    assert_int_equal(scope_of("fe80::78", "fe80::77%t1", ""), if_nametoindex("t1"));
    assert_int_equal(route_check("fd02::11", "fe80::78", "", device, &err), 0);
    assert_string_equal(device, "t1");
    assert_int_equal(scope_of("fe80::78", "fd02::11", ""), if_nametoindex("t1"));
    assert_int_equal(route_check("", "fe80::78", "t0", device, &err), 0);
    assert_int_equal(scope_of("fe80::78", "", "t0"), if_nametoindex("t0"));
    assert_int_equal(scope_of("fe80::78%m0", "fe80::77%t1", ""), if_nametoindex("m0"));
    assert_int_equal(scope_of("fd02::12", "fd02::11", ""), 0);
    assert_int_equal(route_check("", "fe80::78", "", device, &err), ERROR_AGENT);
    assert_non_null(strstr(err.what, "nothing says by which interface"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_ipv6_loopback),
        cmocka_unit_test(test_foreign_address_names_the_cures),
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_input_that_is_no_host),
        cmocka_unit_test(test_two_interfaces_in_one_subnet),
        cmocka_unit_test(test_routes_on_this_machine),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_address_on_lo),
        cmocka_unit_test(test_ipv6_routes),
        cmocka_unit_test(test_link_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
