/* What is said of how a clock was compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "master/clock_points.h"
#include "master/clock_probe.h"
#include "util/clock.h"

/* The agent's clock is ahead by a second. */
static void exchange(struct master_agent *agent, int64_t at_ns, enum clock_method method)
{
    const int64_t wide_ns = method == CLOCK_RPC ? 100000 : 1000;
    const struct clock_exchange one = {.t1 = at_ns,
                                       .t2 = at_ns + NS_PER_S + wide_ns / 2,
                                       .t3 = at_ns + NS_PER_S + wide_ns / 2,
                                       .t4 = at_ns + wide_ns,
                                       .method = method};
    clock_points_add(agent, &one, 1);
}

static void test_the_method_where_datagrams_were_given_up(void **state)
{
    static struct session session;
    static struct master_agent agent = {.session = &session, .title = "B (agent b:1)"};
    (void)state;
    for (int64_t at = 0; at < 10; at++)
        exchange(&agent, at * NS_PER_S, CLOCK_UDP_KERNEL);
    agent.clock.probe = PROBE_READY;
    assert_int_equal(clock_points_fit(&agent).method, CLOCK_UDP_KERNEL);
    clock_probe_off(&agent, "nothing came back");
    clock_probe_warn(&session);
    for (int64_t at = 10; at < 20; at++)
        exchange(&agent, at * NS_PER_S, CLOCK_RPC);
    assert_int_equal(clock_points_fit(&agent).method, CLOCK_RPC);
    assert_int_equal(session.run.warning_count, 1);
    assert_string_equal(session.run.warnings[0],
                        "B (agent b:1): its clock is compared by calls alone from now on, which is "
                        "less exact: nothing came back");
    run_info_fini(&session.run);
}

/* Agents without an address that datagrams reach: told once, and what would help. */
static void test_agents_that_cannot_be_probed(void **state)
{
    static struct master_host hosts[2];
    static struct plan_host plan_hosts[2];
    static struct plan plan = {.hosts = plan_hosts, .host_count = 2};
    static struct master_agent agents[2] = {{.title = "A (agent unix:/a)"},
                                            {.title = "B (agent unix:/b)"}};
    struct master_options options = {.clock_on_test = false};
    struct session session = {.hosts = hosts, .plan = &plan, .options = &options};
    (void)state;
    for (int i = 0; i < 2; i++) {
        agents[i].session = &session;
        strcpy(agents[i].endpoint.path, "/a");
        strcpy(agents[i].boot, "elsewhere");
        hosts[i].agent = &agents[i];
        hosts[i].choice_count = 1;
        strcpy(hosts[i].choices[0].address, "fe80::1");
        clock_probe_open(&agents[i]);
    }
    clock_probe_warn(&session);
    assert_int_equal(session.run.warning_count, 1);
    assert_string_equal(session.run.warnings[0],
                        "A (agent unix:/a), B (agent unix:/b): its clock is compared by calls "
                        "alone, which is less exact: its Unix socket has no address "
                        "(--clock-network test compares over the test network, where this machine "
                        "reaches it)");
    options.clock_on_test = true;
    clock_probe_open(&agents[0]);
    clock_probe_warn(&session);
    assert_int_equal(session.run.warning_count, 2);
    assert_non_null(strstr(session.run.warnings[1], "its test address is not known, or link-local "
                                                    "(--clock-network mgmt "));
    run_info_fini(&session.run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_method_where_datagrams_were_given_up),
        cmocka_unit_test(test_agents_that_cannot_be_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
