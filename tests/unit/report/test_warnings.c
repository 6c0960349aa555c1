#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/totals.h"
#include "report/trouble.h"
#include "report/warnings.h"
#include "util/cleanup.h"

#define MS INT64_C(1000000)

/* Flow 7 of one second from 1 s on, with nothing to warn of. */
static struct flow_summary clean(void)
{
    struct flow_summary flow = {
        .flow = {.id = 7,
                 .start_ns = 1000 * MS,
                 .duration_ns = 1000 * MS,
                 .status = FLOW_COMPLETE,
                 .has_report = {true, true},
                 .verdict = {.limit = LIMIT_NETWORK, .source = {-1, -1}, .sink = {-1, -1}}},
        .has_begin = true,
        .rtt_min_ns = 20 * MS,
    };
    for (int end = 0; end < 2; end++) {
        struct end_report *report = &flow.flow.report[end];
        report->end = (enum flow_end)end;
        report->times = 1u << T_FIRST_BYTE | 1u << T_STOP;
        report->at[T_FIRST_BYTE] = (1001 + 10 * end) * MS;
        report->at[T_STOP] = 2001 * MS;
        report->samples_expected = 200;
        report->samples_taken = 198;
        report->samples_missed = 2;
        report->reading[READ_BEGIN].info_length = 1;
        report->reading[READ_BEGIN].t_ns = 1002 * MS;
    }
    return flow;
}

/* The run has the flow, and a clean one before it. */
static void expect(const struct flow_summary *flow, const char *text)
{
    struct flow_summary flows[] = {clean(), *flow};
    const struct run_summary run = {.flows = flows, .flow_count = 2};
    struct warnings warnings = {0};
    warnings_of(&warnings, &run);
    assert_false(warnings.incomplete);
    assert_int_equal(warnings.count, text != NULL);
    if (text)
        assert_string_equal(warnings.texts[0], text);
    assert_int_equal(warnings_have(&warnings, text ? text : "?"), text != NULL);
    warnings_fini(&warnings);
}

static void test_a_clean_run_has_none(void **state)
{
    (void)state;
    const struct flow_summary flow = clean();
    expect(&flow, NULL);
}

static void test_missed_samples(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.flow.report[END_DST].samples_missed = 50;
    flow.flow.report[END_DST].samples_taken = 150;
    flow.flow.report[END_SRC].samples_missed = 3;
    flow.gap[END_DST] = (struct gap){1200 * MS, 1050 * MS};
    expect(&flow, "1 of 2 flows: samples were missed; the worst is the dst end of flow 7, with "
                  "25 % (50 of 200), none for 1.05 s from 1.200 s on");
    flow.flow.report[END_DST].samples_expected = 0; /* nothing can be said */
    flow.flow.report[END_DST].samples_missed = 0;
    flow.flow.report[END_SRC].samples_missed = 2;
    expect(&flow, NULL);
}

static void test_late_begins_and_stops(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.flow.report[END_SRC].at[T_STOP] = 2800 * MS;
    expect(&flow, "1 of 2 flows stopped late; the worst is the src end of flow 7, by "
                  "800 ms");
    flow = clean();
    flow.flow.report[END_SRC].reading[READ_BEGIN].t_ns = 1011 * MS;
    expect(&flow, "1 of 2 flows started late; the worst is the src end of flow 7, by "
                  "11 ms");
    flow.flow.connect = CONNECT_AT_START; /* it waits for its connection */
    expect(&flow, NULL);
    flow = clean();
    flow.flow.report[END_SRC].at[T_STOP] = 1500 * MS; /* cut short */
    expect(&flow, NULL);
}

static void test_a_worker_that_waits(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.flow.verdict.sink.wait = 0.25;
    expect(&flow, "1 of 2 flows: a worker waited long for a core; the worst is the dst end of "
                  "flow 7, for 25 % of the time: CPUs were short");
    flow.flow.verdict.limit = LIMIT_HOST; /* the run has a warning of that */
    expect(&flow, NULL);
}

