#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    int64_t delivered_ce; /* in all rows but the last */
    bool stuck;           /* full segments are sent again and again */
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
        series->field[TCP_state][i] = flow->stuck ? LINUX_TCP_ESTABLISHED : 0;
        series->field[TCP_unacked][i] = flow->stuck ? 10 : 0;
        series->field[TCP_snd_mss][i] = flow->stuck ? 1448 : 0;
        series->field[TCP_snd_wnd][i] = 65536;
        series->field[TCP_retransmits][i] = flow->stuck ? 3 : 0;
        series->field[TCP_bytes_sent][i] = flow->stuck ? 14480 : 0;
        series->field[TCP_delivered_ce][i] = i + 1 < count ? flow->delivered_ce : 0;
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
         .tuning = {.send_rate = 10000000, .send_buffer = 100000},
         .status = FLOW_COMPLETE,
         .has_report = {true, true},
         .report =
             {{.ccalg = "bbr",
               .nodelay = true,
               .send_buffer = 200000,
               .receive_buffer = 7,
               .pacing_rate = 8000,
               .paced_bytes = 1000000,
               .skipped_bytes = 5},
              {.times = 1u << T_FIRST_BYTE | 1u << T_STOP | 1u << T_LAST_BYTE,
               .at = {[T_FIRST_BYTE] = 2000 * MS, [T_STOP] = 3000 * MS, [T_LAST_BYTE] = 3001 * MS},
               .payload_bytes = 1000100,
               .payload_bytes_stop = 1000000,
               .send_buffer = 8,
               .receive_buffer = 131072}}},
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
    const char *path = fixture->path;
    assert_int_equal(summary_load(&fixture->summary, &path, 1, -1, NULL), 0);
    return &fixture->summary;
}

static const struct flow_summary *load_warm(struct fixture *fixture, int64_t warmup_ns)
{
    const char *path = fixture->path;
    summary_fini(&fixture->summary);
    assert_int_equal(summary_load(&fixture->summary, &path, 1, warmup_ns, NULL), 0);
    return &fixture->summary.flows[0];
}

static int64_t goodput_ns(const struct flow_summary *flow)
{
    return flow->goodput.span.to_ns - flow->goodput.span.from_ns;
}

static const char *text_of(struct fixture *fixture, size_t max_flows)
{
    free(fixture->text);
    FILE *out = open_memstream(&fixture->text, &fixture->size);
    summary_text(&fixture->summary, out, max_flows, "ask for all");
    fclose(out);
    return fixture->text;
}

static void assert_fits(const char *text)
{
    for (size_t size; *text; text += size + (text[size] == '\n')) {
        size = strcspn(text, "\n");
        assert_in_range(size, 0, 100);
    }
}

static json_t *json_of(struct fixture *fixture)
{
    free(fixture->text);
    FILE *out = open_memstream(&fixture->text, &fixture->size);
    assert_int_equal(summary_json(&fixture->summary, out, NULL), 0);
    fclose(out);
    json_t *json = json_loads(fixture->text, 0, NULL);
    assert_non_null(json);
    return json;
}

/* ---- figures ---- */

static void test_figures_come_from_reports(void **state)
{
    const struct summary *summary = load(*state);
    assert_int_equal(summary->flow_count, 2);
    assert_int_equal(summary->complete, 1);
    assert_int_equal(summary->partial, 1);
    const struct flow_summary *flow = &summary->flows[0];
    assert_true(flow->goodput.lack == GOODPUT_THERE_IS);
    assert_int_equal(goodput_ns(flow), 1000 * MS);
    assert_true(flow->goodput.bps == 8e6);
    assert_int_equal(flow->drained_bytes, 100);
    assert_true(flow->has_rtt);
    assert_true(flow->rtt_mean_ns == 2e6);
    assert_int_equal(flow->rtt_min_ns, 8999000);
    assert_true(flow->retransmits.known);
    assert_int_equal(flow->retransmits.value, 5);
    assert_int_equal(flow->samples[END_SRC], 6);
    assert_int_equal(flow->samples[END_DST], 1);
    assert_true(flow->gap[END_SRC].ns > 0 && flow->gap[END_DST].ns == 0);
    assert_true(flow->same_agent);
}

static void test_samples_stand_in_for_a_report(void **state)
{
    const struct summary *summary = load(*state);
    const struct flow_summary *flow = &summary->flows[1];
    assert_true(flow->goodput.lack == GOODPUT_THERE_IS);
    assert_int_equal(goodput_ns(flow), 1000 * MS);
    assert_true(flow->goodput.bps == 16000);
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
    assert_true(summary->runs[0].has_run);
}

static void test_unknown_times_give_no_rate(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = good;
    flow.result.report[END_DST].times = 1u << T_STOP;
    write_file(fixture->path, 0, &flow, 1, NULL);
    assert_int_equal(load(fixture)->flows[0].goodput.lack, GOODPUT_NO_TIMES);
    summary_fini(&fixture->summary);

    flow = good;
    flow.result.report[END_DST].at[T_FIRST_BYTE] = INT64_MIN;
    flow.result.report[END_DST].at[T_STOP] = INT64_MAX;
    write_file(fixture->path, 0, &flow, 1, NULL);
    assert_int_equal(load(fixture)->flows[0].goodput.lack, GOODPUT_NO_TIMES);
    assert_false(fixture->summary.runs[0].has_run);
    assert_false(fixture->summary.flows[0].same_agent);
}

/* Bytes that waited for the receiver's program have not come at its first read: 2 s, by then the
 * source had seen the first acknowledged for half a second. */
