/* Flows that go well, over loopback, and their ends by time or by command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

static void run_to_the_end(struct rig *src, struct rig *dst, unsigned flows)
{
    const int64_t in = 20 * NS_PER_MS;
    rig_start(src, in);
    if (dst != src)
        rig_start(dst, in);
    rig_wait_reports(src, src == dst ? 2 * flows : flows);
    rig_wait_reports(dst, src == dst ? 2 * flows : flows);
    rig_close(src);
    rig_close(dst);
}

/* The kernel's word on the first byte: written, let out, come, acknowledged. */
static void check_first_byte(const struct end_report *src, const struct end_report *dst)
{
    const uint32_t all = 1u << T_FIRST_BYTE | 1u << T_FIRST_LEFT | 1u << T_FIRST_ACKED;
    assert_int_equal(src->times & all, all);
    assert_int_equal(dst->times & all, 1u << T_FIRST_BYTE);
    assert_true(src->at[T_FIRST_BYTE] <= src->at[T_FIRST_LEFT]);
    assert_true(src->at[T_FIRST_LEFT] <= src->at[T_FIRST_ACKED]);
    assert_true(src->at[T_FIRST_ACKED] <= src->at[T_STOP]);
    const struct reading *stop = &dst->reading[READ_STOP];
    assert_true(stop->jiffy_us >= 1000 && stop->jiffy_us <= 10000);
    assert_true(stop->last_data_recv_ms <= 100);
}

static void test_one_flow_between_two_engines(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.nodelay = true;
    rig_prepare_flow(src, dst, &spec);
    rig_wait_ready(src, 1);
    rig_wait_ready(dst, 1);
    run_to_the_end(src, dst, 1);
    rig_check_complete(src, dst, 0);
    const struct end_report *sent = rig_report(src, 0, END_SRC);
    const struct end_report *received = rig_report(dst, 0, END_DST);
    assert_string_equal(sent->ccalg, "cubic");
    assert_string_equal(received->ccalg, "cubic");
    assert_true(sent->nodelay);
    assert_false(sent->ecn);
    assert_int_equal(sent->notsent_lowat, 1 << 20);
    assert_string_equal(sent->device, "lo");
    assert_int_equal(sent->preamble_bytes, TOKEN_SIZE);
    assert_int_equal(sent->write_size, ENGINE_WRITE_SIZE);
    assert_int_equal(sent->read_size, ENGINE_READ_SIZE);
    assert_string_equal(sent->local_address, "127.0.0.1");
    assert_int_equal(sent->peer_port, spec.peer_port);
    assert_int_equal(received->local_port, spec.peer_port);
    assert_int_equal(sent->local_port, received->peer_port);
    assert_true(sent->samples_expected >= 11); /* 0, 10, ... 100 ms, and the drain */
    check_first_byte(sent, received);
    assert_int_equal(src->heard[0][END_SRC].last.flow, 0);
    rig_free(src);
    rig_free(dst);
}

static void test_fifty_flows_in_one_engine(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    for (uint32_t flow = 0; flow < 50; flow++) {
        struct end_spec spec = rig_flow(flow);
        rig_prepare_flow(rig, rig, &spec);
    }
    rig_wait_ready(rig, 100);
    assert_int_equal(engine_totals(rig->engine).ends, 100);
    assert_int_equal(engine_totals(rig->engine).ends_over, 0);
    rig_start(rig, 20 * NS_PER_MS);
    rig_wait_reports(rig, 100);
    rig_sleep_ms(50); /* totals are told once a round */
    const struct engine_totals totals = engine_totals(rig->engine);
    rig_close(rig);
    uint64_t payload = 0;
    for (uint32_t flow = 0; flow < 50; flow++) {
        rig_check_complete(rig, rig, flow);
        payload += rig_report(rig, flow, END_SRC)->payload_bytes;
    }
    assert_int_equal(totals.ends_over, 100);
    assert_int_equal(totals.sent_bytes, payload);
    assert_int_equal(totals.received_bytes, payload);
    rig_free(rig);
}

/* Connected at the start, which is later than t0: its ticks begin there. */
static void test_connect_at_a_late_start(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(7);
    spec.start_ns = 205 * NS_PER_MS;
    spec.connect = CONNECT_AT_START;
    rig_prepare_flow(rig, rig, &spec);
    const int64_t before = clock_now();
    run_to_the_end(rig, rig, 1);
    rig_check_complete(rig, rig, 7);
    const struct end_report *sent = rig_report(rig, 7, END_SRC);
    assert_true(sent->at[T_CONNECT] >= before + spec.start_ns);
    assert_true(sent->at[T_CONNECTED] >= sent->at[T_CONNECT]);
    assert_true(sent->at[T_FIRST_BYTE] >= sent->at[T_CONNECTED]);
    assert_true(sent->at[T_STOP] > sent->at[T_FIRST_BYTE]);
    assert_true(sent->at[T_LAST_BYTE] >= sent->at[T_STOP]);
    assert_true(rig->heard[7][END_SRC].last_tick >= 21);
    rig_free(rig);
}

