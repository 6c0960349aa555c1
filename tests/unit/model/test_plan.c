#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/plan.h"
#include "util/clock.h"

/* A scenario of hosts "h0", "h1", ... and flows 0, 1, ... from h0 to the last host, 1 s each. */
static struct scenario *make(size_t hosts, size_t flows)
{
    struct scenario *s = calloc(1, sizeof *s);
    char name[32] = "h0";

    s->hosts = calloc(hosts + 1, sizeof *s->hosts);
    s->flows = calloc(flows + 1, sizeof *s->flows);
    s->host_count = hosts;
    s->flow_count = flows;
    for (size_t i = 0; i < hosts; i++) {
        snprintf(name, sizeof name, "h%zu", i);
        s->hosts[i].name = strdup(name);
        s->hosts[i].mgmt = strdup("localhost:8840");
        s->hosts[i].host = strdup("localhost");
    }
    for (size_t i = 0; i < flows; i++) {
        struct scenario_flow *flow = &s->flows[i];
        flow->place = i;
        flow->id = (int32_t)i;
        flow->has_id = flow->has_duration = true;
        flow->duration_ns = NS_PER_S;
        flow->src = strdup("h0");
        flow->dst = strdup(name);
    }
    return s;
}

static void rename_text(char **text, const char *to)
{
    free(*text);
    *text = to ? strdup(to) : NULL;
}

/* Builds a plan that must fail with one problem, of this place and text. */
static void assert_one_problem(struct scenario *s, const char *where, const char *what)
{
    struct error_list errors = {0};

    assert_null(plan_build(s, &errors));
    assert_int_equal(errors.count, 1);
    assert_int_equal(errors.items[0].code, ERROR_INPUT);
    assert_string_equal(errors.items[0].where, where);
    assert_non_null(strstr(errors.items[0].what, what));
    assert_true(errors.items[0].cure[0]);
    error_list_fini(&errors);
}

static void resolves_names_and_copies_the_rest(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make(3, 2);

    (void)state;
    s->label = strdup("a label");
    s->text = strdup("{}");
    s->interval_ns = 5;
    s->read_size = 6;
    s->write_size = 7;
    rename_text(&s->hosts[1].bind, "any");
    rename_text(&s->hosts[2].device, "eth1");
    s->flows[1].start_ns = 3 * NS_PER_S;
    s->flows[1].ecn = true;
    s->flows[1].tuning = (struct tuning){1, 2, 3, 4, 5, 6};
    s->flows[1].connect = CONNECT_AT_START;
    s->flows[1].finish = FINISH_ABORT;
    rename_text(&s->flows[1].src, "h1");
    rename_text(&s->flows[1].ccalg, "cubic");
    rename_text(&s->flows[1].label, "a flow's");

    struct plan *plan = plan_build(s, &errors);
    assert_non_null(plan);
    assert_string_equal(plan->label, "a label");
    assert_string_equal(plan->scenario_text, "{}");
    assert_int_equal(plan->interval_ns, 5);
    assert_int_equal(plan->read_size, 6);
    assert_int_equal(plan->write_size, 7);
    assert_int_equal(plan->end_ns, 4 * NS_PER_S);
    assert_int_equal(plan->host_count, 3);
    assert_string_equal(plan->hosts[1].bind, "any");
    assert_string_equal(plan->hosts[1].device, "");
    assert_string_equal(plan->hosts[2].bind, "");
    assert_string_equal(plan->hosts[2].device, "eth1");
    assert_int_equal(plan->flows[0].src, 0);
    assert_int_equal(plan->flows[0].dst, 2);
    assert_string_equal(plan->flows[0].ccalg, "");
    assert_int_equal(plan->flows[1].src, 1);
    assert_int_equal(plan->flows[1].start_ns, 3 * NS_PER_S);
    assert_string_equal(plan->flows[1].ccalg, "cubic");
    assert_true(plan->flows[1].ecn);
    assert_false(plan->flows[1].nodelay);
    assert_int_equal(plan->flows[1].tuning.send_rate, 1);
    assert_int_equal(plan->flows[1].tuning.mss, 6);
    assert_int_equal(plan->flows[1].connect, CONNECT_AT_START);
    assert_int_equal(plan->flows[1].finish, FINISH_ABORT);
    assert_string_equal(plan->flows[0].label, "");
    assert_string_equal(plan->flows[1].label, "a flow's");
    plan_free(plan);
}