static void test_bytes_that_waited_to_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = good;
    flow.rows[END_SRC][0] = (struct sample_row){1250 * MS, TOKEN_SIZE + 1, 0, 0};
    flow.rows[END_SRC][1] = (struct sample_row){1500 * MS, TOKEN_SIZE + 2, 900, 0};
    write_file(fixture->path, 0, &flow, 1, NULL);
    const struct flow_summary *summary = &load(fixture)->flows[0];
    assert_true(summary->read_late);
    assert_int_equal(summary->goodput.span.from_ns, 1500 * MS);
    assert_int_equal(goodput_ns(summary), 1500 * MS);
    assert_true(summary->goodput.bps == 8e6 / 1.5);
    summary_fini(&fixture->summary);

    flow.rows[END_SRC][1].t_ns = 1990 * MS; /* clocks may be off by as much */
    write_file(fixture->path, 0, &flow, 1, NULL);
    summary = &load(fixture)->flows[0];
    assert_false(summary->read_late);
    assert_int_equal(goodput_ns(summary), 1000 * MS);
}

/* What stands before the damage is there, and the damage is told. */
static void test_a_cut_file_is_read_as_far_as_it_goes(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flows[] = {good, lost};
    unlink(fixture->path);
    *strrchr(fixture->path, '.') = '\0'; /* no gzip, which finds damage by itself */
    write_file(fixture->path, 0, flows, 2, &run);
    struct stat file;
    assert_int_equal(stat(fixture->path, &file), 0);
    assert_int_equal(truncate(fixture->path, file.st_size - 3), 0);
    const struct summary *summary = load(fixture);
    assert_true(summary->damaged);
    assert_int_equal(summary->flow_count, 2);
    assert_true(summary->runs[0].has_run);
    assert_true(summary->flows[0].goodput.bps == 8e6);
    assert_true(summary->flows[1].goodput.bps == 16000); /* its samples are there */
    assert_non_null(strstr(text_of(fixture, 0), "warning: this is only what could be read: "));
    assert_non_null(strstr(fixture->text, "record 2, byte "));
    summary_fini(&fixture->summary);

    assert_int_equal(load_warm(fixture, 1)->flow.id, 1); /* read twice */
    assert_true(fixture->summary.damaged);
}

static void expect_no_result(const struct fixture *fixture, const char *what, const char *cure)
{
    struct summary summary;
    struct error err = {0};
    const char *path = fixture->path;
    assert_int_equal(summary_load(&summary, &path, 1, -1, &err), ERROR_INPUT);
    assert_string_equal(err.where, path);
    assert_int_equal(strncmp(err.what, what, strlen(what)), 0);
    assert_non_null(strstr(err.cure, cure));
}

static void test_what_is_no_result(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    static const char scenario[] = "{\"hosts\": {}, \"flows\": []}";
    assert_int_equal(truncate(fixture->path, 40), 0);
    expect_no_result(fixture, "this result file is damaged in its first record (record 1, byte ",
                     "copy the file again");
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    fputs(scenario, file);
    fclose(file);
    expect_no_result(fixture, "this is no result file, or one that is damaged at its beginning (",
                     "tcp-flowgen run");
    assert_int_equal(truncate(fixture->path, 0), 0);
    expect_no_result(fixture, "the file is empty", "tcp-flowgen run");
    const char *none = "no such file";
    assert_int_equal(summary_load(&fixture->summary, &none, 1, -1, &err), ERROR_INPUT);
    assert_string_equal(err.where, none);
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
    assert_non_null(strstr(text, "run: first\nevery flow: nodelay off -> on\n"));
    assert_non_null(strstr(text, "retrans  ccalg    ecn        limited by  status\n"));
    assert_non_null(strstr(text, "5        bbr      on -> off  -           complete\n"));
    assert_non_null(strstr(text, "0        default  off        -           partial\n"));
    assert_non_null(strstr(text, "\npartial: flow 2: the agent of C was lost\n"));
    assert_non_null(strstr(text, "; together 2.00 Mbit/s over 4 s; 5 retransmits\n"));
    assert_non_null(strstr(text, "2 flows: 1 complete, 1 partial, 0 failed"));
    assert_non_null(strstr(text, "clock of A and B: times are right to 12.3 us"));
    assert_non_null(strstr(text, "warning: C was lost: it fell silent; its spool on its "
                                 "machine,"));
    assert_non_null(strstr(text, "warning: mind ?[31mthe gap\n"));
    assert_null(strchr(text, '\x1b'));
    assert_fits(text);
}

static void test_text_has_what_there_is(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = good;
    load(fixture);
    assert_null(strstr(text_of(fixture, 0), "CE"));
    summary_fini(&fixture->summary);
    strcpy(flow.result.label, "background");
    flow.delivered_ce = 12;
    flow.result.ledger.state = LEDGER_RECONCILES; /* of no byte that was sent twice */
    write_file(fixture->path, 0, &flow, 1, &run);
    load(fixture);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "the flow: ccalg bbr, ecn on -> off, nodelay off -> on\n"));
    assert_non_null(strstr(text, "flow  label       src"));
    assert_non_null(strstr(text, "1     background  A"));
    assert_non_null(strstr(text, "retrans  CE  limited by  status\n"));
    assert_non_null(strstr(text, "5        12  "));
    assert_non_null(strstr(text, "; 5 retransmits; 12 ECN echoes\n"));
    assert_non_null(strstr(text, "\n5 of the retransmits had no data in them: SYN or FIN\n"));
    json_t *json = json_of(fixture);
    json_int_t marks, all, from;
    const char *label;
    assert_int_equal(json_unpack(json, "{s:[{s:I, s:s, s:I}], s:{s:I}}", "flows", "ce_marks",
                                 &marks, "label", &label, "goodput_from_ns", &from, "totals",
                                 "ce_marks", &all),
                     0);
    assert_true(marks == 12 && all == 12 && from == 2000 * MS);
    assert_string_equal(label, "background");
    json_decref(json);
}

static void test_text_is_cut_at_max_flows(void **state)
{
    struct fixture *fixture = *state;
    load(fixture);
    const char *text = text_of(fixture, 1);
    assert_non_null(strstr(text, "... and 1 more flow: ask for all\n"));
    assert_null(strstr(text, "default"));
    assert_null(strstr(text_of(fixture, 2), "more flow"));
}