static void test_connect_ahead_of_a_late_start(void **state)
{
    (void)state;
    struct engine_options options = rig_options();
    options.lead_ns = 100 * NS_PER_MS;
    struct rig *rig = rig_open(&options);
    struct end_spec spec = rig_flow(1);
    spec.start_ns = 200 * NS_PER_MS;
    rig_prepare_flow(rig, rig, &spec);
    rig_sleep_ms(50);
    assert_int_equal(rig->ready, 0);
    const int64_t before = clock_now();
    run_to_the_end(rig, rig, 1);
    rig_check_complete(rig, rig, 1);
    const struct end_report *sent = rig_report(rig, 1, END_SRC);
    assert_true(sent->at[T_CONNECT] >= before + spec.start_ns - options.lead_ns);
    assert_true(sent->at[T_FIRST_BYTE] >= before + spec.start_ns);
    rig_free(rig);
}

static void test_abort(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.finish = FINISH_ABORT;
    rig_prepare_flow(src, dst, &spec);
    run_to_the_end(src, dst, 1);
    const struct end_report *sent = rig_report(src, 0, END_SRC);
    const struct end_report *received = rig_report(dst, 0, END_DST);
    assert_string_equal(received->error, "");
    assert_int_equal(sent->status, END_COMPLETE);
    assert_int_equal(received->status, END_COMPLETE);
    assert_true(sent->payload_bytes_stop <= received->payload_bytes);
    assert_true(received->payload_bytes <= sent->payload_bytes);
    assert_false(sent->times & 1u << T_LAST_BYTE);
    rig_check_ledgers(src, dst);
    rig_free(src);
    rig_free(dst);
}

/* A sink that reads slowly has megabytes left to read when the source's reset comes. */
static void test_reset_takes_no_data_from_a_slow_reader(void **state)
{
    (void)state;
    struct engine_options slow = rig_options();
    slow.read_size = 1000;
    struct rig *src = rig_open(NULL), *dst = rig_open(&slow);
    struct end_spec spec = rig_flow(0);
    rig_prepare_flow(src, dst, &spec);
    run_to_the_end(src, dst, 1);
    rig_check_complete(src, dst, 0);
    rig_free(src);
    rig_free(dst);
}

static void test_over_ipv6(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    snprintf(spec.local_address, sizeof spec.local_address, "::1");
    snprintf(spec.peer_address, sizeof spec.peer_address, "::1");
    rig_prepare_flow(rig, rig, &spec);
    run_to_the_end(rig, rig, 1);
    rig_check_complete(rig, rig, 0);
    assert_string_equal(rig_report(rig, 0, END_DST)->peer_address, "::1");
    rig_free(rig);
}

/* The accepting end sends. */
static void test_reverse(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.source = false;
    spec.sink = true;
    rig_prepare_flow(rig, rig, &spec);
    run_to_the_end(rig, rig, 1);
    const struct end_report *src = rig_report(rig, 0, END_SRC);
    const struct end_report *dst = rig_report(rig, 0, END_DST);
    assert_int_equal(src->status, END_COMPLETE);
    assert_int_equal(dst->status, END_COMPLETE);
    assert_int_not_equal(src->payload_bytes, 0);
    assert_int_equal(src->payload_bytes, dst->payload_bytes);
    rig_check_ledgers(rig, rig);
    rig_free(rig);
}

static void test_both_ways(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.sink = true;
    rig_prepare_flow(src, dst, &spec);
    run_to_the_end(src, dst, 1);
    for (enum flow_end end = END_SRC; end <= END_DST; end++) {
        const struct end_report *report = rig_report(end == END_SRC ? src : dst, 0, end);
        assert_string_equal(report->error, "");
        assert_int_equal(report->status, END_COMPLETE);
        assert_int_not_equal(report->payload_bytes, 0);
    }
    rig_check_ledgers(src, dst);
    rig_free(src);
    rig_free(dst);
}

