#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/goodput.h"
#include "model/phases.h"
#include "model/tcp_fields.h"
#include "util/cleanup.h"
#include "util/clock.h"

static void test_by_the_time_that_passed(void **state)
{
    (void)state;
    assert_true(goodput_between(1000000, 0, NS_PER_S) == 8e6);
    assert_true(goodput_between(0, 5, 6) == 0);
    /* Two ticks of 250 ms were missed, and the next came 10 ms late: it is of 760 ms. */
    assert_true(goodput_between(760000, -10, 760 * NS_PER_MS - 10) == 8e6);
}

static void test_no_time_no_rate(void **state)
{
    (void)state;
    assert_true(goodput_between(1, 5, 5) == -1);
    assert_true(goodput_between(1, 5, 4) == -1);
    assert_true(goodput_between(1, INT64_MIN, INT64_MAX) == -1);
}

/* ---- a value with its limits, or a reason ---- */

#define MS NS_PER_MS

static void test_limits_and_reasons(void **state)
{
    (void)state;
    static const struct {
        struct goodput_span span;
        enum goodput_lack lack;
        bool doubtful;
        double bps, least, most;
    } table[] = {
        /* 1 MB in 1 s; the clocks are right to 10 ms, which is 1 % */
        {{1000000, -5, NS_PER_S - 5, 0, 0, 0, 0}, 0, false, 8e6, 8e6, 8e6},
        {{1000000, 0, NS_PER_S, 10 * MS, 0, 1000, MS}, 0, false, 8e6, 8e6 / 1.01, 8e6 / 0.99},
        {{1000000, 0, NS_PER_S, 11 * MS, 0, 0, 0}, 0, true, 8e6, 8e6 / 1.011, 8e6 / 0.989},
        {{1000000, 0, NS_PER_S, 100 * MS, 0, 0, 0}, 0, true, 8e6, 8e6 / 1.1, 8e6 / 0.9},
        {{1000000, 0, NS_PER_S, 101 * MS, 0, 0, 0}, GOODPUT_UNCERTAIN, false, -1, -1, -1},
        /* how much sooner the last arrival was makes it only faster, and never nothing */
        {{1000000, 0, NS_PER_S, 4 * MS, 8 * MS, 0, 0}, 0, true, 8e6, 8e6 / 1.004, 8e6 / 0.988},
        {{1000000, 0, NS_PER_S, MS, NS_PER_S, 0, 0}, 0, true, 8e6, 8e6 / 1.001, -1},
        {{1000000, 0, NS_PER_S, -1, 0, 0, 0}, 0, true, 8e6, -1, -1},
        {{10000, 0, NS_PER_S, 0, 0, 1000, 0}, 0, false, 80000, 80000, 80000},
        {{9999, 0, NS_PER_S, 0, 0, 1000, 0}, GOODPUT_FEW, false, -1, -1, -1},
        {{10000, 0, 19 * MS, 0, 0, 1000, 20 * MS}, GOODPUT_BRIEF, false, -1, -1, -1},
        /* nothing came, and that is a figure */
        {{0, 0, NS_PER_S, MS, 0, 1000, 0}, 0, false, 0, 0, 0},
        {{0, 0, NS_PER_S, 11 * MS, 0, 1000, 0}, 0, true, 0, 0, 0},
        {{0, 0, 19 * MS, 0, 0, 1000, 20 * MS}, GOODPUT_BRIEF, false, -1, -1, -1},
        {{0, 5, 5, 0, 0, 0, 0}, GOODPUT_NO_TIMES, false, -1, -1, -1},
        {{1, 5, 5, 0, 0, 0, 0}, GOODPUT_NO_TIMES, false, -1, -1, -1},
        {{1, 5, 4, 0, 0, 0, 0}, GOODPUT_NO_TIMES, false, -1, -1, -1},
        {{1, INT64_MIN, INT64_MAX, 0, 0, 0, 0}, GOODPUT_NO_TIMES, false, -1, -1, -1},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct goodput goodput = goodput_of(&table[i].span);
        assert_int_equal(goodput.lack, table[i].lack);
        assert_int_equal(goodput.doubtful, table[i].doubtful);
        assert_float_equal(goodput.bps, table[i].bps, 1e-6);
        assert_float_equal(goodput.least_bps, table[i].least, 1e-6);
        assert_float_equal(goodput.most_bps, table[i].most, 1e-6);
        const bool moved = goodput.lack == 0 || goodput.lack >= GOODPUT_FEW;
        assert_int_equal(goodput_has_span(&goodput), moved);
        assert_int_equal(*goodput_lack_text(goodput.lack) != '\0', goodput.lack != 0);
    }
}

/* ---- a sink's readings ---- */

/* 60 of 100 kB had come when the sink stopped at 1 s, the last of it at some time 5 ms before. */
static struct end_report sink_at_stop(void)
{
    return (struct end_report){
        .times = 1u << T_STOP | 1u << T_LAST_BYTE,
        .at = {[T_STOP] = 1000 * MS, [T_LAST_BYTE] = 1100 * MS},
        .payload_bytes = 100000,
        .payload_bytes_stop = 60000,
        .reading = {[READ_STOP] = {.t_ns = 1000 * MS,
                                   .info_length = 280,
                                   .state = LINUX_TCP_ESTABLISHED,
                                   .received = 60016,
                                   .data_segs = 61,
                                   .last_data_recv_ms = 8,
                                   .jiffy_us = 4000}},
    };
}

