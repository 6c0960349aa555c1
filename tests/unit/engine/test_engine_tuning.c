/* Flows that are held to a rate, or have buffers and a segment size of their own, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rig.h"

#define MBIT UINT64_C(1000000)

static int64_t last_field(const struct rig *rig, uint32_t flow, enum flow_end end,
                          enum tcp_field field)
{
    const struct sample *last = &rig->heard[flow][end].last;
    return tcp_field_get(last->info, last->info_length, field);
}

/* Runs `flows` flows from src to dst to their end. */
static void run_to_the_end(struct rig *src, struct rig *dst, unsigned flows)
{
    rig_start(src, 20 * NS_PER_MS);
    if (dst != src)
        rig_start(dst, 20 * NS_PER_MS);
    rig_wait_reports(src, src == dst ? 2 * flows : flows);
    rig_wait_reports(dst, src == dst ? 2 * flows : flows);
    rig_close(src);
    rig_close(dst);
}

static void test_send_rate(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1000, 100000, 8 * MBIT, 20 * MBIT};
    struct rig *rig = rig_open(NULL);
    for (uint32_t flow = 0; flow < 8; flow++) {
        struct end_spec spec = rig_flow(flow);
        spec.duration_ns = 200 * NS_PER_MS;
        spec.connect = flow < 4 ? CONNECT_AHEAD : CONNECT_AT_START;
        spec.tuning.send_rate = rates[flow % 4];
        rig_prepare_flow(rig, rig, &spec);
    }
    rig_wait_ready(rig, 8); /* a schedule counts from the connection if that comes late */
    run_to_the_end(rig, rig, 8);
    for (uint32_t flow = 0; flow < 8; flow++) {
        rig_check_complete(rig, rig, flow);
        const struct end_report *sent = rig_report(rig, flow, END_SRC);
        const uint64_t due = rates[flow % 4] / 40; /* of 200 ms */
        const uint64_t bytes = sent->paced_bytes + sent->skipped_bytes;
        assert_int_equal(sent->paced_bytes, sent->payload_bytes);
        assert_true(bytes <= due);
        if (flow < 4) /* else it counts from the connection, which took its time */
            assert_int_equal(bytes, due);
        assert_int_equal(rig_report(rig, flow, END_DST)->paced_bytes, 0);
    }
    rig_free(rig);
}

/* A reader that is slower than the sender's rate: the one keeps to its schedule, and the other one
 * skips what it cannot get rid of. */
static void test_read_rate(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 500 * NS_PER_MS;
    spec.tuning.send_rate = 800 * MBIT;
    spec.tuning.read_rate = 16 * MBIT;
    spec.tuning.send_buffer = spec.tuning.receive_buffer = 65536;
    rig_prepare_flow(src, dst, &spec);
    rig_wait_ready(src, 1);
    rig_wait_ready(dst, 1);
    run_to_the_end(src, dst, 1);
    rig_check_complete(src, dst, 0);
    const struct end_report *sent = rig_report(src, 0, END_SRC);
    const struct end_report *received = rig_report(dst, 0, END_DST);
    assert_int_equal(received->paced_bytes + received->skipped_bytes, 1000000);
    assert_true(received->paced_bytes <= received->payload_bytes);
    assert_true(sent->skipped_bytes > 0);
    assert_true(sent->paced_bytes + sent->skipped_bytes <= 50000000);
    assert_true(sent->paced_bytes + sent->skipped_bytes >= 39000000); /* and 100 ms and a quantum */
    assert_true(last_field(src, 0, END_SRC, TCP_rwnd_limited) > 100000);
    rig_free(src);
    rig_free(dst);
}

/* Rates hold in both directions of one connection, each for its own half. */
static void test_both_ways(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.sink = true;
    spec.tuning.send_rate = spec.tuning.read_rate = 8 * MBIT;
    rig_prepare_flow(src, dst, &spec);
    rig_wait_ready(src, 1);
    rig_wait_ready(dst, 1);
    run_to_the_end(src, dst, 1);
    for (enum flow_end end = END_SRC; end <= END_DST; end++) {
        const struct end_report *report = rig_report(end == END_SRC ? src : dst, 0, end);
        assert_string_equal(report->error, "");
        assert_int_equal(report->status, END_COMPLETE);
        assert_int_equal(report->payload_bytes, 100000); /* read */
    }
    rig_free(src);
    rig_free(dst);
}

/* The schedule is the axis's: a mapping that moves changes nothing about its sum. */
static void test_adjust_in_mid_run(void **state)
{
    (void)state;
    struct rig *rig = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 400 * NS_PER_MS;
    spec.tuning.send_rate = 8 * MBIT;
    rig_prepare_flow(rig, rig, &spec);
    rig_wait_ready(rig, 2);
    const int64_t t0 = clock_now();
    rig_start(rig, 0);
    for (int i = 1; i <= 6; i++) {
        rig_sleep_ms(50);
        engine_adjust(rig->engine, &(struct axis){.local_ns = t0 + (i % 2 ? 30 : 0) * NS_PER_MS});
    }
    rig_wait_reports(rig, 2);
    rig_close(rig);
    rig_check_complete(rig, rig, 0);
    const struct end_report *sent = rig_report(rig, 0, END_SRC);
    assert_int_equal(sent->paced_bytes + sent->skipped_bytes, 400000);
    rig_free(rig);
}

