/* What an agent answers is believed as far as it concerns its own flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "master/prepare.h"
#include "proto/agent.pb-c.h"

struct fixture {
    struct master_options options;
    struct plan_host plan_hosts[2];
    struct plan_flow plan_flows[2]; /* A to B, B to A */
    struct plan plan;
    struct master_agent agents[2];
    struct master_host hosts[2];
    struct master_flow flows[2];
    struct error_list problems;
    struct session session;
};

static void init(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    fixture->plan_flows[0].dst = 1;
    fixture->plan_flows[1].src = 1;
    fixture->plan.hosts = fixture->plan_hosts;
    fixture->plan.host_count = 2;
    fixture->plan.flows = fixture->plan_flows;
    fixture->plan.flow_count = 2;
    fixture->session = (struct session){
        .plan = &fixture->plan,
        .options = &fixture->options,
        .problems = &fixture->problems,
        .agents = fixture->agents,
        .agent_count = 2,
        .hosts = fixture->hosts,
        .flows = fixture->flows,
    };
    for (int i = 0; i < 2; i++) {
        fixture->agents[i].session = &fixture->session;
        fixture->agents[i].mgmt = i ? "b" : "a";
        fixture->hosts[i].agent = &fixture->agents[i];
    }
}

/* B's answer. */
static void answer(struct fixture *fixture, uint32_t flow, uint32_t end, uint32_t port,
                   const char *error)
{
    Tcpflowgen__EndReady ready = TCPFLOWGEN__END_READY__INIT;
    Tcpflowgen__EndReady *pointer = &ready;
    ready.flow = flow;
    ready.end = end;
    ready.port = port;
    ready.error = (char *)error;
    Tcpflowgen__PrepareReply reply = TCPFLOWGEN__PREPARE_REPLY__INIT;
    reply.ends = &pointer;
    reply.n_ends = 1;
    prepare_take(&fixture->agents[1], &reply.base);
}

static void test_its_own(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture);
    answer(&fixture, 0, END_DST, 4711, "");
    assert_int_equal(fixture.flows[0].port, 4711);
    answer(&fixture, 1, END_SRC, 0, "");
    assert_int_equal(fixture.problems.count, 0);
    answer(&fixture, 1, END_SRC, 0, "no such algorithm");
    assert_int_equal(fixture.problems.count, 1);
    assert_true(fixture.flows[1].refused);
    assert_false(fixture.flows[0].refused);
    assert_false(fixture.agents[1].refused);
    error_list_fini(&fixture.problems);
}

static void test_what_it_must_not_say(void **state)
{
    (void)state;
    static const struct {
        uint32_t flow, end, port;
        const char *error;
    } rows[] = {
        {1, END_DST, 4711, ""},    /* A's port */
        {0, END_SRC, 0, "broken"}, /* of A's end */
        {2, END_DST, 4711, ""},    /* no such flow */
        {0, 2, 4711, ""},          /* no such end */
        {0, END_DST, 0, ""},       /* no port */
        {0, END_DST, 65536, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture fixture;
        init(&fixture);
        answer(&fixture, rows[i].flow, rows[i].end, rows[i].port, rows[i].error);
        assert_int_equal(fixture.flows[0].port, 0);
        assert_int_equal(fixture.flows[1].port, 0);
        assert_int_equal(fixture.problems.count, 1);
        assert_true(fixture.agents[1].refused);
        assert_false(fixture.agents[0].refused);
        error_list_fini(&fixture.problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_own),
        cmocka_unit_test(test_what_it_must_not_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
