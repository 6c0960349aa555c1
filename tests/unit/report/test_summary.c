#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "format/results_writer.h"
#include "report/summary.h"

#define TEXT(text) ((char[]){text}) /* the model owns its texts, so they are not const */
#define MS         INT64_C(1000000)

static struct run_host hosts[] = {
    {.name = TEXT("A"), .agent = 0},
    {.name = TEXT("B"), .agent = 0},
    {.name = TEXT("C"), .agent = 1},
};
static struct run_agent agents[] = {
    {.mgmt = TEXT("10.0.0.1:8840"),
     .hostname = TEXT("one"),
     .clock = {.error_ns = 12300, .rate = 2e-6, .exchanges = 8}},
    {.mgmt = TEXT("10.0.0.2:8840"),
     .hostname = TEXT("two"),
     .clock = {.error_ns = 45600, .exchanges = 8},
     .lost = TEXT("it fell silent")},
};
static char *warnings[] = {TEXT("mind \x1b[31mthe gap")};
static const struct run_info run = {
    .id = TEXT("0123"),
    .label = TEXT("first"),
    .started_unix_ns = 5,
    .hosts = hosts,
    .host_count = 3,
    .agents = agents,
    .agent_count = 2,
    .warnings = warnings,
    .warning_count = 1,
};

/* Rows of one end, four columns of which matter here. */
struct sample_row {
    int64_t t_ns, bytes, rtt, total_retrans;
};

struct made_flow {
    struct flow_result result;
    struct sample_row rows[2][8];
    size_t count[2];
    size_t repeat; /* times that the src's rows come again, past the first, with equal values */
    bool given[2];
    struct series series;
};

static int give(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    (void)err;
    struct made_flow *flow = arg;
    struct series *series = &flow->series;
    size_t extra = end == END_SRC ? flow->repeat : 0, count = flow->count[end];
    if (flow->given[end] || count == 0)
        return 0;
    flow->given[end] = true;
    assert_int_equal(series_reserve(series, count + extra), 0);
    for (size_t i = 0; i < count + extra; i++) {
        const struct sample_row *row = &flow->rows[end][i < count ? i : count - 1];
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            series->field[f][i] = 0;
        for (size_t w = 0; w < TCP_CC_WORDS; w++)
            series->cc[w][i] = 0;
        series->tick[i] = (int64_t)i;
        series->t_ns[i] = row->t_ns;
        series->field[end == END_SRC ? TCP_bytes_acked : TCP_bytes_received][i] = row->bytes;
        series->field[TCP_rtt][i] = row->rtt;
        series->field[TCP_min_rtt][i] = row->rtt ? row->rtt - 1 : UINT32_MAX;
        series->field[TCP_total_retrans][i] = row->total_retrans;
    }
    series->count = count + extra;
    series->info_length = TCP_INFO_SIZE;
    *piece = series;
    return 1;
}

/* A flow that moved 1 MB/s from its first byte on, 2.0 s to 3.0 s, and drained a little. */
static const struct made_flow good = {
    .result =
        {.id = 1,
         .src = "A",
         .dst = "B",
         .src_host = 0,
         .dst_host = 1,
         .duration_ns = 3000 * MS,
         .ccalg = "bbr",
         .ecn = true,
         .status = FLOW_COMPLETE,
         .has_report = {true, true},
         .report =
             {{.ccalg = "bbr", .nodelay = true},
              {.times = 1u << T_FIRST_BYTE | 1u << T_STOP | 1u << T_LAST_BYTE,
               .at = {[T_FIRST_BYTE] = 2000 * MS, [T_STOP] = 3000 * MS, [T_LAST_BYTE] = 3001 * MS},
               .payload_bytes = 1000100,
               .payload_bytes_stop = 1000000}}},
    .rows = {{{0, 0, 0, 0},
              {2000 * MS, 0, 900, 0}, /* nothing moved: does not count */
              {2250 * MS, 100, 1000, 1},
              {2500 * MS, 200, 3000, 5},
              {2750 * MS, 200, 9000, 5}, /* neither here */
              {4000 * MS, 0, 0, 0}},     /* reset */
             {{2500 * MS, 10, 0, 0}}},
    .count = {6, 1},
};

/* No report of the dst: its samples tell. */
static const struct made_flow lost = {
    .result = {.id = 2,
               .src = "A",
               .dst = "C",
               .dst_host = 2,
               .status = FLOW_PARTIAL,
               .error = "the agent of C was lost"},
    .rows = {{{0}},
             {{0, 0, 0, 0},
              {5000 * MS, 1000, 0, 0},
              {5500 * MS, 2000, 0, 0},
              {6000 * MS, 3000, 0, 0},
              {9000 * MS, 3000, 0, 0}}},
    .count = {1, 5},
};

