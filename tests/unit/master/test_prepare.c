/* What an agent answers is believed as far as it concerns its own flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
        snprintf(fixture->agents[i].title, 32, "B (agent %s)", fixture->agents[i].mgmt);
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
    reply.interval_ns = INTERVAL_NS;
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

static void test_nothing_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture);
    answer(&fixture, 0, END_DST, 4711, "");
    answer(&fixture, 0, END_DST, 4712, "");
    assert_int_equal(fixture.flows[0].port, 4711);
    assert_int_equal(fixture.problems.count, 1);
    assert_true(fixture.agents[1].refused);
    error_list_fini(&fixture.problems);
}

static void test_intervals(void **state)
{
    (void)state;
    static const struct {
        int64_t asked, told;
        bool taken;
    } rows[] = {
        {0, INTERVAL_NS, true},
        {0, INTERVAL_MIN_NS, true},
        {0, INTERVAL_MAX_NS, true},
        {0, INTERVAL_MIN_NS - 1, false},
        {0, 0, false},
        {0, INTERVAL_MAX_NS + 1, false},
        {0, INT64_MIN, false},
        {INTERVAL_NS, INTERVAL_NS, true},
        {INTERVAL_NS, INTERVAL_MIN_NS, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture fixture;
        init(&fixture);
        fixture.plan.interval_ns = rows[i].asked;
        Tcpflowgen__PrepareReply reply = TCPFLOWGEN__PREPARE_REPLY__INIT;
        reply.interval_ns = rows[i].told;
        prepare_take(&fixture.agents[1], &reply.base);
        assert_int_equal(fixture.agents[1].refused, !rows[i].taken);
        error_list_fini(&fixture.problems);
    }
}

/* Of an answer without end. */
static void test_lines_are_bounded(void **state)
{
    (void)state;
    static char lines[1 << 20];
    struct fixture fixture;
    init(&fixture);
    memset(lines, '\n', sizeof lines - 1);
    memcpy(lines, "one\ntwo", 7);
    answer(&fixture, 0, END_DST, 0, lines);
    assert_int_equal(fixture.problems.count, 16);
    assert_string_equal(fixture.problems.items[1].what, "B (agent b): two");
    error_list_fini(&fixture.problems);
}

/* B's kernel remembers so many peers, of which every other matters. */
static void remember(struct fixture *fixture, size_t count, bool flushed)
{
    Tcpflowgen__CachedMetrics metrics[4], *pointers[4];
    static const char *const peers[] = {"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"};
    for (size_t i = 0; i < count; i++) {
        tcpflowgen__cached_metrics__init(&metrics[i]);
        metrics[i].peer = (char *)peers[i];
        metrics[i].reordering = 30;
        metrics[i].matters = i % 2 == 1;
        pointers[i] = &metrics[i];
    }
    Tcpflowgen__PrepareReply reply = TCPFLOWGEN__PREPARE_REPLY__INIT;
    reply.interval_ns = INTERVAL_NS;
    reply.metrics = pointers;
    reply.n_metrics = count;
    reply.metrics_flushed = flushed;
    prepare_take(&fixture->agents[1], &reply.base);
}

static void test_what_a_kernel_remembers(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        bool flushed;
        const char *warning; /* a part of the only one; NULL: there is none */
    } rows[] = {
        {1, false, NULL},
        {2, false, "B (agent b) remembers its peer 10.0.0.1 (reordering 30, ssthresh 0) from"},
        {4, false, "10.0.0.1 (reordering 30, ssthresh 0) and 1 more like it from"},
        {4, true, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture fixture;
        init(&fixture);
        remember(&fixture, rows[i].count, rows[i].flushed);
        remember(&fixture, rows[i].count, rows[i].flushed); /* the next piece: nothing new */
        const struct run_info *run = &fixture.session.run;
        assert_int_equal(fixture.agents[1].info.about.metrics_count, rows[i].count);
        assert_int_equal(fixture.agents[1].info.about.metrics_flushed, rows[i].flushed);
        assert_int_equal(run->warning_count, rows[i].warning ? 1 : 0);
        if (rows[i].warning)
            assert_non_null(strstr(run->warnings[0], rows[i].warning));
        run_agent_fini(&fixture.agents[1].info);
        run_info_fini(&fixture.session.run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_own),           cmocka_unit_test(test_what_it_must_not_say),
        cmocka_unit_test(test_nothing_twice),     cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_lines_are_bounded), cmocka_unit_test(test_what_a_kernel_remembers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