/* ---- for programs ---- */

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
    const json_t *told = json_object_get(json, "warnings");
    assert_int_equal(json_array_size(told), 3);
    assert_string_equal(json_string_value(json_array_get(told, 0)),
                        "C was lost: it fell silent; its spool on its machine, "
                        "if it is there (tcp-flowgen-0123-*.spool), has all until then: see "
                        "tcp-flowgen recover");
    const json_t *totals = json_object_get(json, "totals");
    assert_int_equal(json_integer_value(json_object_get(totals, "together_ns")), 4000 * MS);
    assert_true(json_real_value(json_object_get(totals, "together_bps")) == 1002000 * 8 / 4.0);
    assert_true(json_is_null(json_object_get(flow, "error")));
    json_t *agent = json_array_get(json_object_get(json_object_get(json, "run"), "agents"), 1);
    assert_int_equal(
        json_unpack(agent, "{s:I, s:s}", "clock_error_ns", &error_ns, "lost", &lost_why), 0);
    assert_int_equal(error_ns, 45600);
    json_decref(json);
}

static json_int_t number_at(const json_t *flow, const char *object, const char *key)
{
    const json_t *value = json_object_get(json_object_get(flow, object), key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void test_json_has_what_flows_were_tuned_by(void **state)
{
    struct fixture *fixture = *state;
    load(fixture);
    json_t *json = json_of(fixture);
    const json_t *flow = json_array_get(json_object_get(json, "flows"), 0);
    assert_int_equal(number_at(flow, "asked", "send_rate_bps"), 10000000);
    assert_int_equal(number_at(flow, "asked", "send_buffer_bytes"), 100000);
    assert_true(
        json_is_null(json_object_get(json_object_get(flow, "asked"), "receive_buffer_bytes")));
    assert_int_equal(number_at(flow, "effective", "send_buffer_bytes"), 200000);
    assert_int_equal(number_at(flow, "effective", "receive_buffer_bytes"), 131072);
    assert_int_equal(number_at(flow, "effective", "pacing_rate_bps"), 8000);
    const json_t *pace = json_object_get(flow, "pace");
    assert_int_equal(number_at(pace, "src", "paced_bytes"), 1000000);
    assert_int_equal(number_at(pace, "src", "skipped_bytes"), 5);
    const json_t *share = json_object_get(json_object_get(pace, "src"), "skipped_share");
    assert_true(json_real_value(share) == 5 / 1000005.0);
    assert_true(json_is_null(json_object_get(pace, "dst")));
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

static void test_a_standstill_and_its_cause(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow stuck = {
        .result = {.id = 4, .src = "A", .dst = "B", .duration_ns = 3000 * MS, .family = "ipv4"},
        .rows = {{{250 * MS, 17, 0, 0}, {500 * MS, 17, 0, 0}, {2750 * MS, 17, 0, 0}},
                 {{260 * MS, 16, 0, 0}}},
        .count = {3, 1},
        .stuck = true,
    };
    write_file(fixture->path, 0, &stuck, 1, NULL);
    load(fixture);
    json_t *json = json_of(fixture);
    json_t *flow = json_array_get(json_object_get(json, "flows"), 0);
    assert_int_equal(number_at(flow, "longest_standstill", "standstill_ns"), 2500 * MS);
    assert_int_equal(number_at(flow, "longest_standstill", "from_ns"), 250 * MS);
    const json_t *standstill = json_object_get(flow, "longest_standstill");
    assert_true(json_is_false(json_object_get(standstill, "window_shut")));
    const json_t *hole = json_object_get(flow, "mtu_black_hole");
    assert_int_equal(number_at(flow, "mtu_black_hole", "packet_bytes"), 1488);
    assert_true(json_is_null(json_object_get(hole, "passed_bytes")));
    assert_true(json_is_false(json_object_get(hole, "certain")));
    json_decref(json);

    summary_fini(&fixture->summary);
    stuck.rows[END_DST][0].bytes = 16 + 2000; /* its sink has what the source does not know of */
    write_file(fixture->path, 0, &stuck, 1, NULL);
    load(fixture);
    json = json_of(fixture);
    flow = json_array_get(json_object_get(json, "flows"), 0);
    assert_true(json_is_null(json_object_get(flow, "mtu_black_hole")));
    json_decref(json);
}

static json_int_t whole(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        fail_msg("%s is no whole number", key);
    return json_integer_value(value);
}

static struct made_flow accounted(void)
{
    struct made_flow flow = good;
    struct end_report *src = &flow.result.report[END_SRC];
    src->times = (1u << END_TIMES) - 1;
    src->at[T_CONNECT] = -5 * MS;
    src->at[T_CONNECTED] = -2 * MS;
    src->at[T_FIRST_BYTE] = 1999 * MS;
    src->at[T_STOP] = 3000 * MS;
    src->at[T_LAST_BYTE] = 3004 * MS;
    src->samples_expected = 12;
    src->samples_taken = 10;
    src->samples_missed = 2;
    src->lateness[4] = 9;
    src->lateness[15] = 1;
    src->lateness_max_ns = 30 * MS;
    flow.result.verdict = (struct verdict){.limit = LIMIT_RECEIVER,
                                           .share = {[LIMIT_RECEIVER] = 0.75, [LIMIT_HOST] = 0.25},
                                           .source = {0.5, -1},
                                           .sink = {-1, -1},
                                           .reason = "it reads slowly"};
    flow.result.ledger =
        (struct ledger){.state = LEDGER_RECONCILES, .written = 1000100, .syn_acked = 1};
    return flow;
}

static void test_json_has_the_accounts(void **state)
{
    struct fixture *fixture = *state;
    const struct made_flow flow = accounted();
    const char *limit, *reason, *ledger_state;
    double receiver, cpu;
    write_file(fixture->path, 0, &flow, 1, &run);
    load(fixture);
    json_t *json = json_of(fixture);
    json_t *got = json_array_get(json_object_get(json, "flows"), 0);
    assert_int_equal(whole(got, "setup_ns"), 3 * MS);
    assert_int_equal(whole(got, "transfer_ns"), 1001 * MS);
    assert_int_equal(whole(got, "drain_ns"), 4 * MS);
    assert_int_equal(json_unpack(got,
                                 "{s:s, s:s, s:{s:f}, s:{s:{s:f, s:n}, s:{s:n}}, s:{s:s, s:n}}",
                                 "limited_by", &limit, "limit_reason", &reason, "limit_shares",
                                 "receiver", &receiver, "workers", "src", "cpu", &cpu, "wait",
                                 "dst", "cpu", "ledger", "state", &ledger_state, "why"),
                     0);
    assert_string_equal(limit, "receiver");
    assert_string_equal(reason, "it reads slowly");
    assert_string_equal(ledger_state, "reconciles");
    assert_true(receiver == 0.75 && cpu == 0.5);
    assert_int_equal(whole(json_object_get(got, "ledger"), "written"), 1000100);
    const json_t *src = json_object_get(json_object_get(got, "sampling"), "src");
    assert_int_equal(whole(src, "expected"), 12);
    assert_int_equal(whole(src, "missed"), 2);
    assert_int_equal(whole(src, "late_p50_ns"), 16000);
    assert_int_equal(whole(src, "late_p99_ns"), 30 * MS);
    assert_int_equal(json_array_size(json_object_get(src, "lateness")), LATENESS_BUCKETS);
    json_decref(json);
}

static void test_json_of_a_file_without_accounts(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = lost;
    write_file(fixture->path, 0, &flow, 1, NULL);
    load(fixture);
    json_t *json = json_of(fixture);
    const json_t *got = json_array_get(json_object_get(json, "flows"), 0);
    static const char *const unknown[] = {"ledger",   "limited_by",  "limit_shares",
                                          "setup_ns", "transfer_ns", "drain_ns"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_true(json_is_null(json_object_get(got, unknown[i])));
    json_decref(json);
}

static void test_text_names_the_limit_and_what_is_wrong(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = accounted();
    write_file(fixture->path, 0, &flow, 1, &run);
    load(fixture);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "limited by  status"));
    assert_non_null(strstr(text, "receiver    complete"));
    assert_null(strstr(text, "reconcile"));
    assert_non_null(strstr(text,
                           "warning: samples were taken late: half of them by up to 0.016 ms, "
                           "99 % by up to 30.000 ms, the\n  latest by 30.000 ms\n"));
    summary_fini(&fixture->summary);

    flow = accounted();
    flow.result.report[END_SRC].lateness[15] = 0;
    flow.result.report[END_SRC].lateness_max_ns = 16000;
    flow.result.ledger.state = LEDGER_DIFFERS;
    snprintf(flow.result.ledger.why, sizeof flow.result.ledger.why, "3 bytes \x1b[1m");
    write_file(fixture->path, 0, &flow, 1, &run);
    load(fixture);
    text = text_of(fixture, 0);
    assert_non_null(strstr(text, "warning: the bytes of flow 1 do not reconcile: 3 bytes ?[1m\n"));
    assert_null(strstr(text, "taken late"));
}

/* ---- several runs ---- */

/* The good flow with other figures, and the lost one, as run `number` of `of`. */
static void append_run(struct results_writer *writer, uint32_t number, uint32_t of, double share)
{
    struct made_flow flows[] = {good, lost};
    struct run_info info = run;
    char id[16];
    snprintf(id, sizeof id, "run%u", (unsigned)number);
    info.id = id;
    info.repeat = number;
    info.repeats = of;
    info.interrupted = number == 2;
    info.warning_count = number != 2;
    flows[0].result.report[END_DST].payload_bytes_stop = (uint64_t)(share * 1e6);
    flows[0].rows[END_SRC][3].total_retrans = flows[0].rows[END_SRC][4].total_retrans = 5 * number;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(results_writer_flow(writer, &flows[i].result, i == 0 ? &info : NULL, give,
                                             &flows[i], NULL),
                         0);
        series_fini(&flows[i].series);
    }
}

static void write_runs(const char *path, uint32_t count)
{
    static const double shares[] = {1, 4, 2, 3};
    struct results_writer *writer;
    assert_int_equal(results_writer_open(&writer, path, 0, NULL), 0);
    for (uint32_t i = 0; i < count; i++)
        append_run(writer, i + 1, count, shares[i]);
    assert_int_equal(results_writer_close(writer, NULL), 0);
}

static void test_runs_of_a_file_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    write_runs(fixture->path, 3);
    const struct summary *summary = load(fixture);
    assert_int_equal(summary->run_count, 3);
    assert_int_equal(summary->flow_count, 6);
    assert_int_equal(summary->complete, 3);
    assert_int_equal(summary->partial, 3);
    for (size_t r = 0; r < 3; r++) {
        const struct run_summary *one = &summary->runs[r];
        assert_int_equal(one->run.repeat, r + 1);
        assert_int_equal(one->run.repeats, 3);
        assert_int_equal(one->flow_count, 2);
        assert_int_equal(one->complete, 1);
        assert_int_equal(one->flows[0].run, r);
        assert_int_equal(one->flows[0].flow.id, 1);
        assert_int_equal(one->flows[0].retransmits.value, 5 * (r + 1));
        assert_int_equal(one->flows[1].flow.id, 2);
        assert_true(one->flows[0].same_agent && !one->flows[1].same_agent);
    }
}