static void test_a_late_first_read(void **state)
{
    (void)state;
    static const char *const text =
        "1 of 2 flows: the receiver read its first data late; the worst is flow 7, %d ms behind "
        "the first write";
    char told[256];
    struct flow_summary flow = clean();
    flow.flow.report[END_DST].at[T_FIRST_BYTE] = (1001 + 160) * MS; /* 100 ms and three RTTs */
    expect(&flow, NULL);
    flow.flow.report[END_DST].at[T_FIRST_BYTE] += MS;
    snprintf(told, sizeof told, text, 161);
    expect(&flow, told);
    flow = clean();
    flow.read_late = true;
    snprintf(told, sizeof told, text, 10);
    expect(&flow, told);
}

static void test_a_rate_that_was_not_taken(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.flow.tuning.send_rate = 1000000;
    flow.flow.report[END_SRC].paced_bytes = 550;
    flow.flow.report[END_SRC].skipped_bytes = 450;
    expect(&flow, "1 of 2 flows: less was sent than send_rate offered; the worst is flow 7, which "
                  "skipped 45.0 % of it: the path, or the host, was too slow");
    flow = clean();
    flow.flow.tuning.read_rate = 1000000;
    flow.flow.report[END_DST].skipped_bytes = 450; /* nothing came */
    expect(&flow, NULL);
}

static void test_a_rate_that_was_not_read(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.flow.tuning.read_rate = 1000000;
    flow.flow.report[END_DST].paced_bytes = 880;
    flow.flow.report[END_DST].skipped_bytes = 120;
    flow.flow.report[END_DST].neglected_bytes = 50; /* of which more had not come */
    expect(&flow, NULL);
    flow.flow.report[END_DST].neglected_bytes = 103;
    expect(&flow, "1 of 2 flows: less was read than read_rate asks for, though it was there; the "
                  "worst is flow 7, which gave up 10.3 % of it: the receiver's program was held "
                  "up, or had too little CPU");
}

static void test_a_standstill(void **state)
{
    (void)state;
    static const char text[] =
        "1 of 2 flows stood still with data waiting: flow 7 longest, for 1 s from t = 1.250 s";
    char shut[sizeof text + 64];
    struct flow_summary flow = clean();
    flow.flow.duration_ns = 100000 * MS;
    flow.standstill = (struct standstill){1250 * MS, 999 * MS, false};
    expect(&flow, NULL);
    flow.standstill.ns = 1000 * MS;
    expect(&flow, text);
    snprintf(shut, sizeof shut, "%s, as its receiver's window was shut", text);
    flow.standstill.shut = true;
    expect(&flow, shut);
    flow.rtt_min_ns = 251 * MS; /* so far is the peer */
    expect(&flow, NULL);
}

/* A tenth of the flow's time, and what a timeout takes. */
static void test_a_standstill_of_a_short_flow(void **state)
{
    (void)state;
    static const char text[] =
        "1 of 2 flows stood still with data waiting: flow 7 longest, for 0.2 s from t = 0.000 s";
    struct flow_summary flow = clean();
    flow.flow.duration_ns = 2000 * MS;
    flow.standstill.ns = 199 * MS;
    expect(&flow, NULL);
    flow.standstill.ns = 200 * MS;
    expect(&flow, text);
    flow.flow.duration_ns = 2010 * MS;
    expect(&flow, NULL);
}