static void test_stop_in_mid_run(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec running = rig_flow(0), waiting = rig_flow(1);
    running.duration_ns = waiting.duration_ns = 60 * NS_PER_S;
    waiting.start_ns = 30 * NS_PER_S;
    rig_prepare_flow(rig, rig, &running);
    rig_prepare_flow(rig, rig, &waiting);
    rig_start(rig, 0);
    rig_sleep_ms(100);
    engine_stop(rig->engine);
    rig_wait_reports(rig, 4);
    engine_stop(rig->engine);
    rig_close(rig);
    for (enum flow_end end = END_SRC; end <= END_DST; end++) {
        const struct end_report *report = rig_report(rig, 0, end);
        assert_int_equal(report->status, END_STOPPED);
        assert_string_equal(report->error, "");
        assert_int_not_equal(report->payload_bytes, 0);
        assert_true(report->times & 1u << T_STOP);
        assert_int_not_equal(report->samples_taken, 0);
        report = rig_report(rig, 1, end);
        assert_int_equal(report->status, END_STOPPED);
        assert_int_equal(report->samples_expected, 0);
    }
    rig_check_ledgers(rig, rig);
    rig_free(rig);
}

static void test_stop_before_the_start(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    engine_stop(rig->engine);
    rig_wait_reports(rig, 2);
    rig_close(rig);
    assert_int_equal(rig_report(rig, 0, END_SRC)->status, END_STOPPED);
    assert_int_equal(rig_report(rig, 0, END_DST)->status, END_STOPPED);
    rig_check_ledgers(rig, rig);
    rig_free(rig);
}

/* The other agent hears of it a little later: its end was not failed by the reset that came. */
static void test_stop_of_one_agent_after_the_other(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 60 * NS_PER_S;
    rig_prepare_flow(src, dst, &spec);
    rig_start(src, 0);
    rig_start(dst, 0);
    rig_sleep_ms(50);
    engine_stop(src->engine);
    rig_wait_reports(src, 1);
    engine_stop(dst->engine);
    rig_wait_reports(dst, 1);
    rig_close(src);
    rig_close(dst);
    assert_int_equal(rig_report(src, 0, END_SRC)->status, END_STOPPED);
    assert_int_equal(rig_report(dst, 0, END_DST)->status, END_STOPPED);
    assert_string_equal(rig_report(dst, 0, END_DST)->error, "");
    rig_check_ledgers(src, dst);
    rig_free(src);
    rig_free(dst);
}

/* Bytes left and arrived behind the last readings, in either order of the two stops; and the same
 * where one is reset in the middle of it by an agent that dies. */
static void test_every_byte_of_flows_that_are_stopped(void **state)
{
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
        for (uint32_t flow = 0; flow < 4; flow++) {
            struct end_spec spec = rig_flow(flow);
            spec.duration_ns = 60 * NS_PER_S;
            spec.connect = flow % 2 ? CONNECT_AT_START : CONNECT_AHEAD;
            rig_prepare_flow(src, dst, &spec);
        }
        rig_start(src, 0);
        rig_start(dst, 0);
        rig_sleep_ms(30 + round);
        engine_stop(round % 2 ? src->engine : dst->engine);
        engine_stop(round % 2 ? dst->engine : src->engine);
        rig_wait_reports(src, 4);
        rig_wait_reports(dst, 4);
        rig_close(src);
        rig_close(dst);
        rig_check_ledgers(src, dst);
        rig_free(src);
        rig_free(dst);
    }
}

static const struct reading *reading(const struct rig *rig, enum flow_end end, int which)
{
    return &rig_report(rig, 0, end)->reading[which];
}

/* What happens before the begin and behind the stop is not in their difference. */
static void test_readings(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 300 * NS_PER_MS;
    rig_prepare_flow(src, dst, &spec);
    run_to_the_end(src, dst, 1);
    for (enum flow_end end = END_SRC; end <= END_DST; end++) {
        const struct rig *rig = end == END_SRC ? src : dst;
        const struct end_report *report = rig_report(rig, 0, end);
        for (int which = READ_BEGIN; which < READINGS; which++) {
            assert_int_not_equal(reading(rig, end, which)->info_length, 0);
            assert_true(reading(rig, end, which)->cpu_ns > 0);
        }
        assert_int_equal(reading(rig, end, READ_STOP)->t_ns, report->at[T_STOP]);
        assert_int_equal(reading(rig, end, READ_CLOSE)->t_ns, report->at[T_CLOSED]);
        assert_true(reading(rig, end, READ_BEGIN)->t_ns < report->at[T_STOP]);
        const struct reading *begin = reading(rig, end, READ_BEGIN);
        const struct reading *stop = reading(rig, end, READ_STOP);
        assert_true(stop->cpu_ns - begin->cpu_ns <= stop->worker_ns - begin->worker_ns);
    }
    const struct reading *stop = reading(src, END_SRC, READ_STOP);
    assert_true(stop->busy_us > 0 && stop->busy_us <= 400000);
    assert_true(stop->send_buffer > 0);
    assert_int_equal(reading(src, END_SRC, READ_CLOSE)->written,
                     rig_report(src, 0, END_SRC)->payload_bytes);
    assert_int_equal(reading(src, END_SRC, READ_CLOSE)->notsent, 0);
    rig_free(src);
    rig_free(dst);
}

