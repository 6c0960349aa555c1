/* What a flow's goodput goes by: reports, samples, clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/flow_goodput.h"

#define MS INT64_C(1000000)

static struct run_host hosts[] = {{.agent = 0}, {.agent = 1}};
static struct run_agent agents[] = {{.clock = {.error_ns = 2 * MS, .exchanges = 8}},
                                    {.clock = {.error_ns = MS, .exchanges = 8}}};
static const struct run_info run = {
    .hosts = hosts, .host_count = 2, .agents = agents, .agent_count = 2};

/* From 0 s on; nothing came before 1.2 s; by 2.5 s 1 MB had come of 2 MB. */
static struct flow_summary held(void)
{
    struct flow_summary flow = {
        .flow = {.dst_host = 1, .has_report = {true, true}},
        .from_ns = INT64_MIN,
        .first_row = {true, 500 * MS, TOKEN_SIZE},
        .data_row = {true, 1500 * MS, 200000 + TOKEN_SIZE},
        .last_row = {true, 2400 * MS, 900000 + TOKEN_SIZE},
    };
    struct end_report *src = &flow.flow.report[END_SRC], *dst = &flow.flow.report[END_DST];
    src->preamble_bytes = dst->preamble_bytes = TOKEN_SIZE;
    src->times = 1u << T_FIRST_BYTE;
    src->at[T_FIRST_BYTE] = 0;
    src->payload_bytes = dst->payload_bytes = 2000000;
    src->reading[READ_STOP] =
        (struct reading){.info_length = 280, .jiffy_us = 4000, .min_rtt_us = 20000};
    dst->times = 1u << T_FIRST_BYTE | 1u << T_STOP;
    dst->at[T_FIRST_BYTE] = 1200 * MS;
    dst->at[T_STOP] = 2500 * MS;
    dst->payload_bytes_stop = 1000000;
    dst->reading[READ_STOP] = (struct reading){
        .info_length = 280, .jiffy_us = 4000, .received = 1000016, .data_segs = 1000};
    return flow;
}

static void expect(struct flow_summary *flow, enum goodput_basis basis, uint64_t bytes,
                   int64_t from_ms, int64_t to_ms)
{
    flow_goodput_set(flow, &run);
    assert_int_equal(flow->basis, basis);
    assert_int_equal(flow->goodput.lack, GOODPUT_THERE_IS);
    assert_int_equal(flow->goodput.span.bytes, bytes);
    assert_int_equal(flow->goodput.span.from_ns, from_ms * MS);
    assert_int_equal(flow->goodput.span.to_ns, to_ms * MS);
}

/* Bytes and time of one span; the receiver's own rate is another. */
static void test_by_both_kernels(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    expect(&flow, BY_KERNELS, 1000000, 0, 2500);
    assert_true(flow.goodput.bps == 3.2e6);
    assert_int_equal(flow.goodput.span.error_ns, 3 * MS);
    assert_false(flow.goodput.doubtful);
    assert_int_equal(flow.begin_ns, 0);
    assert_true(flow.receive.bps == 6.4e6); /* 800 kB in 1 s */
    assert_int_equal(flow.receive.span.error_ns, 0);
}

static void test_how_well_clocks_are_known(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    flow.same_agent = true;
    expect(&flow, BY_KERNELS, 1000000, 0, 2500);
    assert_int_equal(flow.goodput.span.error_ns, 0);
    flow = held();
    agents[1].clock.exchanges = 0; /* recovered from spools */
    expect(&flow, BY_KERNELS, 1000000, 0, 2500);
    agents[1].clock.exchanges = 8;
    assert_int_equal(flow.goodput.span.error_ns, -1);
    assert_true(flow.goodput.doubtful && flow.goodput.least_bps < 0);
    flow = held();
    flow.flow.src_host = 2; /* no such host */
    expect(&flow, BY_KERNELS, 1000000, 0, 2500);
    assert_int_equal(flow.goodput.span.error_ns, -1);
    flow = held();
    agents[0].clock.error_ns = 300 * MS;
    flow_goodput_set(&flow, &run);
    agents[0].clock.error_ns = 2 * MS;
    assert_int_equal(flow.goodput.lack, GOODPUT_UNCERTAIN);
    assert_true(flow.receive.bps == 6.4e6); /* of one clock */
}

/* One reading of the receiver's is taken off, whether there was data by then or not. */
static void test_behind_a_warm_up(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    flow.from_ns = 500 * MS;
    expect(&flow, BY_KERNELS, 1000000, 500, 2500);
    assert_int_equal(flow.goodput.span.error_ns, 0);
    flow.first_row = flow.data_row;
    expect(&flow, BY_KERNELS, 800000, 1500, 2500);
    flow.first_row.t_ns = 2500 * MS;
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_BEHIND);
}

