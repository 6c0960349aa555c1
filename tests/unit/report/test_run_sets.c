/* Which runs are of one condition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/run_sets.h"

#define TEXT(text) ((char[]){text})
#define RUNS       5

struct machine_of {
    struct machine_setting settings[4];
    struct run_agent agent;
    struct run_host host;
};

struct fixture {
    struct machine_of machines[RUNS];
    struct run_summary runs[RUNS];
    struct summary summary;
};

/* Runs of one host, A, all alike. */
static int setup(void **state)
{
    static struct fixture fixture;
    static char old[] = "old", braces[] = "{}", name[] = "A";
    fixture = (struct fixture){.summary = {.runs = fixture.runs, .run_count = RUNS}};
    for (size_t r = 0; r < RUNS; r++) {
        struct machine_of *machine = &fixture.machines[r];
        static char names[][48] = {"kernel.release", "net.ipv4.tcp_mem", "interface.mtu_bytes",
                                   "net.ipv4.tcp_allowed_congestion_control"};
        static char values[][8] = {"6.1", "1 2 3", "1500", "reno"};
        for (size_t i = 0; i < 4; i++)
            machine->settings[i] = (struct machine_setting){names[i], values[i]};
        machine->agent.about = (struct machine){.settings = machine->settings, .setting_count = 4};
        machine->host.name = name;
        fixture.runs[r] = (struct run_summary){.has_run = true,
                                               .run = {.label = old,
                                                       .scenario = braces,
                                                       .hosts = &machine->host,
                                                       .host_count = 1,
                                                       .agents = &machine->agent,
                                                       .agent_count = 1}};
    }
    *state = &fixture;
    return 0;
}

static void assert_sets(struct fixture *fixture, const size_t sets[RUNS])
{
    run_sets_find(&fixture->summary);
    for (size_t r = 0; r < RUNS; r++)
        assert_int_equal(fixture->runs[r].set, sets[r]);
}

static void assert_difference(const struct fixture *fixture, size_t set, const char *wanted)
{
    char *text = run_sets_difference(&fixture->summary, set);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_runs_that_are_alike(void **state)
{
    struct fixture *fixture = *state;
    fixture->machines[1].settings[1].value = TEXT("4 5 6"); /* goes by the memory there is */
    fixture->machines[2].settings[3].value = TEXT("reno bbr");
    fixture->machines[3].settings[0].value = TEXT(""); /* not known */
    fixture->runs[4] = (struct run_summary){0};        /* the earlier program's */
    assert_sets(fixture, (const size_t[RUNS]){0, 0, 0, 0, 0});
    assert_int_equal(fixture->summary.set_count, 1);
}

static void test_what_makes_a_set(void **state)
{
    struct fixture *fixture = *state;
    fixture->runs[1].run.label = TEXT("new");
    fixture->machines[2].settings[0].value = TEXT("6.12");
    fixture->machines[2].settings[2].value = TEXT("9000");
    fixture->runs[3].run.label = TEXT("new");
    fixture->runs[4].run.scenario = TEXT("{ }");
    fixture->runs[4].warmup_ns = 1000000000;
    assert_sets(fixture, (const size_t[RUNS]){0, 1, 2, 1, 3});
    assert_int_equal(fixture->summary.set_count, 4);
    assert_difference(fixture, 1, "label (\"old\", here \"new\")");
    assert_difference(fixture, 2,
                      "kernel.release of A (\"6.1\", here \"6.12\"), interface.mtu_bytes of A "
                      "(\"1500\", here \"9000\")");
    assert_difference(fixture, 3, "scenario, warm-up (\"0s\", here \"1s\")");
    char *runs = run_sets_runs(&fixture->summary, 1);
    assert_string_equal(runs, "runs 2, 4");
    free(runs);
}

static void test_runs_in_a_row(void **state)
{
    char one[] = "a.pb", other[] = "b.pb";
    struct fixture *fixture = *state;
    fixture->runs[3].run.label = TEXT("new");
    assert_sets(fixture, (const size_t[RUNS]){0, 0, 0, 1, 0});
    char *runs = run_sets_runs(&fixture->summary, 0);
    assert_string_equal(runs, "runs 1 to 3, 5");
    free(runs);
    for (size_t r = 0; r < RUNS; r++)
        fixture->runs[r].file = r < 2 ? one : other;
    runs = run_sets_runs(&fixture->summary, 0);
    assert_string_equal(runs, "runs 1 to 2 (a.pb), 3 (b.pb), 5 (b.pb)");
    free(runs);
    runs = run_sets_runs(&fixture->summary, 1);
    assert_string_equal(runs, "run 4 (b.pb)");
    free(runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_runs_that_are_alike, setup),
        cmocka_unit_test_setup(test_what_makes_a_set, setup),
        cmocka_unit_test_setup(test_runs_in_a_row, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