/* Ticks of 1 ms: each that was taken is in the histogram, each that was not is missed. */
static void test_lateness_of_every_sample(void **state)
{
    (void)state;
    struct engine_options options = rig_options();
    options.interval_ns = NS_PER_MS;
    struct rig *rig = rig_open(&options);
    for (uint32_t flow = 0; flow < 2; flow++) {
        struct end_spec spec = rig_flow(flow);
        spec.duration_ns = 500 * NS_PER_MS;
        rig_prepare_flow(rig, rig, &spec);
    }
    run_to_the_end(rig, rig, 2);
    for (uint32_t flow = 0; flow < 2; flow++) {
        for (enum flow_end end = END_SRC; end <= END_DST; end++) {
            const struct end_report *report = rig_report(rig, flow, end); /* checks the sum */
            assert_true(report->samples_taken > 0);
            const unsigned last = lateness_bucket(report->lateness_max_ns);
            assert_int_not_equal(report->lateness[last], 0);
            for (unsigned bucket = last + 1; bucket < LATENESS_BUCKETS; bucket++)
                assert_int_equal(report->lateness[bucket], 0);
        }
    }
    rig_free(rig);
}

/* Flows of one schedule wake together: each is asked what it waited for. */
static void test_rest_of_paced_sources(void **state)
{
    enum { FLOWS = 30 };
    (void)state;
    struct rig *rig = rig_open(NULL);
    for (uint32_t flow = 0; flow < FLOWS; flow++) {
        struct end_spec spec = rig_flow(flow);
        spec.duration_ns = 400 * NS_PER_MS;
        spec.tuning.send_rate = 1000000;
        rig_prepare_flow(rig, rig, &spec);
    }
    run_to_the_end(rig, rig, FLOWS);
    for (uint32_t flow = 0; flow < FLOWS; flow++) {
        const struct reading *readings = rig_report(rig, flow, END_SRC)->reading;
        const struct reading *begin = &readings[READ_BEGIN], *stop = &readings[READ_STOP];
        /* On a busy machine its worker comes late. */
        const int64_t rest = stop->rest_ns - begin->rest_ns;
        const int64_t waited = rest + stop->overslept_ns - begin->overslept_ns;
        assert_true(rest > 0 && waited <= stop->t_ns - begin->t_ns);
        assert_true(waited >= (stop->t_ns - begin->t_ns) / 2);
    }
    rig_free(rig);
}

/* What the kernel has not sent yet waits for the network: the application that has nothing more to
 * give meanwhile is not what limits the flow. */
static void test_no_rest_while_data_is_unsent(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 400 * NS_PER_MS;
    spec.tuning.send_rate = 10000000;
    spec.tuning.send_buffer = 200000;
    spec.tuning.pacing_rate = 8000000;
    spec.tuning.mss = 1448;
    rig_prepare_flow(rig, rig, &spec);
    run_to_the_end(rig, rig, 1);
    const struct reading *begin = reading(rig, END_SRC, READ_BEGIN);
    const struct reading *stop = reading(rig, END_SRC, READ_STOP);
    assert_true(stop->rest_ns - begin->rest_ns <= (stop->t_ns - begin->t_ns) / 3);
    if (tcp_field_exists(stop->info_length, TCP_snd_wnd))
        assert_int_not_equal(stop->queue_looks, 0);
    rig_free(rig);
}

/* A mapping that differs by 30 ms is followed, and no tick is taken twice or lost unaccounted. */
static void test_adjust_in_mid_run(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 400 * NS_PER_MS;
    rig_prepare_flow(rig, rig, &spec);
    const int64_t t0 = clock_now();
    rig_start(rig, 0);
    for (int i = 1; i <= 6; i++) {
        rig_sleep_ms(50);
        engine_adjust(rig->engine, &(struct axis){.local_ns = t0 + (i % 2 ? 30 : 0) * NS_PER_MS});
    }
    rig_wait_reports(rig, 2);
    rig_close(rig);
    rig_check_complete(rig, rig, 0);
    rig_free(rig);
}