static void test_the_span_of_a_sink(void **state)
{
    (void)state;
    struct end_report source = {
        .payload_bytes = 100000,
        .reading = {[READ_STOP] = {.info_length = 280, .min_rtt_us = 1500}}};
    struct end_report sink = sink_at_stop();
    struct goodput_span span = goodput_span_of(&source, &sink);
    assert_int_equal(span.bytes, 60000);
    assert_int_equal(span.to_ns, 1000 * MS);
    assert_int_equal(span.early_ns, 0);
    assert_int_equal(span.segment, 60016 / 61);
    assert_int_equal(span.min_rtt_ns, 1500000);

    /* All that there was had come: 4 to 12 ms before, in jiffies of 4 ms; the latest counts. */
    source.payload_bytes = sink.payload_bytes = 60000;
    span = goodput_span_of(&source, &sink);
    assert_int_equal(span.bytes, 60000);
    assert_int_equal(span.to_ns, 996 * MS);
    assert_int_equal(span.early_ns, 8 * MS);
    sink.at[T_LAST_BYTE] = 993 * MS; /* it was read by then */
    span = goodput_span_of(&source, &sink);
    assert_int_equal(span.to_ns, 993 * MS);
    assert_int_equal(span.early_ns, 5 * MS);
    sink.at[T_LAST_BYTE] =
        900 * MS; /* the clock of jiffies stood still: nothing is later than read */
    span = goodput_span_of(&source, &sink);
    assert_int_equal(span.to_ns, 900 * MS);
    assert_int_equal(span.early_ns, 0);
    sink.payload_bytes = 50000; /* not all was read */
    assert_int_equal(goodput_span_of(&source, &sink).to_ns, 996 * MS);
    sink.reading[READ_STOP].last_data_recv_ms = 0; /* never behind the reading */
    span = goodput_span_of(&source, &sink);
    assert_int_equal(span.to_ns, 1000 * MS);
    assert_int_equal(span.early_ns, 4 * MS);
    sink.reading[READ_STOP].jiffy_us = 3333; /* HZ 300: whole ms are cut */
    assert_int_equal(goodput_span_of(&source, &sink).early_ns, 4333000);
}

/* A FIN, or a reset, is behind all that comes, whatever is known of the source. */
static void test_nothing_comes_behind_the_end(void **state)
{
    (void)state;
    struct end_report sink = sink_at_stop();
    for (uint8_t state_of = 0; state_of < 13; state_of++) {
        sink.reading[READ_STOP].state = state_of;
        const bool over = state_of >= LINUX_TCP_TIME_WAIT && state_of <= LINUX_TCP_CLOSING;
        const struct goodput_span span = goodput_span_of(NULL, &sink);
        assert_int_equal(span.to_ns, over ? 996 * MS : 1000 * MS);
        assert_int_equal(span.min_rtt_ns, 0);
    }
    sink.reading[READ_STOP].jiffy_us = 0; /* an earlier version's */
    assert_false(goodput_is_told(&sink));
    sink.reading[READ_STOP].state = LINUX_TCP_CLOSE;
    assert_int_equal(goodput_span_of(NULL, &sink).to_ns, 1000 * MS);
}

static void test_figures_that_cannot_be(void **state)
{
    (void)state;
    struct end_report sink = sink_at_stop();
    struct end_report source = {.payload_bytes = 60000};
    struct reading *stop = &sink.reading[READ_STOP];
    stop->t_ns = sink.at[T_STOP] = INT64_MIN;
    stop->last_data_recv_ms = stop->jiffy_us = stop->data_segs = UINT32_MAX;
    stop->received = UINT64_MAX;
    source.reading[READ_STOP].min_rtt_us = UINT32_MAX; /* the kernel's: none was measured */
    struct goodput_span span = goodput_span_of(&source, &sink);
    assert_int_equal(span.min_rtt_ns, 0);
    span.from_ns = INT64_MAX;
    assert_int_equal(goodput_of(&span).lack, GOODPUT_NO_TIMES);
    stop->data_segs = 1;
    assert_int_equal(goodput_span_of(&source, &sink).segment, 0);
}

static void test_phases_are_apart(void **state)
{
    (void)state;
    struct end_report source = {
        .times = (1u << END_TIMES) - 1,
        .at = {[T_CONNECT] = -2000,
               [T_CONNECTED] = -1500,
               [T_FIRST_BYTE] = 10,
               [T_STOP] = 1010,
               [T_LAST_BYTE] = 1040,
               [T_CLOSED] = 2000},
    };
    struct phases phases = phases_of(&source);
    assert_int_equal(phases.setup_ns, 500);
    assert_int_equal(phases.transfer_ns, 1000);
    assert_int_equal(phases.drain_ns, 30);

    source.times &= ~(1u << T_LAST_BYTE); /* aborted */
    assert_int_equal(phases_of(&source).drain_ns, -1);
    source.at[T_STOP] = 9;
    assert_int_equal(phases_of(&source).transfer_ns, -1);
    source.at[T_CONNECT] = INT64_MAX;
    source.at[T_CONNECTED] = INT64_MIN;
    assert_int_equal(phases_of(&source).setup_ns, -1);
    phases = phases_of(NULL);
    assert_int_equal(phases.setup_ns, -1);
    assert_int_equal(phases.transfer_ns, -1);
    assert_int_equal(phases.drain_ns, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_the_time_that_passed),
        cmocka_unit_test(test_no_time_no_rate),
        cmocka_unit_test(test_limits_and_reasons),
        cmocka_unit_test(test_the_span_of_a_sink),
        cmocka_unit_test(test_nothing_comes_behind_the_end),
        cmocka_unit_test(test_figures_that_cannot_be),
        cmocka_unit_test(test_phases_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
