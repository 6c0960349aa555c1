#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/result.h"
#include "util/cleanup.h"

static void run_owns_what_it_is_given(void **state)
{
    (void)state;
    struct run_info run = {0};
    char text[32];
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "event %d", i);
        assert_int_equal(run_info_add_event(&run, i * 1000, text), 0);
        snprintf(text, sizeof text, "warning %d", i);
        assert_int_equal(run_info_add_warning(&run, text), 0);
    }
    assert_int_equal(run.event_count, 50);
    assert_int_equal(run.events[49].t_ns, 49000);
    assert_string_equal(run.events[49].text, "event 49");
    assert_string_equal(run.warnings[0], "warning 0");

    run.label = strdup("label");
    run.hosts = calloc(1, sizeof *run.hosts);
    run.host_count = 1;
    run.hosts[0].name = strdup("A");
    run.agents = calloc(2, sizeof *run.agents);
    run.agent_count = 2;
    run.agents[1].lost = strdup("gone");
    run_info_fini(&run);
    assert_null(run.events);
    assert_int_equal(run.host_count, 0);
    run_info_fini(&run);
}

struct end_row {
    int reported;
    enum end_status status;
    uint64_t payload; /* written or read */
    uint64_t acked;
    const char *error;
    int64_t closed_ns; /* 0: not known */
};

#define REPORT 1
#define SHUT   2 /* likewise, and a FIN stands behind what was written */
#define MISSING                     \
    {                               \
        0, END_UNKNOWN, 0, 0, "", 0 \
    }

static const struct {
    const char *name;
    struct end_row end[2]; /* src, dst */
    enum flow_status status;
    const char *error;
} rows[] = {
    {"both complete",
     {{REPORT, END_COMPLETE, 10, 10, "", 5}, {REPORT, END_COMPLETE, 10, 0, "", 6}},
     FLOW_COMPLETE,
     ""},
    {"complete, and nothing was written",
     {{REPORT, END_COMPLETE, 0, 0, "", 5}, {REPORT, END_COMPLETE, 0, 0, "", 6}},
     FLOW_FAILED,
     "no payload got across: none was written"},
    {"complete by an abort, and nothing came",
     {{REPORT, END_COMPLETE, 14480, 0, "", 5}, {REPORT, END_COMPLETE, 0, 0, "", 6}},
     FLOW_FAILED,
     "no payload got across: 14480 bytes were written, and none came"},
    {"complete by an abort, and something came",
     {{REPORT, END_COMPLETE, 14480, 0, "", 5}, {REPORT, END_COMPLETE, 1448, 0, "", 6}},
     FLOW_COMPLETE,
     ""},
    {"no report at all",
     {MISSING, MISSING},
     FLOW_FAILED,
     "the report of the dst end is missing: the agent of host B did not send it"},
    {"dst missing, src saw data acknowledged",
     {{REPORT, END_COMPLETE, 10, 8, "", 5}, MISSING},
     FLOW_PARTIAL,
     "the report of the dst end is missing: the agent of host B did not send it"},
    {"dst missing, src broke after data",
     {{REPORT, END_FAILED, 10, 8, "connection reset by peer", 5}, MISSING},
     FLOW_PARTIAL,
     "the report of the dst end is missing: the agent of host B did not send it; the other end: "
     "connection reset by peer"},
    {"dst missing, src never connected",
     {{REPORT, END_FAILED, 0, 0, "connection refused", 5}, MISSING},
     FLOW_FAILED,
     "the report of the dst end is missing: the agent of host B did not send it; the other end: "
     "connection refused"},
    {"src missing",
     {MISSING, {REPORT, END_COMPLETE, 10, 0, "", 6}},
     FLOW_PARTIAL,
     "the report of the src end is missing: the agent of host A did not send it"},
    {"src missing and nothing came",
     {MISSING, {REPORT, END_STOPPED, 0, 0, "", 6}},
     FLOW_FAILED,
     "the report of the src end is missing: the agent of host A did not send it"},
    {"src failed before data",
     {{REPORT, END_FAILED, 10, 0, "unknown algorithm", 5}, {REPORT, END_FAILED, 0, 0, "", 6}},
     FLOW_FAILED,
     "unknown algorithm"},
    {"dst failed in mid-flow",
     {{REPORT, END_COMPLETE, 10, 10, "", 5}, {REPORT, END_FAILED, 7, 0, "reset", 6}},
     FLOW_PARTIAL,
     "reset"},
    {"both failed, dst first",
     {{REPORT, END_FAILED, 10, 0, "broken pipe", 6}, {REPORT, END_FAILED, 7, 0, "no memory", 5}},
     FLOW_PARTIAL,
     "no memory"},
    {"both failed, src first",
     {{REPORT, END_FAILED, 10, 0, "no memory", 5}, {REPORT, END_FAILED, 7, 0, "reset", 6}},
     FLOW_PARTIAL,
     "no memory"},
    {"both failed, no times",
     {{REPORT, END_FAILED, 10, 0, "no memory", 0}, {REPORT, END_FAILED, 7, 0, "reset", 6}},
     FLOW_PARTIAL,
     "no memory"},
    {"cut",
     {{REPORT, END_CUT, 10, 9, "", 5}, {REPORT, END_COMPLETE, 9, 0, "", 6}},
     FLOW_PARTIAL,
     "the src end was cut: data was still under way when the drain limit passed"},
    {"all was read, of which src never heard",
     {{SHUT, END_FAILED, 10, 8, "connection reset by the peer", 7},
      {REPORT, END_COMPLETE, 10, 0, "", 6}},
     FLOW_COMPLETE,
     ""},
    {"all was read, and the drain limit passed at src",
     {{SHUT, END_CUT, 10, 8, "", 9}, {REPORT, END_COMPLETE, 10, 0, "", 6}},
     FLOW_COMPLETE,
     ""},
    {"all was read, but src had not ended",
     {{REPORT, END_FAILED, 10, 8, "worker process was killed", 5},
      {REPORT, END_COMPLETE, 10, 0, "", 6}},
     FLOW_PARTIAL,
     "worker process was killed"},
    {"not all was read",
     {{SHUT, END_FAILED, 11, 8, "connection reset by the peer", 7},
      {REPORT, END_COMPLETE, 10, 0, "", 6}},
     FLOW_PARTIAL,
     "connection reset by the peer"},
    {"all was read, but dst had not come to its end",
     {{SHUT, END_COMPLETE, 10, 8, "", 7}, {REPORT, END_CUT, 10, 0, "reset", 6}},
     FLOW_PARTIAL,
     "reset"},
    {"stopped",
     {{REPORT, END_COMPLETE, 10, 9, "", 5}, {REPORT, END_STOPPED, 9, 0, "", 6}},
     FLOW_PARTIAL,
     "the dst end was stopped before its scheduled end"},
    {"stopped before any data",
     {{REPORT, END_STOPPED, 0, 0, "", 5}, {REPORT, END_STOPPED, 0, 0, "", 6}},
     FLOW_FAILED,
     "the src end was stopped before its scheduled end"},
};