static void test_black_holes(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    strcpy(flow.flow.src, "A");
    strcpy(flow.flow.dst, "B");
    flow.hole = (struct mtu_hole){MTU_HOLE, 1500, 1100};
    expect(&flow, "1 of 2 flows: packets of 1500 bytes do not get through from A to B, those of "
                  "1100 do, and no router says so: a path MTU black hole (let ICMP "
                  "\"fragmentation needed\" (IPv6: \"packet too big\") pass, or lower the MTU "
                  "or the flows' mss); the first is flow 7");
    flow.hole.verdict = MTU_MAY_BE_HOLE;
    expect(&flow, "1 of 2 flows: after timeouts packets of up to 1100 bytes are sent from A to B, "
                  "which get through, and none of 1500: it may be a path MTU black hole (let ICMP "
                  "\"fragmentation needed\" (IPv6: \"packet too big\") pass, or lower the MTU "
                  "or the flows' mss), or the path was down; the first is flow 7");
    flow.hole.passed = 0;
    expect(&flow, "1 of 2 flows: the handshake got through from A to B, but not one packet of "
                  "1500 bytes: it may be a path MTU black hole (let ICMP \"fragmentation needed\" "
                  "(IPv6: \"packet too big\") pass, or lower the MTU or the flows' mss; "
                  "net.ipv4.tcp_mtu_probing=1 finds a size that passes), or the path went down; "
                  "the first is flow 7");
}

static void test_flows_shorter_than_the_warm_up(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    struct run_summary run = {.flows = &flow, .flow_count = 1, .warmup_ns = 5000 * MS};
    struct warnings warnings = {0};
    flow.goodput.lack = GOODPUT_BEHIND;
    warnings_of(&warnings, &run);
    assert_int_equal(warnings.count, 1);
    assert_string_equal(warnings.texts[0], "1 of 1 flows have no goodput: no sample with data is "
                                           "behind the warm-up of 5s");
    warnings_fini(&warnings);
}

static void test_why_there_is_no_goodput(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.goodput.lack = GOODPUT_FEW;
    expect(&flow,
           "1 of 2 flows have no goodput: fewer than 10 segments arrived in the counted time");
    flow.goodput.lack = GOODPUT_NO_DATA;
    expect(&flow, "1 of 2 flows have no goodput: no payload arrived");
    flow.flow.status = FLOW_FAILED; /* which says why */
    expect(&flow, NULL);
    flow.goodput.lack = GOODPUT_NO_SINK;
    expect(&flow, "1 of 2 flows have no goodput: the receiver's report and samples are missing");
}

static void test_goodput_that_is_less_than_it_should_be(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.goodput.doubtful = true;
    expect(&flow, "1 of 2 flows: their goodput (~) may be wrong by more than 1 %: the clocks, or "
                  "the moment of the last arrival, are not known well enough for so short a time; "
                  "summary --json has its limits");
    flow.goodput.least_bps = -1; /* the clocks' bounds are not known */
    expect(&flow, "1 of 2 flows: their goodput (~) may be wrong by more than 1 %: the clocks, or "
                  "the moment of the last arrival, are not known well enough for so short a time");
    flow = clean();
    flow.basis = BY_SAMPLES;
    expect(&flow, "1 of 2 flows: their goodput is of samples alone: the receiver's report is "
                  "missing");
    flow.basis = BY_READS;
    expect(&flow, "1 of 2 flows: their goodput counts from the receiver's first read on, not from "
                  "the source's first write, for their record has not what that takes: it may be "
                  "too high");
    flow.goodput.lack = GOODPUT_NO_TIMES;
    flow.flow.status = FLOW_FAILED;
    expect(&flow, "1 of 2 flows have no goodput: when payload was sent, or arrived, is not known");
}