static void test_flows_are_joined_over_runs(void **state)
{
    struct fixture *fixture = *state;
    write_runs(fixture->path, 3);
    const struct summary *summary = load(fixture);
    assert_int_equal(summary->repeat_count, 2);
    const struct flow_repeats *flow = &summary->repeats[0];
    assert_int_equal(flow->first->flow.id, 1);
    assert_int_equal(flow->runs, 3);
    assert_int_equal(flow->complete, 3);
    assert_int_equal(flow->goodput_bps.count, 3);
    assert_true(flow->goodput_bps.median == 16e6);
    assert_true(flow->goodput_bps.min == 8e6 && flow->goodput_bps.max == 32e6);
    assert_true(flow->retransmits.median == 10 && flow->retransmits.max == 15);
    assert_true(flow->rtt_mean_ns.min == 2e6 && flow->rtt_mean_ns.max == 2e6);
    flow = &summary->repeats[1];
    assert_int_equal(flow->partial, 3);
    assert_int_equal(flow->rtt_mean_ns.count, 0);
    assert_true(summary->together_bps.median == 2002000 * 8 / 4.0);
    assert_false(summary->unlike);
}

static void test_text_of_runs_has_medians(void **state)
{
    struct fixture *fixture = *state;
    write_runs(fixture->path, 3);
    load(fixture);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "flow  src  dst  goodput      min..max"));
    assert_non_null(strstr(text, "16.0 Mbit/s  8.00..32.0  2.00 ms  2.00..2.00  10 "));
    assert_non_null(strstr(text, "\n(no room for: min..max of retr; see --json)\n"));
    assert_null(strstr(text, "5..15"));
    assert_non_null(strstr(text, "  3/3\n"));
    assert_non_null(strstr(text, "  0/3\n"));
    assert_non_null(strstr(text,
                           "\npartial: 3 flows: 2 of run 1, 2 of run 2, 2 of run 3: the agent "
                           "of C was lost\n"));
    assert_non_null(strstr(text, "3 runs of 2 flows: 3 complete, 3 partial, 0 failed; the flows of "
                                 "a run together 4.00 Mbit/s\n  (2.00..8.00)\n"));
    assert_non_null(strstr(text, "medians of the runs that have the flow, with their min..max\n"));
    assert_non_null(strstr(text, "clock of A and B: times are right to 12.3 us\n"));
    assert_non_null(strstr(text, "warning: run 2: the run was interrupted\n"));
    assert_non_null(strstr(text, "warning: run 1: C was lost: it fell silent;"));
    assert_non_null(strstr(text, "warning: mind ?[31mthe gap (in 2 of 3 runs)\n"));
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text_of(fixture, 1), "... and 1 more flow: ask for all\n"));
}