/* A reader that looks away for a long time hears of a reset at once. */
static void test_reset_while_a_reader_waits(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec spec = rig_flow(0);
    spec.duration_ns = 60 * NS_PER_S;
    spec.tuning.read_rate = 1000;
    rig_prepare_flow(src, dst, &spec);
    rig_start(src, 0);
    rig_start(dst, 0);
    rig_sleep_ms(100);
    engine_stop(src->engine);
    rig_wait_reports(src, 1);
    rig_wait_reports(dst, 1);
    rig_close(src);
    rig_close(dst);
    const struct end_report *received = rig_report(dst, 0, END_DST);
    assert_int_equal(received->status, END_FAILED);
    assert_true(received->paced_bytes < 100);
    rig_free(src);
    rig_free(dst);
}

static void test_stop_and_destroy_while_paced(void **state)
{
    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        struct rig *rig = rig_open(NULL);
        struct end_spec spec = rig_flow(0);
        spec.duration_ns = 60 * NS_PER_S;
        spec.tuning.send_rate = spec.tuning.read_rate = 1 * MBIT;
        rig_prepare_flow(rig, rig, &spec);
        rig_start(rig, 0);
        rig_sleep_ms(50);
        if (stops) {
            engine_stop(rig->engine);
            rig_wait_reports(rig, 2);
            rig_close(rig);
            const struct end_report *sent = rig_report(rig, 0, END_SRC);
            assert_int_equal(sent->status, END_STOPPED);
            assert_int_not_equal(sent->paced_bytes, 0);
            assert_int_equal(sent->paced_bytes, sent->payload_bytes);
        }
        rig_free(rig);
    }
}

static void test_buffers_pacing_and_mss(void **state)
{
    (void)state;
    struct rig *src = rig_open(NULL), *dst = rig_open(NULL);
    struct end_spec plain = rig_flow(0), spec = rig_flow(2);
    spec.tuning.send_buffer = 100000;
    spec.tuning.receive_buffer = 20000;
    spec.tuning.pacing_rate = 80 * MBIT;
    spec.tuning.mss = 1000;
    rig_prepare_flow(src, dst, &plain);
    rig_prepare_flow(src, dst, &spec);
    run_to_the_end(src, dst, 2);
    rig_check_complete(src, dst, 0);
    rig_check_complete(src, dst, 2);
    const struct end_report *sent = rig_report(src, 2, END_SRC);
    const struct end_report *received = rig_report(dst, 2, END_DST);
    assert_int_equal(sent->send_buffer, 200000);
    assert_int_equal(received->receive_buffer, 40000);
    assert_int_equal(sent->pacing_rate, 80 * MBIT);
    assert_int_equal(last_field(src, 2, END_SRC, TCP_max_pacing_rate), 10 * MBIT);
    assert_int_equal(sent->mss, 1000 - 12); /* timestamps */
    assert_int_equal(last_field(src, 2, END_SRC, TCP_advmss), 1000 - 12);
    assert_int_equal(last_field(dst, 2, END_DST, TCP_advmss), 1000 - 12);
    assert_int_equal(received->pacing_rate, 0);
    assert_int_not_equal(received->send_buffer, 200000);
    /* The window's scale was fixed in the handshake, which knew of the buffer. */
    assert_int_equal(last_field(dst, 2, END_DST, TCP_rcv_wscale), 0);
    assert_true(last_field(dst, 0, END_DST, TCP_rcv_wscale) > 0);
    assert_int_equal(rig_report(src, 0, END_SRC)->pacing_rate, 0);
    assert_true(rig_report(src, 0, END_SRC)->mss > 1000);
    rig_free(src);
    rig_free(dst);
}

/* Equal settings share a listener; what the handshake does not fix needs none of its own. */
static void test_listeners(void **state)
{
    (void)state;
    struct engine_options options = rig_options();
    options.workers = 1;
    struct rig *rig = rig_open(&options);
    static const struct tuning tunings[] = {
        {0},
        {.receive_buffer = 20000},
        {.receive_buffer = 20000, .send_buffer = 9999, .read_rate = 5000},
        {.receive_buffer = 30000},
        {.mss = 500},
        {.mss = 500, .pacing_rate = 5000},
        {.send_buffer = 9999, .send_rate = 5000},
    };
    static const unsigned same_as[] = {0, 1, 1, 3, 4, 4, 0};
    uint16_t ports[7];
    for (uint32_t flow = 0; flow < 7; flow++) {
        struct end_spec spec = rig_flow(flow);
        spec.tuning = tunings[flow];
        const struct end_spec peer = rig_peer_of(&spec);
        ports[flow] = rig_prepare(rig, &peer);
        for (uint32_t other = 0; other < flow; other++) {
            if (same_as[other] == same_as[flow])
                assert_int_equal(ports[other], ports[flow]);
            else
                assert_int_not_equal(ports[other], ports[flow]);
        }
    }
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_rate),
        cmocka_unit_test(test_read_rate),
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_adjust_in_mid_run),
        cmocka_unit_test(test_reset_while_a_reader_waits),
        cmocka_unit_test(test_stop_and_destroy_while_paced),
        cmocka_unit_test(test_buffers_pacing_and_mss),
        cmocka_unit_test(test_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