/* Acknowledged early and read late, or acknowledged late: who was. */
static void test_whose_first_data_were_late(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    struct end_report *src = &flow.flow.report[END_SRC], *dst = &flow.flow.report[END_DST];
    src->times |= 1u << T_FIRST_ACKED;
    src->at[T_FIRST_ACKED] = 1021 * MS;
    dst->at[T_FIRST_BYTE] = 1031 * MS;
    expect(&flow, NULL);
    dst->at[T_FIRST_BYTE] = 1171 * MS;
    expect(&flow, "1 of 2 flows: the receiver's program read its first data late; the worst is "
                  "flow 7, 150 ms behind their acknowledgement: its host, not the network");
    flow.goodput.span.error_ns = 140 * MS; /* the clocks may be apart by as much */
    expect(&flow, NULL);
    flow.goodput.span.error_ns = 0;
    flow.flow.tuning.read_rate = 1000; /* as it shall */
    expect(&flow, NULL);

    src->at[T_FIRST_ACKED] = 1001 * MS + 160 * MS; /* 100 ms and three RTTs */
    dst->at[T_FIRST_BYTE] = 1100 * MS;
    expect(&flow, NULL);
    src->at[T_FIRST_ACKED] = 4701 * MS;
    expect(&flow, "1 of 2 flows: their first data were acknowledged late; the worst is flow 7, "
                  "3700 ms behind the first write: the network, not the receiver's program");
    src->times |= 1u << T_FIRST_LEFT;
    src->at[T_FIRST_LEFT] = 1001 * MS + MS / 2;
    expect(&flow, "1 of 2 flows: their first data were acknowledged late; the worst is flow 7, "
                  "3700 ms behind the first write (they left their host after 0.5 ms): the "
                  "network, not the receiver's program");
}

static void test_what_the_senders_queue_dropped(void **state)
{
    (void)state;
    struct flow_summary flow = clean();
    flow.flow.ledger = (struct ledger){.state = LEDGER_RECONCILES, .requeued = 942648};
    expect(&flow, "1 of 2 flows: 943 kB were sent again because the sender's own queue had dropped "
                  "them, which the kernel does not count as retransmits");
}

static void test_an_agent_that_had_other_runs(void **state)
{
    (void)state;
    struct run_agent agent = {.mgmt = (char[]){"h:1"}, .other_runs = 2};
    const struct run_summary run = {.run = {.agents = &agent, .agent_count = 1}};
    struct warnings warnings = {0};
    warnings_of(&warnings, &run);
    assert_true(warnings_have(&warnings,
                              "agent h:1: 2 other runs had flows there meanwhile: they shared its "
                              "machine and its networks"));
    warnings_fini(&warnings);
}

static void test_warnings_that_differ_in_figures(void **state)
{
    (void)state;
    char text[] = "1 of 5 flows: late; the worst is flow 4 at h:88, by 60.9 % (12 of 102)";
    const struct warnings warnings = {&(char *){text}, 1, false};
    const char *like = "2 of 5 flows: late; the worst is flow 4 at h:88, by 7 % (120 of 9)";
    assert_false(warnings_have(&warnings, like));
    assert_true(warnings_have_like(&warnings, like));
    static const char *const other[] = {
        "1 of 5 flows: late; the worst is flow 5 at h:88, by 60.9 % (12 of 102)",
        "1 of 5 flows: late; the worst is flow 4 at h:89, by 60.9 % (12 of 102)",
        "1 of 5 flows: late; the worst is flow 4 at h:88, by 60.9 %",
        "",
    };
    for (size_t i = 0; i < COUNT_OF(other); i++)
        assert_false(warnings_have_like(&warnings, other[i]));
}

/* ---- together ---- */

static struct flow_summary moved(int64_t from_ms, int64_t to_ms, uint64_t bytes)
{
    return (struct flow_summary){
        .has_begin = true,
        .goodput.span = {.bytes = bytes, .from_ns = from_ms * MS, .to_ns = to_ms * MS}};
}