static void fill(struct flow_result *flow, enum flow_end end, const struct end_row *row)
{
    struct end_report *report = &flow->report[end];
    flow->has_report[end] = row->reported;
    report->status = row->status;
    report->payload_bytes = row->payload;
    report->payload_bytes_stop = row->acked;
    report->shut = row->reported == SHUT;
    snprintf(report->error, sizeof report->error, "%s", row->error);
    if (row->closed_ns) {
        report->times = 1u << T_CLOSED;
        report->at[T_CLOSED] = row->closed_ns;
    }
}

static void judges_flows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct flow_result flow = {.src = "A", .dst = "B", .error = "from before"};
        fill(&flow, END_SRC, &rows[i].end[END_SRC]);
        fill(&flow, END_DST, &rows[i].end[END_DST]);
        flow_result_judge(&flow);
        if (flow.status != rows[i].status || strcmp(flow.error, rows[i].error) != 0)
            fail_msg("%s: %d \"%s\"", rows[i].name, flow.status, flow.error);
    }
}

static void tells_flows_that_never_began(void **state)
{
    (void)state;
    struct flow_result flow = {.has_report = {true, true}, .start_ns = 6000};
    for (int end = 0; end < 2; end++) {
        flow.report[end].status = END_STOPPED;
        flow.report[end].times = 1u << T_CLOSED;
        flow.report[end].at[T_CLOSED] = 4000;
    }
    flow_result_judge(&flow);
    assert_int_equal(flow.status, FLOW_FAILED);
    assert_string_equal(flow.error, "the src end was stopped before its start");
}

static void long_errors_are_cut(void **state)
{
    (void)state;
    struct flow_result flow = {.has_report = {true, false}};
    struct end_report *src = &flow.report[END_SRC];
    src->status = END_FAILED;
    memset(src->error, 'x', sizeof src->error - 1);
    memset(flow.src, 'a', sizeof flow.src - 1);
    memset(flow.dst, 'b', sizeof flow.dst - 1);
    flow_result_judge(&flow);
    assert_int_equal(strlen(flow.error), sizeof flow.error - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_owns_what_it_is_given),
        cmocka_unit_test(judges_flows),
        cmocka_unit_test(tells_flows_that_never_began),
        cmocka_unit_test(long_errors_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