static void test_four_runs_have_quartiles(void **state)
{
    struct fixture *fixture = *state;
    write_runs(fixture->path, 4);
    load(fixture);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "flow  src  dst  goodput      quartiles"));
    assert_null(strstr(text, "min..max"));
    assert_non_null(strstr(text, "20.0 Mbit/s  14.0..26.0 "));
}

static void test_json_of_runs_has_each_and_all(void **state)
{
    struct fixture *fixture = *state;
    json_int_t repeat, repeats, count, runs, complete, flows;
    double median, min, max, first, third;
    write_runs(fixture->path, 4);
    load(fixture);
    json_t *json = json_of(fixture);
    json_t *each = json_object_get(json, "repeats");
    assert_int_equal(json_array_size(each), 4);
    assert_int_equal(json_unpack(json_array_get(each, 2), "{s:{s:I, s:I}, s:[*], s:{s:I}}", "run",
                                 "repeat", &repeat, "repeats", &repeats, "flows", "totals", "flows",
                                 &flows),
                     0);
    assert_int_equal(repeat, 3);
    assert_int_equal(repeats, 4);
    assert_int_equal(flows, 2);
    json_t *over = json_object_get(json, "over_repeats");
    json_t *flow = json_array_get(json_object_get(over, "flows"), 0);
    assert_int_equal(json_unpack(flow, "{s:I, s:I, s:{s:I, s:f, s:f, s:f, s:f, s:f}}", "runs",
                                 &runs, "complete", &complete, "goodput_bps", "count", &count,
                                 "median", &median, "min", &min, "max", &max, "quartile_1", &first,
                                 "quartile_3", &third),
                     0);
    assert_int_equal(runs, 4);
    assert_int_equal(complete, 4);
    assert_int_equal(count, 4);
    assert_true(median == 20e6 && min == 8e6 && max == 32e6 && first == 14e6 && third == 26e6);
    flow = json_array_get(json_object_get(over, "flows"), 1);
    assert_true(json_is_null(json_object_get(flow, "rtt_mean_ns")));
    assert_int_equal(json_unpack(over, "{s:{s:I, s:I}}", "totals", "runs", &runs, "flows", &flows),
                     0);
    assert_int_equal(runs, 4);
    assert_int_equal(flows, 8);
    json_decref(json);
}

static void test_files_are_runs(void **state)
{
    struct fixture *fixture = *state;
    char other[80], third[80];
    struct run_info unlike = run;
    const char *paths[] = {fixture->path, other, third};
    const struct made_flow flows[] = {good, lost};
    snprintf(other, sizeof other, "%s.other", fixture->path);
    snprintf(third, sizeof third, "%s.third", fixture->path);
    write_file(other, 0, &good, 1, NULL); /* an earlier program's has no run */
    unlike.id = TEXT("4567");
    write_file(third, 0, flows, 2, &unlike);
    assert_int_equal(summary_load(&fixture->summary, paths, 3, -1, NULL), 0);
    assert_int_equal(fixture->summary.run_count, 3);
    assert_false(fixture->summary.runs[1].has_run);
    assert_int_equal(fixture->summary.repeats[0].runs, 3);
    assert_int_equal(fixture->summary.repeats[1].runs, 2);
    assert_false(fixture->summary.unlike);
    summary_fini(&fixture->summary);

    unlike.scenario = TEXT("{\"other\": 1}");
    struct run_agent agent = run.agents[0]; /* another than those of the first run */
    agent.mgmt = TEXT("elsewhere:1");
    unlike.agents = &agent;
    unlike.agent_count = 1;
    write_file(other, 0, &good, 1, &unlike);
    assert_int_equal(summary_load(&fixture->summary, paths, 2, -1, NULL), 0);
    assert_true(fixture->summary.unlike);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "warning: these are not runs of one scenario\n"));
    assert_non_null(strstr(text, "\n2 runs, 3 flow runs: 2 complete"));
    assert_null(strstr(text, "together"));
    assert_non_null(strstr(text, "clock of A and B (agent elsewhere:1): "));
    unlink(other);
    unlink(third);
}