static void a_flow_may_stay_on_its_host(void **state)
{
    struct error_list errors = {0};
    struct plan *plan = plan_build(make(1, 1), &errors);

    (void)state;
    assert_non_null(plan);
    assert_int_equal(plan->flows[0].src, plan->flows[0].dst);
    plan_free(plan);
    plan_free(NULL);
}

static void a_missing_host_is_told_with_those_there_are(void **state)
{
    struct scenario *s = make(2, 2);

    (void)state;
    rename_text(&s->flows[1].dst, "H1");
    assert_one_problem(s, "flows[1].dst", "\"H1\" is not a host; the hosts are h0, h1");
    s = make(9, 1);
    rename_text(&s->flows[0].src, "x");
    assert_one_problem(s, "flows[0].src", "the hosts are h0, h1, h2, h3, h4 and 4 more");
}

static void an_id_twice_is_told_with_the_first_flow_that_has_it(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make(1, 4);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        s->flows[i].place = i + 10;
    s->flows[1].id = s->flows[2].id = s->flows[3].id = INT32_MIN;
    assert_null(plan_build(s, &errors));
    assert_int_equal(errors.count, 2);
    assert_string_equal(errors.items[0].where, "flows[12].id");
    assert_string_equal(errors.items[0].what, "-2147483648 is already the id of flows[11]");
    assert_string_equal(errors.items[1].where, "flows[13].id");
    assert_string_equal(errors.items[1].what, "-2147483648 is already the id of flows[11]");
    error_list_fini(&errors);
}

static void a_flow_ends_within_366_days(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make(1, 1);

    (void)state;
    s->flows[0].start_ns = SCENARIO_TIME_MAX - NS_PER_S;
    struct plan *plan = plan_build(s, &errors);
    assert_non_null(plan);
    assert_int_equal(plan->end_ns, SCENARIO_TIME_MAX);
    plan_free(plan);

    s = make(1, 1);
    s->flows[0].start_ns = SCENARIO_TIME_MAX - NS_PER_S + 1;
    assert_one_problem(s, "flows[0].duration", "366 days");
}

static void a_run_is_held_to_max_duration(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make(1, 3);

    (void)state;
    s->max_duration_ns = 10 * NS_PER_S;
    s->flows[1].start_ns = 9 * NS_PER_S;
    struct plan *plan = plan_build(s, &errors);
    assert_non_null(plan);
    assert_int_equal(plan->end_ns, 10 * NS_PER_S);
    plan_free(plan);

    s = make(1, 3);
    s->max_duration_ns = 10 * NS_PER_S;
    s->flows[0].start_ns = 10 * NS_PER_S;
    s->flows[1].start_ns = 9 * NS_PER_S + 1;
    s->flows[2].place = 7;
    s->flows[2].duration_ns = 60 * NS_PER_S; /* the last alone is told */
    assert_one_problem(s, "flows[7].duration", "the run would last 1m0s, more than 10s");
}

static void an_empty_scenario_is_an_error(void **state)
{
    (void)state;
    assert_one_problem(make(1, 0), "flows", "no flow");
    assert_one_problem(make(0, 1), "hosts", "no host");
}

static void what_the_reader_reported_is_not_told_again(void **state)
{
    struct error_list errors = {0};
    struct error first = {0};
    struct scenario *s = make(1, 3);

    (void)state;
    error_set(&first, ERROR_INPUT, "somewhere", "something");
    error_list_add(&errors, &first);
    s->flows[0].has_id = s->flows[1].has_id = false;
    s->flows[0].id = s->flows[1].id = s->flows[2].id;
    s->flows[0].has_duration = false;
    s->flows[0].start_ns = SCENARIO_TIME_MAX;
    rename_text(&s->flows[0].src, NULL);
    rename_text(&s->flows[2].src, "none");
    s->bad_hosts = true;
    assert_null(plan_build(s, &errors));
    assert_int_equal(errors.count, 1);
    error_list_fini(&errors);

    errors = (struct error_list){0};
    error_list_add(&errors, &first);
    s = make(0, 0);
    s->bad_hosts = s->bad_flows = true;
    assert_null(plan_build(s, &errors));
    assert_int_equal(errors.count, 1);
    error_list_fini(&errors);
}