static void test_flows_that_follow_one_another(void **state)
{
    (void)state;
    struct flow_summary flows[] = {moved(0, 1000, 1000), moved(1000, 2000, 3000)};
    struct run_summary run = {.flows = flows, .flow_count = 2};
    struct totals totals = totals_of(&run);
    assert_true(totals.whole);
    assert_int_equal(totals.goodput.span.from_ns, 0);
    assert_int_equal(totals.goodput.span.to_ns, 2000 * MS);
    assert_true(totals.goodput.bps == 16000);
    flows[1] = moved(0, 1000, 3000); /* at one time: the rates' sum */
    assert_true(totals_of(&run).goodput.bps == 32000);
    flows[1].goodput.lack = GOODPUT_FEW; /* too few for a figure of their own */
    assert_true(totals_of(&run).goodput.bps == 32000);
    flows[1].goodput.lack = GOODPUT_NO_TIMES;
    totals = totals_of(&run);
    assert_true(!totals.whole && totals.goodput.bps == 8000);
    flows[1].goodput.lack = GOODPUT_NO_DATA;
    totals = totals_of(&run);
    assert_true(totals.whole && totals.goodput.bps == 8000);
    flows[0].goodput.lack = GOODPUT_NO_DATA;
    assert_int_equal(totals_of(&run).goodput.lack, GOODPUT_NO_DATA);
}

/* From the least begin to the greatest end, and as well as the worst clocks are known. */
static void test_how_sure_the_sum_is(void **state)
{
    (void)state;
    struct flow_summary flows[] = {moved(0, 900, 1000), moved(100, 1000, 3000)};
    const struct run_summary run = {.flows = flows, .flow_count = 2};
    flows[0].goodput.span.error_ns = 5 * MS;
    flows[0].goodput.span.early_ns = 800 * MS; /* another one's end counts */
    flows[1].goodput.span.error_ns = 7 * MS;
    struct goodput goodput = totals_of(&run).goodput;
    assert_false(goodput.doubtful);
    assert_int_equal(goodput.span.error_ns, 7 * MS);
    assert_int_equal(goodput.span.early_ns, 0);
    assert_true(goodput.bps == 32000 && goodput.least_bps < 32000 && goodput.most_bps > 32000);
    flows[1].goodput.span.early_ns = 4 * MS;
    assert_true(totals_of(&run).goodput.doubtful);
    flows[0].goodput.span.error_ns = -1;
    goodput = totals_of(&run).goodput;
    assert_true(goodput.doubtful && goodput.least_bps < 0);
    flows[1].goodput.span.error_ns = 101 * MS;
    flows[0].goodput.span.error_ns = 0;
    assert_int_equal(totals_of(&run).goodput.lack, GOODPUT_UNCERTAIN);
}

static void test_pairs_of_hosts(void **state)
{
    (void)state;
    struct flow_summary flows[] = {moved(0, 1000, 1000), moved(0, 2000, 3000),
                                   moved(1000, 2000, 1000)};
    const struct run_summary run = {.flows = flows, .flow_count = 3};
    static const char *const hosts[][2] = {{"A", "B"}, {"B", "A"}, {"A", "B"}};
    for (int i = 0; i < 3; i++) {
        strcpy(flows[i].flow.src, hosts[i][0]);
        strcpy(flows[i].flow.dst, hosts[i][1]);
    }
    struct pair pairs[2];
    assert_int_equal(totals_of_pairs(&run, pairs, 2), 2);
    assert_string_equal(pairs[0].src, "A");
    assert_true(pairs[0].totals.goodput.bps == 8000 && pairs[1].totals.goodput.bps == 12000);
    assert_int_equal(totals_of_pairs(&run, pairs, 1), 0);
}

/* What is not known of a flow that moved data is not known of all. */
static void test_sums_of_what_is_not_known(void **state)
{
    (void)state;
    struct flow_summary flows[3] = {moved(0, 1000, 1000), moved(0, 1000, 3000)};
    struct run_summary run = {.flows = flows, .flow_count = 3};
    for (int i = 0; i < 2; i++) {
        flows[i].flow.has_report[END_DST] = true;
        flows[i].flow.report[END_DST].payload_bytes = 1000;
        flows[i].retransmits = (struct counted){true, 7};
    }
    struct totals totals = totals_of(&run);
    assert_true(totals.payload_bytes.known && totals.payload_bytes.value == 2000);
    assert_true(totals.retransmits.known && totals.retransmits.value == 14);
    assert_false(totals.ce_marks.known);
    flows[0].flow.has_report[END_DST] = false;
    flows[1].retransmits.known = false;
    totals = totals_of(&run);
    assert_false(totals.payload_bytes.known || totals.retransmits.known);
}