/* Two conditions are not one, unless that is asked for. */
static void test_sets_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    char other[80];
    struct run_info labelled = run;
    const char *paths[] = {fixture->path, other};
    snprintf(other, sizeof other, "%s.other", fixture->path);
    labelled.label = TEXT("second");
    labelled.id = TEXT("4567");
    labelled.scenario = TEXT("{\"other\": 1}");
    write_file(other, 0, &good, 1, &labelled);
    assert_int_equal(summary_load(&fixture->summary, paths, 2, -1, NULL), 0);
    assert_int_equal(fixture->summary.set_count, 2);
    assert_int_equal(fixture->summary.repeat_count, 3);
    assert_false(fixture->summary.split);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "set  flow  src  dst"));
    assert_non_null(strstr(text, "\n2    1     A    B "));
    assert_non_null(strstr(text, "\n2 runs in 2 sets, 3 flow runs: 2 complete"));
    assert_null(strstr(text, "not runs of one scenario")); /* the sets say so */
    assert_null(strstr(text, "8.00..8.00"));               /* one run has no spread */
    char named[160];
    snprintf(named, sizeof named, "set 2: run 2 (%s); differs from set 1:", other);
    assert_non_null(strstr(text, named));
    assert_non_null(strstr(text, "label (\"first\", here"));
    assert_non_null(strstr(text, "unless summary has --pool"));
    assert_null(strstr(text, "together"));
    json_t *json = json_of(fixture), *over = json_object_get(json, "over_repeats");
    const char *file;
    json_int_t number;
    assert_int_equal(json_array_size(json_object_get(over, "sets")), 2);
    assert_int_equal(json_unpack(json_array_get(json_object_get(over, "sets"), 1),
                                 "{s:[I!], s:[s!]}", "runs", &number, "files", &file),
                     0);
    assert_true(number == 2 && strcmp(file, other) == 0);
    assert_true(json_is_null(json_object_get(json_object_get(over, "totals"), "together_bps")));
    json_decref(json);

    assert_int_equal(summary_pool(&fixture->summary, NULL), 0);
    assert_int_equal(fixture->summary.repeat_count, 2);
    assert_int_equal(fixture->summary.repeats[0].runs, 2);
    text = text_of(fixture, 0);
    assert_null(strstr(text, "set"));
    assert_non_null(strstr(text, "not runs of one scenario"));
    unlink(other);
}

/* One id is not one flow where its ccalg is another. */
static void test_unlike_flows_are_not_joined(void **state)
{
    struct fixture *fixture = *state;
    char other[80];
    struct made_flow reno = good;
    const char *paths[] = {fixture->path, other};
    strcpy(reno.result.ccalg, "reno");
    reno.result.verdict.limit = LIMIT_NETWORK;
    snprintf(other, sizeof other, "%s.other", fixture->path);
    struct run_info second = run;
    second.id = TEXT("4567");
    write_file(fixture->path, 0, &good, 1, &run);
    write_file(other, 0, &reno, 1, &second);
    assert_int_equal(summary_load(&fixture->summary, paths, 2, -1, NULL), 0);
    assert_true(fixture->summary.split);
    assert_int_equal(fixture->summary.repeat_count, 2);
    assert_int_equal(fixture->summary.repeats[1].runs, 1);
    assert_string_equal(fixture->summary.repeats[1].first->flow.ccalg, "reno");
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "  ccalg        limit    done\n"));
    assert_non_null(strstr(text, "  reno -> bbr  network  1/1\n"));
    assert_non_null(strstr(text, "warning: flows of one id have other hosts, ccalg or ecn"));
    unlink(other);
}

/* Of two runs there is no median; their verdicts differ. */
static void test_two_runs_have_means(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = good;
    struct run_info second = run;
    char other[80];
    const char *paths[] = {fixture->path, other};
    snprintf(other, sizeof other, "%s.other", fixture->path);
    flow.result.verdict.limit = LIMIT_NETWORK;
    second.id = TEXT("4567");
    write_file(fixture->path, 0, &flow, 1, &run);
    write_file(other, 0, &flow, 1, &second);
    assert_int_equal(summary_load(&fixture->summary, paths, 2, -1, NULL), 0);
    assert_false(fixture->summary.split);
    const char *text = text_of(fixture, 0);
    assert_fits(text);
    assert_non_null(
        strstr(text, "figures are means of the runs that have the flow, with their min..max\n"));
    assert_non_null(strstr(text, "  network  2/2\n"));
    fixture->summary.repeats[0].limits[LIMIT_NETWORK]--;
    fixture->summary.repeats[0].limits[LIMIT_HOST]++;
    assert_non_null(strstr(text_of(fixture, 0), "  network 1/2  2/2\n"));
    json_t *json = json_of(fixture);
    json_int_t network, host;
    assert_int_equal(json_unpack(json, "{s:{s:[{s:{s:I, s:I}}]}}", "over_repeats", "flows",
                                 "limited_by", "network", &network, "host", &host),
                     0);
    assert_true(network == 1 && host == 1);
    json_decref(json);
    unlink(other);
}

