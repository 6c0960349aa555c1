/* Machines that differ are told of once, in a list that stays short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "master/compare.h"

#define AGENTS 3

/* What the agents say of one setting; NULL: nothing, not even that it is unknown. */
struct row {
    const char *name;
    const char *values[AGENTS];
};

struct fixture {
    struct master_agent agents[AGENTS];
    struct session session;
};

static void init(struct fixture *fixture, const struct row *rows, size_t count)
{
    static const char *const names[AGENTS] = {"a", "b", "c"};
    *fixture = (struct fixture){0};
    fixture->session.agents = fixture->agents;
    fixture->session.agent_count = AGENTS;
    for (size_t i = 0; i < AGENTS; i++) {
        struct master_agent *agent = &fixture->agents[i];
        agent->session = &fixture->session;
        agent->mgmt = names[i];
        snprintf(agent->title, sizeof agent->title, "agent %s", names[i]);
        agent->end_count = 1;
        agent->peer = (struct rpc_peer *)agent; /* there is one */
        for (size_t r = 0; r < count; r++)
            if (rows[r].values[i])
                assert_int_equal(
                    machine_add_setting(&agent->info.about, rows[r].name, rows[r].values[i]), 0);
    }
}

static void fini(struct fixture *fixture)
{
    for (size_t i = 0; i < AGENTS; i++)
        run_agent_fini(&fixture->agents[i].info);
    run_info_fini(&fixture->session.run);
}

/* The number of warnings; the first is `text` unless that is NULL. */
static void expect(const struct row *rows, size_t count, size_t warnings, const char *text)
{
    struct fixture fixture;
    init(&fixture, rows, count);
    assert_int_equal(compare_machines(&fixture.session), warnings);
    assert_int_equal(fixture.session.run.warning_count, warnings);
    if (text)
        assert_string_equal(fixture.session.run.warnings[0], text);
    fini(&fixture);
}

static void test_one_setting(void **state)
{
    (void)state;
    static const struct {
        struct row row;
        const char *warning;
    } rows[] = {
        {{"cpu.model", {"x", "x", "x"}}, NULL},
        {{"cpu.model", {"x", "x", "y"}}, "cpu.model is \"x\" at agent a, but \"y\" at agent c"},
        /* not known to one, or not at all */
        {{"cpu.model", {"x", "", "x"}}, NULL},
        {{"cpu.model", {"", "x", "y"}}, "cpu.model is \"x\" at agent b, but \"y\" at agent c"},
        {{"interface2.mtu_bytes", {NULL, "1500", "9000"}},
         "interface2.mtu_bytes is \"1500\" at agent b, but \"9000\" at agent c"},
        /* of their own */
        {{"interface.name", {"t0", "t1", "t2"}}, NULL},
        {{"interface2.bus", {"1", "2", "3"}}, NULL},
        {{"net.ipv4.tcp_mem", {"1", "2", "3"}}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(&rows[i].row, 1, rows[i].warning ? 1 : 0, rows[i].warning);
}

static void test_nothing_is_said_twice(void **state)
{
    (void)state;
    static const struct row releases[] = {
        {"kernel.release", {"6.1", "6.18", "6.18"}},
        {"kernel.version", {"#1", "#2", "#2"}},
        {"interface.driver_version", {"6.1", "6.18", "6.18"}},
        {"cpu.online", {"0-1", "0-7", "0-7"}},
        {"cpu.count", {"2", "8", "8"}},
    };
    expect(releases, 5, 2, "kernel.release is \"6.1\" at agent a, but \"6.18\" at agent b");
    static const struct row builds[] = {
        {"kernel.release", {"6.18", "6.18", "6.18"}},
        {"kernel.version", {"#1", "#2", "#2"}},
        {"interface.driver_version", {"1.0", "1.1", "1.1"}},
    };
    expect(builds, 3, 2, "kernel.version is \"#1\" at agent a, but \"#2\" at agent b");
}

static void test_who_has_no_part_is_not_compared(void **state)
{
    (void)state;
    static const struct row row = {"cpu.model", {"y", "x", "x"}};
    struct fixture fixture;
    init(&fixture, &row, 1);
    fixture.agents[0].refused = true;
    assert_int_equal(compare_machines(&fixture.session), 0);
    fini(&fixture);
}

static void test_a_router_is_not_compared(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct row rows[] = {{"interface.qdisc", {"fq", "tbf", "fq"}}};
    init(&fixture, rows, 1);
    fixture.agents[1].end_count = 0;
    assert_int_equal(compare_machines(&fixture.session), 0);
    fini(&fixture);
}

/* Nor are there more warnings than anybody reads, or longer ones. */
static void test_many_are_counted(void **state)
{
    (void)state;
    struct fixture fixture;
    static char value[5000];
    memset(value, 'v', sizeof value - 1);
    init(&fixture, NULL, 0);
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "setting.%d", i);
        for (int a = 0; a < 2; a++)
            machine_add_setting(&fixture.agents[a].info.about, name, a ? "short" : value);
    }
    assert_int_equal(compare_machines(&fixture.session), 100);
    const struct run_info *run = &fixture.session.run;
    assert_int_equal(run->warning_count, 65);
    assert_true(strlen(run->warnings[0]) < 300);
    assert_string_equal(run->warnings[64], "36 more settings of the agents differ");
    fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_router_is_not_compared),
        cmocka_unit_test(test_one_setting),
        cmocka_unit_test(test_many_are_counted),
        cmocka_unit_test(test_nothing_is_said_twice),
        cmocka_unit_test(test_who_has_no_part_is_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