/* The flow was there until its stop, whenever data came last. */
static void test_a_standstill_behind_the_warm_up(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    flow.from_ns = 1600 * MS;
    flow.first_row = flow.data_row = (struct counted_row){true, 1600 * MS, 1000000 + TOKEN_SIZE};
    expect(&flow, BY_KERNELS, 0, 1600, 2500);
    assert_true(flow.goodput.bps == 0 && !flow.goodput.doubtful);
    flow.flow.report[END_SRC].payload_bytes = 1000000; /* all had come: it offered no more */
    flow.flow.report[END_DST].reading[READ_STOP].t_ns = 2500 * MS;
    flow.flow.report[END_DST].reading[READ_STOP].last_data_recv_ms = 1300;
    expect(&flow, BY_KERNELS, 0, 1600, 2500);
    flow.flow.report[END_DST].at[T_STOP] = 1500 * MS; /* it was over before */
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_BEHIND);
}

static void test_without_the_sinks_report(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    flow.flow.has_report[END_DST] = false;
    expect(&flow, BY_SAMPLES, 900000, 0, 2400);
    assert_int_equal(flow.receive.lack, GOODPUT_NO_TIMES);
    flow.from_ns = 500 * MS;
    expect(&flow, BY_SAMPLES, 900000, 500, 2400);
    flow = held();
    flow.flow.has_report[END_DST] = flow.data_row.known = false;
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_NO_DATA);
    flow.acked_row = (struct counted_row){true, 1100 * MS, 1000}; /* it came: nobody knows when */
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_NO_SINK);
    flow.samples[END_DST] = 1; /* without payload */
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_NO_DATA);
}

/* What earlier versions wrote, and what lacks its source, is figured as it was. */
static void test_from_the_first_read_on(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    flow.flow.has_report[END_SRC] = false;
    expect(&flow, BY_READS, 1000000, 1200, 2500);
    flow = held();
    flow.flow.report[END_DST].reading[READ_STOP].jiffy_us = 0;
    expect(&flow, BY_READS, 1000000, 1200, 2500);
    assert_true(flow.goodput.bps == 8e6 / 1.3);
    assert_int_equal(flow.goodput.span.error_ns, 0);
    assert_int_equal(flow.receive.lack, GOODPUT_NO_TIMES);
    flow.acked_row = (struct counted_row){true, 1100 * MS, 1000};
    expect(&flow, BY_READS, 1000000, 1100, 2500);
    assert_true(flow.read_late);
    flow.from_ns = 1500 * MS;
    expect(&flow, BY_READS, 800000, 1500, 2500);
    flow = held();
    flow.flow.has_report[END_DST] = flow.flow.has_report[END_SRC] = false;
    flow.flow.report[END_DST].preamble_bytes = flow.flow.report[END_SRC].preamble_bytes = 0;
    expect(&flow, BY_READS, 700000, 1500, 2400);
}

static void test_nothing_arrived(void **state)
{
    (void)state;
    struct flow_summary flow = held();
    flow.flow.report[END_DST].times = 1u << T_STOP;
    flow.flow.report[END_DST].payload_bytes_stop = 0;
    expect(&flow, BY_KERNELS, 0, 0, 2500); /* that is known: a figure of 0 */
    assert_true(flow.goodput.bps == 0 && flow.has_begin);
    flow.flow.report[END_DST].times = 0; /* until when, nobody knows */
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_NO_DATA);
    assert_true(flow.goodput.bps < 0);
    flow.flow.report[END_DST].times = 1u << T_FIRST_BYTE; /* nor how much came by then */
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_NO_TIMES);
    flow = held(); /* it came, and was not read */
    flow.flow.report[END_DST].times = 1u << T_STOP;
    flow.flow.report[END_DST].payload_bytes = 0;
    expect(&flow, BY_KERNELS, 1000000, 0, 2500);
    assert_true(flow.has_begin);
    flow = held(); /* it never began */
    flow.flow.report[END_DST] = flow.flow.report[END_SRC] = (struct end_report){0};
    flow_goodput_set(&flow, &run);
    assert_int_equal(flow.goodput.lack, GOODPUT_NO_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_both_kernels),
        cmocka_unit_test(test_how_well_clocks_are_known),
        cmocka_unit_test(test_behind_a_warm_up),
        cmocka_unit_test(test_a_standstill_behind_the_warm_up),
        cmocka_unit_test(test_without_the_sinks_report),
        cmocka_unit_test(test_from_the_first_read_on),
        cmocka_unit_test(test_nothing_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