/* ---- a file of two flows ---- */

struct fixture {
    char path[64];
    struct summary summary;
    char *text;
    size_t size;
};

static void write_file(const char *path, uint64_t part_max, const struct made_flow *flows,
                       size_t count, const struct run_info *of_run)
{
    struct results_writer *writer;
    assert_int_equal(results_writer_open(&writer, path, part_max, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        struct made_flow flow = flows[i];
        assert_int_equal(
            results_writer_flow(writer, &flow.result, i == 0 ? of_run : NULL, give, &flow, NULL),
            0);
        series_fini(&flow.series);
    }
    assert_int_equal(results_writer_close(writer, NULL), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    const struct made_flow flows[] = {good, lost};
    snprintf(fixture->path, sizeof fixture->path, "summary-test.%ld.gz", (long)getpid());
    write_file(fixture->path, 0, flows, 2, &run);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    summary_fini(&fixture->summary);
    unlink(fixture->path);
    free(fixture->text);
    free(fixture);
    return 0;
}

static const struct summary *load(struct fixture *fixture)
{
    assert_int_equal(summary_load(&fixture->summary, fixture->path, NULL), 0);
    return &fixture->summary;
}

static const char *text_of(struct fixture *fixture, size_t max_flows)
{
    free(fixture->text);
    FILE *out = open_memstream(&fixture->text, &fixture->size);
    summary_text(&fixture->summary, out, max_flows);
    fclose(out);
    return fixture->text;
}

/* ---- figures ---- */

static void test_figures_come_from_reports(void **state)
{
    const struct summary *summary = load(*state);
    assert_int_equal(summary->flow_count, 2);
    assert_int_equal(summary->complete, 1);
    assert_int_equal(summary->partial, 1);
    const struct flow_summary *flow = &summary->flows[0];
    assert_true(flow->has_goodput);
    assert_int_equal(flow->goodput_ns, 1000 * MS);
    assert_true(flow->goodput_bps == 8e6);
    assert_int_equal(flow->drained_bytes, 100);
    assert_true(flow->has_rtt);
    assert_true(flow->rtt_mean_ns == 2e6);
    assert_int_equal(flow->rtt_min_ns, 8999000);
    assert_true(flow->has_retransmits);
    assert_int_equal(flow->retransmits, 5);
    assert_int_equal(flow->samples[END_SRC], 6);
    assert_int_equal(flow->samples[END_DST], 1);
    assert_true(flow->same_agent);
}

static void test_samples_stand_in_for_a_report(void **state)
{
    const struct summary *summary = load(*state);
    const struct flow_summary *flow = &summary->flows[1];
    assert_true(flow->has_goodput);
    assert_int_equal(flow->goodput_ns, 1000 * MS);
    assert_true(flow->goodput_bps == 16000);
    assert_false(flow->has_rtt);
    assert_false(flow->same_agent);
    assert_string_equal(flow->flow.error, "the agent of C was lost");
}

static void test_parts_are_one_flow(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flows[] = {good, lost};
    flows[0].repeat = 5000;
    write_file(fixture->path, 1, flows, 2, &run);
    const struct summary *summary = load(fixture);
    assert_int_equal(summary->flow_count, 2);
    assert_int_equal(summary->flows[0].samples[END_SRC], 5006);
    assert_int_equal(summary->flows[0].samples[END_DST], 1);
    assert_true(summary->flows[0].rtt_mean_ns == 2e6);
    assert_int_equal(summary->flows[0].flow.status, FLOW_COMPLETE);
    assert_true(summary->has_run);
}

static void test_unknown_times_give_no_rate(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = good;
    flow.result.report[END_DST].times = 1u << T_STOP;
    write_file(fixture->path, 0, &flow, 1, NULL);
    assert_false(load(fixture)->flows[0].has_goodput);
    summary_fini(&fixture->summary);

    flow = good;
    flow.result.report[END_DST].at[T_FIRST_BYTE] = INT64_MIN;
    flow.result.report[END_DST].at[T_STOP] = INT64_MAX;
    write_file(fixture->path, 0, &flow, 1, NULL);
    assert_false(load(fixture)->flows[0].has_goodput);
    assert_false(fixture->summary.has_run);
    assert_false(fixture->summary.flows[0].same_agent);
}

static void test_a_broken_file_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(truncate(fixture->path, 100), 0);
    assert_int_equal(summary_load(&fixture->summary, fixture->path, &err), ERROR_INPUT);
    assert_string_equal(err.where, fixture->path);
    assert_int_equal(summary_load(&fixture->summary, "no such file", &err), ERROR_INPUT);
}

/* ---- for people ---- */

static void test_text_says_it_all(void **state)
{
    struct fixture *fixture = *state;
    load(fixture);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "flow  src  dst  goodput"));
    assert_non_null(strstr(text, "8.00 Mbit/s"));
    assert_non_null(strstr(text, "2.000 ms"));
    assert_non_null(strstr(text, "on -> off"));    /* ecn */
    assert_non_null(strstr(text, "off -> on"));    /* nodelay */
    assert_non_null(strstr(text, "default -> ?")); /* ccalg of flow 2 */
    assert_non_null(strstr(text, "partial: the agent of C was lost\n"));
    assert_non_null(strstr(text, "2 flows: 1 complete, 1 partial, 0 failed"));
    assert_non_null(strstr(text, "clock of agent 10.0.0.1:8840: times are right to 12.3 us"));
    assert_non_null(strstr(text, "warning: agent 10.0.0.2:8840 was lost: it fell silent\n"));
    assert_non_null(strstr(text, "warning: mind ?[31mthe gap\n"));
    assert_null(strchr(text, '\x1b'));
}