/* The start is heard of 50 ms late: the ticks 0 to 4 passed, and are missed at both ends. */
static void test_ticks_that_passed(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 200 * NS_PER_MS;
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    rig_sleep_ms(100);
    rig_start(rig, -50 * NS_PER_MS);
    rig_wait_reports(rig, 2);
    rig_close(rig);
    rig_check_complete(rig, rig, 0);
    assert_true(rig_report(rig, 0, END_SRC)->samples_missed >= 5);
    assert_true(rig_report(rig, 0, END_DST)->samples_missed >= 5);
    rig_free(rig);
}

/* The start is heard of when the flow's time is over: no begin is read behind the stop. */
static void test_no_begin_behind_the_stop(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    rig_start(rig, -spec.duration_ns - NS_PER_MS);
    rig_wait_reports(rig, 2);
    rig_close(rig);
    for (enum flow_end end = END_SRC; end <= END_DST; end++) {
        assert_int_equal(reading(rig, end, READ_BEGIN)->info_length, 0);
        assert_int_not_equal(reading(rig, end, READ_STOP)->info_length, 0);
        assert_int_not_equal(reading(rig, end, READ_CLOSE)->info_length, 0);
    }
    rig_free(rig);
}

/* Nobody takes for a while: samples are missed and counted, readiness and reports are not lost. */
static void test_recorder_that_is_behind(void **state)
{
    (void)state;
    struct engine_options options = rig_options();
    options.workers = 1;
    options.interval_ns = NS_PER_MS;
    struct rig *rig = rig_open(&options);
    rig->deaf = true;
    for (uint32_t flow = 0; flow < 20; flow++) {
        struct end_spec spec = rig_flow(flow);
        spec.duration_ns = 400 * NS_PER_MS;
        rig_prepare_flow(rig, rig, &spec);
    }
    rig_start(rig, 0);
    rig_sleep_ms(1200);
    rig->deaf = false;
    rig_wait_reports(rig, 40);
    rig_close(rig);
    uint64_t missed = 0;
    for (uint32_t flow = 0; flow < 20; flow++) {
        rig_check_complete(rig, rig, flow);
        missed += rig_report(rig, flow, END_SRC)->samples_missed;
        missed += rig_report(rig, flow, END_DST)->samples_missed;
    }
    assert_int_not_equal(missed, 0);
    rig_free(rig);
}

/* Sockets of the port in TIME_WAIT, anywhere on this machine. */
static unsigned time_waits(unsigned port)
{
    char line[256];
    unsigned count = 0, local, remote, tcp_state;
    FILE *file = fopen("/proc/net/tcp", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, " %*u: %*[^:]:%x %*[^:]:%x %x", &local, &remote, &tcp_state) == 3)
            count += tcp_state == 6 && (local == port || remote == port);
    }
    fclose(file);
    return count;
}

static void test_no_time_wait_stays(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec drain = rig_flow(0), abort_flow = rig_flow(2);
    abort_flow.finish = FINISH_ABORT;
    rig_prepare_flow(src, dst, &drain);
    rig_prepare_flow(src, dst, &abort_flow);
    assert_int_equal(drain.peer_port, abort_flow.peer_port); /* one worker, one listener */
    run_to_the_end(src, dst, 2);
    assert_int_equal(time_waits(drain.peer_port), 0);
    rig_free(src);
    rig_free(dst);
}

static void test_destroy_with_flows_running(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 60 * NS_PER_S;
    rig_prepare_flow(rig, rig, &spec);
    rig_start(rig, 0);
    rig_sleep_ms(30);
    rig_free(rig);
    engine_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_flow_between_two_engines),
        cmocka_unit_test(test_fifty_flows_in_one_engine),
        cmocka_unit_test(test_connect_at_a_late_start),
        cmocka_unit_test(test_connect_ahead_of_a_late_start),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_reset_takes_no_data_from_a_slow_reader),
        cmocka_unit_test(test_over_ipv6),
        cmocka_unit_test(test_reverse),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_stop_in_mid_run),
        cmocka_unit_test(test_stop_before_the_start),
        cmocka_unit_test(test_stop_of_one_agent_after_the_other),
        cmocka_unit_test(test_every_byte_of_flows_that_are_stopped),
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_lateness_of_every_sample),
        cmocka_unit_test(test_rest_of_paced_sources),
        cmocka_unit_test(test_no_rest_while_data_is_unsent),
        cmocka_unit_test(test_adjust_in_mid_run),
        cmocka_unit_test(test_ticks_that_passed),
        cmocka_unit_test(test_no_begin_behind_the_stop),
        cmocka_unit_test(test_recorder_that_is_behind),
        cmocka_unit_test(test_no_time_wait_stays),
        cmocka_unit_test(test_destroy_with_flows_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