/* Of a copy, and of what was recovered of the same run, one counts: that which has more. */
static void test_a_run_counts_once(void **state)
{
    struct fixture *fixture = *state;
    char other[80], part[80], named[256];
    const struct made_flow flows[] = {good, lost};
    struct made_flow less = good;
    struct run_info second = run;
    snprintf(other, sizeof other, "%s.other", fixture->path);
    snprintf(part, sizeof part, "%s.part", fixture->path);
    const char *paths[] = {part, other, fixture->path, fixture->path};
    less.count[END_SRC]--;
    second.id = TEXT("4567");
    write_file(part, 0, &less, 1, &run);
    write_file(other, 0, flows, 2, &second);
    assert_int_equal(summary_load(&fixture->summary, paths, 4, -1, NULL), 0);
    const struct summary *summary = &fixture->summary;
    assert_int_equal(summary->run_count, 2);
    assert_int_equal(summary->flow_count, 4);
    assert_int_equal(summary->complete, 2);
    assert_int_equal(summary->repeats[0].runs, 2);
    assert_string_equal(summary->runs[0].run.id, "4567");
    assert_string_equal(summary->runs[1].file, fixture->path);
    assert_int_equal(summary->runs[1].flows[0].samples[END_SRC], good.count[END_SRC]);
    assert_int_equal(summary->runs[1].flows[1].run, 1);
    snprintf(named, sizeof named, "%s, %s", part, fixture->path);
    assert_string_equal(summary->runs[1].copies, named);
    assert_non_null(strstr(text_of(fixture, 0), "warning: run 2: this run is also in "));
    summary_fini(&fixture->summary);

    assert_int_equal(summary_load(&fixture->summary, paths + 2, 2, -1, NULL), 0);
    assert_int_equal(summary->run_count, 1);
    assert_int_equal(summary->flow_count, 2);
    assert_non_null(strstr(text_of(fixture, 0), "warning: this run is also in "));
    unlink(other);
    unlink(part);
}

/* A path that died before the warm-up was over moved nothing behind it, which is a figure. */
static struct made_flow dead_flow(void)
{
    struct made_flow flow = good;
    struct end_report *src = &flow.result.report[END_SRC], *dst = &flow.result.report[END_DST];
    src->times = 1u << T_FIRST_BYTE;
    src->at[T_FIRST_BYTE] = 2000 * MS;
    src->payload_bytes = 2000000;
    dst->reading[READ_STOP].jiffy_us = 4000;
    dst->reading[READ_STOP].t_ns = 3000 * MS;
    flow.rows[END_DST][0] = (struct sample_row){2500 * MS, 1000000, 0, 0};
    return flow;
}

static void test_a_standstill_is_in_the_median(void **state)
{
    struct fixture *fixture = *state;
    char other[80];
    const char *paths[] = {fixture->path, other};
    struct made_flow dead = dead_flow(), clean = dead_flow();
    struct run_info second = run;
    snprintf(other, sizeof other, "%s.other", fixture->path);
    clean.rows[END_DST][0].bytes = 500000;
    second.id = TEXT("4567");
    write_file(fixture->path, 0, &dead, 1, &run);
    write_file(other, 0, &clean, 1, &second);
    assert_int_equal(summary_load(&fixture->summary, paths, 2, 400 * MS, NULL), 0);
    const struct stats *goodput = &fixture->summary.repeats[0].goodput_bps;
    assert_true(goodput->count == 2 && goodput->min == 0 && goodput->max == 8e6);
    assert_int_equal(fixture->summary.together_bps.count, 2);
    assert_true(fixture->summary.together_bps.min == 0);
    assert_null(strstr(text_of(fixture, 0), "not known of all runs"));
    assert_non_null(strstr(text_of(fixture, 0), "  4.00 Mbit/s  0..8.00  "));
    unlink(other);
}

/* What is really not known is not in the median, and the reader is told. */
static void test_a_figure_that_a_run_lacks(void **state)
{
    struct fixture *fixture = *state;
    char other[80];
    const char *paths[] = {fixture->path, other};
    struct made_flow unknown = good;
    struct run_info second = run;
    json_int_t count, runs;
    snprintf(other, sizeof other, "%s.other", fixture->path);
    unknown.result.report[END_DST].times = 0;
    second.id = TEXT("4567");
    write_file(fixture->path, 0, &good, 1, &run);
    write_file(other, 0, &unknown, 1, &second);
    assert_int_equal(summary_load(&fixture->summary, paths, 2, -1, NULL), 0);
    const char *text = text_of(fixture, 0);
    assert_non_null(strstr(text, "\nnot known of all runs: goodput of 1 of 2 runs in flow 1\n"));
    assert_non_null(strstr(text, "together 8.00 Mbit/s in 1 of 2\n  runs\n"));
    json_t *json = json_of(fixture);
    assert_int_equal(json_unpack(json, "{s:{s:[{s:{s:I, s:I}}]}}", "over_repeats", "flows",
                                 "goodput_bps", "count", &count, "runs", &runs),
                     0);
    assert_true(count == 1 && runs == 2);
    json_decref(json);
    unlink(other);
}

/* ---- warm-up ---- */

/* 16 bytes of preamble; a row each 250 ms from 2.0 s on, the first data byte at 2.1 s. */
static const struct made_flow steady = {
    .result = {.id = 1,
               .src = "A",
               .dst = "B",
               .dst_host = 1,
               .status = FLOW_COMPLETE,
               .has_report = {true, true},
               .report = {{.preamble_bytes = 16},
                          {.times = 1u << T_FIRST_BYTE | 1u << T_STOP,
                           .at = {[T_FIRST_BYTE] = 2100 * MS, [T_STOP] = 3100 * MS},
                           .preamble_bytes = 16,
                           .payload_bytes = 100000,
                           .payload_bytes_stop = 90000}}},
    .rows = {{{2000 * MS, 16, 1000, 1},
              {2250 * MS, 100, 9000, 10},
              {2500 * MS, 200, 9000, 20},
              {2750 * MS, 300, 2000, 23},
              {3000 * MS, 400, 4000, 24},
              {3100 * MS, 400, 5000, 24}},
             {{2000 * MS, 16, 0, 0},
              {2250 * MS, 1016, 0, 0},
              {2500 * MS, 10016, 0, 0},
              {2750 * MS, 40016, 0, 0},
              {3000 * MS, 80016, 0, 0}}},
    .count = {6, 5},
};