static void test_text_is_cut_at_max_flows(void **state)
{
    struct fixture *fixture = *state;
    load(fixture);
    const char *text = text_of(fixture, 1);
    assert_non_null(strstr(text, "... and 1 more flow\n"));
    assert_null(strstr(text, "partial: "));
    assert_null(strstr(text_of(fixture, 2), "more flow"));
}

/* ---- for programs ---- */

static json_t *json_of(struct fixture *fixture)
{
    free(fixture->text);
    FILE *out = open_memstream(&fixture->text, &fixture->size);
    assert_int_equal(summary_json(&fixture->summary, out), 0);
    fclose(out);
    json_t *json = json_loads(fixture->text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void test_json_has_stable_keys(void **state)
{
    struct fixture *fixture = *state;
    const char *id, *src, *status, *ccalg, *lost_why;
    double goodput, rtt;
    json_int_t retransmits, first, last, drained, error_ns, flows;
    int ecn, same;
    load(fixture);
    json_t *json = json_of(fixture);
    assert_int_equal(json_unpack(json, "{s:{s:s, s:[*]}, s:[*], s:{s:I}}", "run", "id", &id,
                                 "agents", "flows", "totals", "flows", &flows),
                     0);
    assert_string_equal(id, "0123");
    assert_int_equal(flows, 2);
    json_t *flow = json_array_get(json_object_get(json, "flows"), 0);
    assert_int_equal(json_unpack(flow,
                                 "{s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:{s:s}, s:{s:b}, s:b}",
                                 "src", &src, "status", &status, "goodput_bps", &goodput,
                                 "rtt_mean_ns", &rtt, "retransmits", &retransmits, "first_byte_ns",
                                 &first, "last_byte_ns", &last, "drained_bytes", &drained, "asked",
                                 "ccalg", &ccalg, "effective", "ecn", &ecn, "same_agent", &same),
                     0);
    assert_string_equal(status, "complete");
    assert_true(goodput == 8e6 && rtt == 2e6);
    assert_int_equal(retransmits, 5);
    assert_int_equal(first, 2000 * MS);
    assert_int_equal(last, 3001 * MS);
    assert_int_equal(drained, 100);
    assert_string_equal(ccalg, "bbr");
    assert_true(!ecn && same);
    assert_true(json_is_null(json_object_get(flow, "error")));
    json_t *agent = json_array_get(json_object_get(json_object_get(json, "run"), "agents"), 1);
    assert_int_equal(
        json_unpack(agent, "{s:I, s:s}", "clock_error_ns", &error_ns, "lost", &lost_why), 0);
    assert_int_equal(error_ns, 45600);
    json_decref(json);
}

static void test_json_has_null_where_nothing_is_known(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->path, 0, &lost, 1, NULL);
    load(fixture);
    json_t *json = json_of(fixture);
    assert_true(json_is_null(json_object_get(json, "run")));
    json_t *flow = json_array_get(json_object_get(json, "flows"), 0);
    static const char *const unknown[] = {"rtt_mean_ns",   "rtt_min_ns", "first_byte_ns",
                                          "last_byte_ns",  "effective",  "payload_bytes",
                                          "drained_bytes", "family"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_true(json_is_null(json_object_get(flow, unknown[i])));
    json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(figures_come_from_reports),
        TEST(samples_stand_in_for_a_report),
        TEST(parts_are_one_flow),
        TEST(unknown_times_give_no_rate),
        TEST(a_broken_file_is_told),
        TEST(text_says_it_all),
        TEST(text_is_cut_at_max_flows),
        TEST(json_has_stable_keys),
        TEST(json_has_null_where_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
