/* How much an agent may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "master/session.h"

#define T0   (100 * NS_PER_S)
#define TICK (250 * NS_PER_MS)

struct fixture {
    struct plan_host plan_hosts[2];
    struct plan_flow plan_flow; /* from A to B, from 1 s to 11 s */
    struct plan plan;
    struct master_agent agents[2];
    struct master_host hosts[2];
    struct master_flow flow;
    struct session session;
};

static void init(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    fixture->plan_flow =
        (struct plan_flow){.id = 7, .dst = 1, .start_ns = NS_PER_S, .duration_ns = 10 * NS_PER_S};
    fixture->plan.hosts = fixture->plan_hosts;
    fixture->plan.flows = &fixture->plan_flow;
    fixture->plan.flow_count = 1;
    fixture->plan.end_ns = 11 * NS_PER_S;
    fixture->session = (struct session){.plan = &fixture->plan,
                                        .agents = fixture->agents,
                                        .hosts = fixture->hosts,
                                        .flows = &fixture->flow,
                                        .t0_ns = T0};
    for (int i = 0; i < 2; i++) {
        fixture->agents[i].session = &fixture->session;
        fixture->agents[i].info.interval_ns = TICK;
        fixture->hosts[i].agent = &fixture->agents[i];
    }
}

/* B sends records of its end until one is refused, or there were `most`; how many were taken. */
static uint64_t send(struct fixture *fixture, const struct spool_head *head, size_t size,
                     int64_t axis_ns, uint64_t most, struct error *err)
{
    struct master_agent *agent = &fixture->agents[1];
    for (uint64_t count = 0; count < most; count++) {
        if (intake_admit(agent, head, size, T0 + axis_ns, err))
            return count;
        intake_count(agent, head, size);
    }
    return most;
}

static void test_what_is_due(void **state)
{
    (void)state;
    static const struct {
        int64_t start_ns, duration_ns, now_ns;
        uint64_t rate;
        int64_t per_ns;
        uint64_t due; /* beside the 16 */
    } rows[] = {
        {0, NS_PER_S, INT64_MIN, 1, NS_PER_S, 60},
        {NS_PER_S, 10 * NS_PER_S, 0, 1, TICK, 240},
        {NS_PER_S, 10 * NS_PER_S, 2 * NS_PER_S, 1, TICK, 244},
        {NS_PER_S, 10 * NS_PER_S, 11 * NS_PER_S, 1, TICK, 280},
        {NS_PER_S, 10 * NS_PER_S, INT64_MAX, 1, TICK, 280},
        {0, INT64_MAX, INT64_MAX, 1, NS_PER_S, 9223372096},
        {0, INT64_MAX, 0, 1000000, NS_PER_S, 60000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(intake_due(rows[i].start_ns, rows[i].duration_ns, rows[i].now_ns,
                                    rows[i].rate, rows[i].per_ns),
                         rows[i].due + 16);
}

static void test_samples(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    const struct spool_head head = {.kind = SPOOL_SAMPLES, .end = END_DST, .rows = 2};
    init(&fixture);
    assert_int_equal(send(&fixture, &head, 200, 0, 1000, &err), (240 + 16) / 2);
    assert_int_equal(err.code, ERROR_AGENT);
    assert_string_equal(err.what, "it sent more samples of flow 7, dst end, than the 256 that can "
                                  "be due");
    assert_int_equal(send(&fixture, &head, 200, 3 * NS_PER_S, 1000, &err), 8 / 2);
    assert_int_equal(send(&fixture, &head, 200, INT64_MAX / 2, 1000, &err), 32 / 2);
    assert_int_equal(fixture.flow.taken[END_SRC].rows, 0);
}

static void test_what_is_told_once(void **state)
{
    (void)state;
    static const enum spool_kind kinds[] = {SPOOL_READY, SPOOL_REPORT, SPOOL_CAPTURED};
    struct fixture fixture;
    struct error err = {0};
    init(&fixture);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct spool_head head = {.kind = kinds[i], .end = END_DST};
        assert_int_equal(send(&fixture, &head, 100, 0, 2, &err), 1);
    }
}

static void test_packets(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    const struct spool_head batch = {.kind = SPOOL_PACKETS, .end = END_DST, .rows = 4000};
    const struct spool_head report = {.kind = SPOOL_CAPTURED, .end = END_DST};
    init(&fixture);
    assert_int_equal(send(&fixture, &batch, 4000, NS_PER_S, 1, &err), 0); /* nobody asked */
    fixture.plan_flow.capture = CAPTURE_HEADERS;
    assert_int_equal(send(&fixture, &batch, 4000, NS_PER_S, 1000000, &err),
                     60 * INTAKE_PACKETS_RATE / 4000);
    assert_int_equal(send(&fixture, &batch, 4000, 2 * NS_PER_S, 10, &err), 10);
    assert_int_equal(send(&fixture, &report, 100, 2 * NS_PER_S, 1, &err), 1);
    assert_int_equal(send(&fixture, &batch, 4000, 2 * NS_PER_S, 1, &err), 0);
}

/* Small ones count, too; what the agent was told comes back. */
static void test_what_is_of_no_end(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error err = {0};
    const struct spool_head host = {.kind = SPOOL_HOST}, prepare = {.kind = SPOOL_PREPARE};
    const struct spool_head other = {.kind = SPOOL_OTHER};
    init(&fixture);
    const uint64_t empty = send(&fixture, &other, 0, 0, 10000000, &err);
    assert_in_range(empty, 100000, 300000);
    init(&fixture);
    fixture.agents[1].told_bytes = 40u << 20;
    assert_int_equal(send(&fixture, &prepare, 1u << 20, 0, 40, &err), 40);
    /* 20 rows a second, 4 in a record, of so many interfaces */
    const size_t most = 4 * 3000;
    assert_int_equal(send(&fixture, &host, most, 0, 300, &err), 300);
    assert_true(send(&fixture, &host, most, 0, 1000, &err) < 1000);
    assert_int_equal(err.code, ERROR_AGENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_due),       cmocka_unit_test(test_samples),
        cmocka_unit_test(test_what_is_told_once), cmocka_unit_test(test_packets),
        cmocka_unit_test(test_what_is_of_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