/* From the first sample that is 300 ms behind the first byte: the one at 2.5 s. */
static void test_a_warm_up_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->path, 0, &steady, 1, &run);
    const struct flow_summary *flow = load_warm(fixture, 300 * MS);
    assert_int_equal(fixture->summary.runs[0].warmup_ns, 300 * MS);
    assert_int_equal(goodput_ns(flow), 600 * MS);
    assert_true(flow->goodput.bps == 80000 * 8 / 0.6);
    assert_true(flow->rtt_mean_ns == 3e6); /* of 2 and 4 ms: what came after that sample */
    assert_int_equal(flow->retransmits.value, 4);
    assert_int_equal(flow->samples[END_SRC], 6);
    assert_int_equal(flow->flow.report[END_DST].payload_bytes, 100000);
    assert_int_equal(flow->drained_bytes, 10000);
    assert_non_null(strstr(text_of(fixture, 0), "the first 300ms of each flow's data are not in"));
    json_t *json = json_of(fixture);
    assert_int_equal(json_integer_value(json_object_get(json, "warmup_ns")), 300 * MS);
    json_decref(json);

    flow = load_warm(fixture, 0);
    assert_int_equal(goodput_ns(flow), 1000 * MS);
    assert_true(flow->goodput.bps == 720000);
    assert_int_equal(flow->retransmits.value, 24);
    assert_null(strstr(text_of(fixture, 0), "not in the figures"));
}

static void test_a_runs_own_warm_up_counts(void **state)
{
    struct fixture *fixture = *state;
    struct run_info warm = run;
    warm.warmup_ns = 650 * MS;
    write_file(fixture->path, 0, &steady, 1, &warm);
    assert_int_equal(goodput_ns(load_warm(fixture, -1)), 350 * MS);
    assert_int_equal(goodput_ns(load_warm(fixture, 300 * MS)), 600 * MS);
    assert_int_equal(goodput_ns(load_warm(fixture, 0)), 1000 * MS);
}

static void test_a_flow_shorter_than_its_warm_up(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture->path, 0, &steady, 1, &run);
    const struct flow_summary *flow = load_warm(fixture, 5000 * MS);
    assert_int_equal(flow->goodput.lack, GOODPUT_BEHIND);
    assert_false(flow->has_rtt || flow->retransmits.known);
    flow = load_warm(fixture, INT64_MAX);
    assert_int_equal(flow->goodput.lack, GOODPUT_BEHIND);
    /* No data at all: nothing is behind it. */
    struct made_flow idle = steady;
    idle.result.report[END_DST].times = 0;
    write_file(fixture->path, 0, &idle, 1, &run);
    assert_false(load_warm(fixture, 1)->retransmits.known);
}

static void test_a_warm_up_without_a_report(void **state)
{
    struct fixture *fixture = *state;
    struct made_flow flow = lost;
    write_file(fixture->path, 0, &flow, 1, &run);
    const struct flow_summary *summary = load_warm(fixture, 400 * MS); /* data from 5.0 s on */
    assert_int_equal(goodput_ns(summary), 500 * MS);
    assert_true(summary->goodput.bps == 16000);
}

static void test_a_warm_up_needs_a_file(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    const char *path = "-";
    write_file(fixture->path, 0, &steady, 1, &run);
    int saved = dup(STDIN_FILENO);
    for (int64_t warmup = 0; warmup < 2; warmup++) {
        assert_non_null(freopen(fixture->path, "rb", stdin));
        assert_int_equal(summary_load(&fixture->summary, &path, 1, warmup, &err),
                         warmup ? ERROR_INPUT : 0);
        summary_fini(&fixture->summary);
    }
    assert_non_null(strstr(err.cure, "--warmup 0"));
    dup2(saved, STDIN_FILENO);
    close(saved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(figures_come_from_reports),
        TEST(samples_stand_in_for_a_report),
        TEST(parts_are_one_flow),
        TEST(unknown_times_give_no_rate),
        TEST(bytes_that_waited_to_be_read),
        TEST(a_cut_file_is_read_as_far_as_it_goes),
        TEST(what_is_no_result),
        TEST(text_says_it_all),
        TEST(text_has_what_there_is),
        TEST(text_is_cut_at_max_flows),
        TEST(json_has_stable_keys),
        TEST(json_has_what_flows_were_tuned_by),
        TEST(json_has_null_where_nothing_is_known),
        TEST(a_standstill_and_its_cause),
        TEST(json_has_the_accounts),
        TEST(json_of_a_file_without_accounts),
        TEST(text_names_the_limit_and_what_is_wrong),
        TEST(runs_of_a_file_are_told_apart),
        TEST(flows_are_joined_over_runs),
        TEST(text_of_runs_has_medians),
        TEST(four_runs_have_quartiles),
        TEST(json_of_runs_has_each_and_all),
        TEST(files_are_runs),
        TEST(sets_stay_apart),
        TEST(unlike_flows_are_not_joined),
        TEST(two_runs_have_means),
        TEST(a_run_counts_once),
        TEST(a_standstill_is_in_the_median),
        TEST(a_figure_that_a_run_lacks),
        TEST(a_warm_up_is_left_out),
        TEST(a_runs_own_warm_up_counts),
        TEST(a_flow_shorter_than_its_warm_up),
        TEST(a_warm_up_without_a_report),
        TEST(a_warm_up_needs_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