/* Flows of 1, 2, ... Mbit/s, all at once. */
static struct scenario *make_rates(size_t flows, uint64_t max_rate)
{
    struct scenario *s = make(1, flows);

    s->max_rate = max_rate;
    for (size_t i = 0; i < flows; i++)
        s->flows[i].tuning.send_rate = (i + 1) * 1000000;
    return s;
}

static void flows_together_are_held_to_max_rate(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make_rates(3, 6000000);

    (void)state;
    struct plan *plan = plan_build(s, &errors);
    assert_non_null(plan); /* 1 + 2 + 3 are 6 */
    plan_free(plan);
    s = make_rates(3, 5999999);
    assert_one_problem(s, "flows[2].start",
                       "from 0s on flows may send 6Mbit/s together, more than 5999.999kbit/s");

    /* One after the other; then one a ns too early, which is the moment that is told. */
    s = make_rates(3, 3000000);
    s->flows[1].start_ns = NS_PER_S;
    s->flows[0].start_ns = s->flows[1].start_ns + s->flows[1].duration_ns;
    s->flows[0].tuning.pacing_rate = 50; /* the lesser one counts */
    plan = plan_build(s, &errors);
    assert_non_null(plan);
    plan_free(plan);
    s = make_rates(3, 3000000);
    s->flows[1].start_ns = NS_PER_S - 1;
    s->flows[0].start_ns = 5 * NS_PER_S;
    assert_one_problem(s, "flows[1].start", "from 999.999999ms on flows may send 5Mbit/s");
}

static void with_max_rate_every_flow_has_a_limit(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make_rates(3, 100000000);

    (void)state;
    s->flows[1].tuning.send_rate = 0;
    assert_one_problem(s, "max_rate", "flows[1] has neither send_rate nor pacing_rate");
    s = make_rates(3, 100000000);
    s->flows[1].tuning = (struct tuning){.pacing_rate = 5000, .read_rate = 1};
    struct plan *plan = plan_build(s, &errors);
    assert_non_null(plan);
    plan_free(plan);
    s = make_rates(9, 100000000);
    for (size_t i = 2; i < 9; i++)
        s->flows[i].tuning.send_rate = 0;
    assert_one_problem(s, "max_rate",
                       "flows[2], flows[3], flows[4], flows[5], flows[6] and 2 more have neither");
    s = make(1, 2); /* no guard */
    plan = plan_build(s, &errors);
    assert_non_null(plan);
    plan_free(plan);
}

static void finds_every_name_among_many(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make(1000, 10000);
    char name[32];

    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "h%zu", i % 1000);
        rename_text(&s->flows[i].src, name);
        s->flows[i].id = 5000 - (int32_t)i;
    }
    struct plan *plan = plan_build(s, &errors);
    assert_non_null(plan);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(plan->flows[i].src, i % 1000);
    plan_free(plan);
}

static void the_list_of_problems_has_an_end(void **state)
{
    struct error_list errors = {0};
    struct scenario *s = make(1, SCENARIO_ERRORS_MAX + 50);

    (void)state;
    for (size_t i = 0; i < s->flow_count; i++)
        rename_text(&s->flows[i].dst, "none");
    assert_null(plan_build(s, &errors));
    assert_int_equal(errors.count, SCENARIO_ERRORS_MAX + 1);
    assert_non_null(strstr(errors.items[SCENARIO_ERRORS_MAX].what, "more problems"));
    error_list_fini(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolves_names_and_copies_the_rest),
        cmocka_unit_test(a_flow_may_stay_on_its_host),
        cmocka_unit_test(a_missing_host_is_told_with_those_there_are),
        cmocka_unit_test(an_id_twice_is_told_with_the_first_flow_that_has_it),
        cmocka_unit_test(a_flow_ends_within_366_days),
        cmocka_unit_test(a_run_is_held_to_max_duration),
        cmocka_unit_test(an_empty_scenario_is_an_error),
        cmocka_unit_test(what_the_reader_reported_is_not_told_again),
        cmocka_unit_test(flows_together_are_held_to_max_rate),
        cmocka_unit_test(with_max_rate_every_flow_has_a_limit),
        cmocka_unit_test(finds_every_name_among_many),
        cmocka_unit_test(the_list_of_problems_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