/* Those of DCTCP are marks; others echo until they are answered. */
static void test_marks_and_echoes(void **state)
{
    (void)state;
    struct flow_summary flows[] = {moved(0, 1000, 1000), moved(0, 1000, 3000)};
    const struct run_summary run = {.flows = flows, .flow_count = 2};
    strcpy(flows[0].flow.report[END_SRC].ccalg, "dctcp");
    strcpy(flows[1].flow.report[END_SRC].ccalg, "cubic");
    flows[0].ce_marks = (struct counted){true, 267};
    flows[1].ce_marks = (struct counted){true, 575};
    const struct totals totals = totals_of(&run);
    assert_true(totals.ce_marks.known);
    assert_int_equal(totals.ce_marks.value, 842);
    assert_int_equal(totals.echoes, 575);
}

/* ---- trouble ---- */

static void test_a_reason_is_told_once(void **state)
{
    (void)state;
    struct run_agent agent = {.mgmt = (char[]){"h:1"}, .lost = (char[]){"it fell silent"}};
    struct flow_summary flows[40] = {{.flow = {.status = FLOW_COMPLETE}}};
    struct run_summary runs[2] = {{.run = {.agents = &agent, .agent_count = 1}}};
    struct summary summary = {.runs = runs, .run_count = 1, .flows = flows, .flow_count = 40};
    for (int i = 1; i < 40; i++) {
        struct flow_result *flow = &flows[i].flow;
        flow->id = i;
        flow->status = i < 16 ? FLOW_FAILED : FLOW_PARTIAL;
        if (i < 15)
            strcpy(flow->error, "no route");
        else if (i < 18)
            strcpy(flow->error,
                   i == 16 ? "agent h:1 was lost: it fell silent" : "B was lost: it fell");
        else
            snprintf(flow->error, sizeof flow->error, "reason %d", i);
    }
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    trouble_text(&summary, out);
    fclose(out);
    assert_non_null(strstr(text,
                           "failed: 14 flows: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ...: no "
                           "route\nfailed: flow 15: B was lost\n"
                           "partial: flow 16: agent h:1 was lost\npartial: flow 17: B was lost\n"
                           "partial: flow 18: reason 18\n"));
    assert_non_null(
        strstr(text, "... and 16 more flows for other reasons, which summary --json has\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clean_run_has_none),
        cmocka_unit_test(test_missed_samples),
        cmocka_unit_test(test_late_begins_and_stops),
        cmocka_unit_test(test_a_worker_that_waits),
        cmocka_unit_test(test_a_late_first_read),
        cmocka_unit_test(test_a_rate_that_was_not_taken),
        cmocka_unit_test(test_a_rate_that_was_not_read),
        cmocka_unit_test(test_a_standstill),
        cmocka_unit_test(test_a_standstill_of_a_short_flow),
        cmocka_unit_test(test_black_holes),
        cmocka_unit_test(test_flows_shorter_than_the_warm_up),
        cmocka_unit_test(test_why_there_is_no_goodput),
        cmocka_unit_test(test_goodput_that_is_less_than_it_should_be),
        cmocka_unit_test(test_whose_first_data_were_late),
        cmocka_unit_test(test_what_the_senders_queue_dropped),
        cmocka_unit_test(test_an_agent_that_had_other_runs),
        cmocka_unit_test(test_warnings_that_differ_in_figures),
        cmocka_unit_test(test_flows_that_follow_one_another),
        cmocka_unit_test(test_how_sure_the_sum_is),
        cmocka_unit_test(test_pairs_of_hosts),
        cmocka_unit_test(test_sums_of_what_is_not_known),
        cmocka_unit_test(test_marks_and_echoes),
        cmocka_unit_test(test_a_reason_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
