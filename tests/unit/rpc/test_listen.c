#include "pair.h"

#include <stdio.h>
#include <string.h>

static void serve_clock(struct rpc_call *call, const ProtobufCMessage *request, void *ctx)
{
    Tcpflowgen__ClockReply reply = TCPFLOWGEN__CLOCK_REPLY__INIT;
    (void)request;
    (void)ctx;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static int second_server(struct pair *pair, const char *host, uint16_t port, struct error *err)
{
    struct pair second = *pair;
    int failed = server_at(&second, host, port, err);
    if (!failed)
        rpc_server_destroy(second.server, 0);
    return failed;
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct pair pair;
    struct error err = {0};
    char where[64];
    pair_init(&pair, serve_clock, NULL);
    snprintf(where, sizeof where, "127.0.0.1:%u", pair.port);
    assert_int_equal(second_server(&pair, "127.0.0.1", pair.port, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, where);
    assert_non_null(strstr(err.what, "in use"));
    assert_string_not_equal(err.cure, "");
    assert_int_equal(second_server(&pair, "", pair.port, &err), ERROR_SYSTEM);
    assert_non_null(strstr(err.what, "in use"));
    assert_int_equal(pair_clock(&pair).code, RPC_OK); /* the first one does not suffer */
    pair_fini(&pair);
}

static void test_address_not_here(void **state)
{
    (void)state;
    struct pair pair;
    struct error err = {0};
    pair_init(&pair, serve_clock, NULL);
    assert_int_equal(second_server(&pair, "192.0.2.1", 0, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, "192.0.2.1:0");
    assert_non_null(strstr(err.what, "assign"));
    pair_fini(&pair);
}

static void test_name_that_does_not_resolve(void **state)
{
    (void)state;
    struct pair pair;
    struct error err = {0};
    char name[80] = {0};
    memset(name, 'a', sizeof name - 1);
    pair_init(&pair, serve_clock, NULL);
    assert_int_equal(second_server(&pair, name, 0, &err), ERROR_SYSTEM);
    assert_non_null(strstr(err.what, "cannot resolve"));
    pair_fini(&pair);
}

static void test_the_same_port_again(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, serve_clock, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pair_clock(&pair).code, RPC_OK);
        rpc_peer_destroy(pair.peer);
        rpc_server_destroy(pair.server, 0);
        assert_int_equal(server_at(&pair, "127.0.0.1", pair.port, NULL), 0);
        assert_int_equal(peer_at(&pair.peer, pair.loop, "127.0.0.1", pair.port, NULL), 0);
    }
    pair_fini(&pair);
}

/* Moves the pair's server to listen, and calls it at `to`. */
static int call_at(const char *listen, const char *to)
{
    struct pair pair;
    struct error err = {0};
    pair_init(&pair, serve_clock, NULL);
    rpc_peer_destroy(pair.peer);
    rpc_server_destroy(pair.server, 0);
    pair.server = NULL;
    pair.peer = NULL;
    int failed = server_at(&pair, listen, 0, &err);
    if (!failed && peer_at(&pair.peer, pair.loop, to, pair.port, &err) == 0)
        failed = pair_clock(&pair).code;
    pair_fini(&pair);
    return failed;
}

static bool has_ipv6(void)
{
    return call_at("::1", "::1") == 0;
}

static void test_localhost(void **state)
{
    (void)state;
    assert_int_equal(call_at("localhost", "localhost"), RPC_OK);
    assert_int_equal(call_at("127.0.0.1", "localhost"), RPC_OK);
    assert_int_equal(call_at("localhost", "127.0.0.1"), RPC_OK);
}

static void test_every_address(void **state)
{
    (void)state;
    assert_int_equal(call_at("", "127.0.0.1"), RPC_OK);
    assert_int_equal(call_at("", "127.0.0.3"), RPC_OK);
    assert_int_equal(call_at("", "localhost"), RPC_OK);
    if (has_ipv6())
        assert_int_equal(call_at("", "::1"), RPC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_address_not_here),
        cmocka_unit_test(test_name_that_does_not_resolve),
        cmocka_unit_test(test_the_same_port_again),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_every_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
