#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "model/tcp_fields.h"
#include "model/verdict.h"
#include "util/clock.h"

/* Of one second.  All figures are of that time; what stood before must not matter. */
struct second {
    int64_t busy_ms, window_ms, held_ms, late_ms, rest_ms, overslept_ms;
    int64_t queue_window_ms, shut_window_ms, queue_held_ms; /* with looks */
    uint32_t looks;
    uint32_t rtt_us, min_rtt_us;
    uint64_t unread, sent, pacing_rate, paced, skipped;
    uint32_t receive_buffer;
    int src_cpu_ms, src_wait_ms, dst_cpu_ms, dst_wait_ms;
};

static const struct second idle_workers = {.busy_ms = 1000, .rtt_us = 30000, .min_rtt_us = 20000};

static void fill_worker(struct end_report *end, int cpu_ms, int wait_ms)
{
    struct reading *begin = &end->reading[READ_BEGIN], *stop = &end->reading[READ_STOP];
    *begin = (struct reading){.t_ns = 77 * NS_PER_S,
                              .info_length = TCP_INFO_SIZE,
                              .worker_ns = 76 * NS_PER_S,
                              .cpu_ns = 5 * NS_PER_S,
                              .wait_ns = 3 * NS_PER_S};
    *stop = *begin;
    stop->t_ns += NS_PER_S;
    stop->worker_ns += NS_PER_S;
    stop->cpu_ns += cpu_ms * NS_PER_MS;
    stop->wait_ns += wait_ms * NS_PER_MS;
}

static void fill(struct end_report *source, struct end_report *sink, const struct second *second)
{
    *source = (struct end_report){.end = END_SRC,
                                  .pacing_rate = second->pacing_rate,
                                  .paced_bytes = second->paced,
                                  .skipped_bytes = second->skipped};
    *sink = (struct end_report){.end = END_DST, .receive_buffer = second->receive_buffer};
    fill_worker(source, second->src_cpu_ms, second->src_wait_ms);
    fill_worker(sink, second->dst_cpu_ms, second->dst_wait_ms);
    struct reading *begin = &source->reading[READ_BEGIN], *stop = &source->reading[READ_STOP];
    begin->busy_us = stop->busy_us = 20000;
    begin->held_ns = stop->held_ns = begin->rest_ns = stop->rest_ns = 9999;
    begin->overslept_ns = stop->overslept_ns = begin->queue_held_ns = stop->queue_held_ns = 5000;
    begin->queue_window_us = stop->queue_window_us = begin->shut_window_us = stop->shut_window_us =
        700;
    begin->queue_looks = stop->queue_looks = 3;
    stop->busy_us += (uint64_t)second->busy_ms * 1000;
    stop->rwnd_limited_us += (uint64_t)second->window_ms * 1000;
    stop->held_ns += second->held_ms * NS_PER_MS;
    stop->late_ns += second->late_ms * NS_PER_MS;
    stop->rest_ns += second->rest_ms * NS_PER_MS;
    stop->overslept_ns += second->overslept_ms * NS_PER_MS;
    stop->queue_looks += second->looks;
    stop->queue_window_us += (uint64_t)second->queue_window_ms * 1000;
    stop->shut_window_us += (uint64_t)second->shut_window_ms * 1000;
    stop->queue_held_ns += second->queue_held_ms * NS_PER_MS;
    stop->rtt_us = second->rtt_us;
    stop->min_rtt_us = second->min_rtt_us;
    stop->send_buffer = 32768;
    stop->sent = second->sent;
    stop->acked = second->sent;
    sink->reading[READ_STOP].unread = second->unread;
}

static struct verdict judge(const struct second *second)
{
    struct end_report source, sink;
    struct verdict verdict;
    fill(&source, &sink, second);
    verdict_judge(&verdict, &source, &sink);
    double sum = 0;
    for (int i = 0; i < LIMITS; i++)
        sum += verdict.share[i];
    assert_float_equal(sum, 1, 1e-9);
    assert_string_not_equal(verdict.reason, "");
    return verdict;
}

static void is(const struct second *second, enum limit limit, double share, const char *reason)
{
    const struct verdict verdict = judge(second);
    if (verdict.limit != limit || !strstr(verdict.reason, reason))
        fail_msg("limited by %s: %s", limit_text(verdict.limit), verdict.reason);
    assert_float_equal(verdict.share[limit], share, 1e-6);
}

static void test_each_limit(void **state)
{
    (void)state;
    struct second second = idle_workers;
    is(&second, LIMIT_NETWORK, 1, "congestion window 100 %");

    second.window_ms = 900;
    is(&second, LIMIT_RECEIVER, 0.9, "90 % of the time, smaller than the path needs");
    second.unread = 65536;
    is(&second, LIMIT_RECEIVER, 0.9, "64 KiB waited to be read");

    second = idle_workers;
    second.held_ms = 950;
    is(&second, LIMIT_SEND_BUFFER, 0.95, "(32 KiB) was under way 95 %");

    second = idle_workers;
    second.rest_ms = 980;
    is(&second, LIMIT_TRAFFIC, 0.98, "nothing to send 98 %");

    second = idle_workers;
    second.late_ms = 600;
    second.src_cpu_ms = 600;
    is(&second, LIMIT_HOST, 0.6, "without data 60 % of the time");
    second.src_cpu_ms = 50;
    second.src_wait_ms = 550;
    is(&second, LIMIT_HOST, 0.6,
       "without data 60 % of the time; its worker waited for a core 55 %");

    second = idle_workers;
    second.busy_ms = 300;
    is(&second, LIMIT_HOST, 0.7, "without data 70 %");
}

/* Whatever else was waited for, was waited for a worker that had no time: if the flow lacked what
 * that worker gives. */
static void test_workers_without_time(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.late_ms = 60;
    second.src_cpu_ms = 899;
    is(&second, LIMIT_NETWORK, 0.94, "");
    second.src_cpu_ms = 900;
    struct verdict verdict = judge(&second);
    assert_int_equal(verdict.limit, LIMIT_HOST);
    assert_string_equal(verdict.reason,
                        "the src end's worker ran 90 % and waited for a core 0 % of the time");

    second.late_ms = 0;
    second.src_cpu_ms = 0;
    second.dst_cpu_ms = 10;
    second.dst_wait_ms = 985;
    second.window_ms = 1000;
    verdict = judge(&second);
    assert_int_equal(verdict.limit, LIMIT_HOST);
    assert_string_equal(verdict.reason,
                        "the dst end's worker ran 1 % and waited for a core 99 % of the time");
    assert_float_equal(verdict.sink.wait, 0.985, 1e-9);
    assert_float_equal(verdict.share[LIMIT_RECEIVER], 0.015, 1e-9);
}

/* A hundred flows over a full link, on a machine that has other things to do: each has data to send
 * and room to send it to all the time, whatever their workers do. */
/* It was not asked what the source waited for, but its worker slept. */
static void test_a_rate_that_was_kept_is_no_hosts(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.busy_ms = 30;
    second.src_cpu_ms = 20;
    second.paced = 125000;
    struct verdict verdict = judge(&second);
    assert_int_equal(verdict.limit, LIMIT_TRAFFIC);
    assert_true(verdict.share[LIMIT_HOST] <= 0.02 + 1e-9);
    second.src_wait_ms = 800;
    assert_int_equal(judge(&second).limit, LIMIT_HOST);
    second.src_wait_ms = 0;
    second.paced = 0;
    assert_int_equal(judge(&second).limit, LIMIT_HOST);
}

static void test_busy_workers_of_flows_that_lack_nothing(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.src_cpu_ms = second.dst_cpu_ms = 30;
    second.src_wait_ms = second.dst_wait_ms = 960;
    is(&second, LIMIT_NETWORK, 1, "congestion window 100 %");
    second.late_ms = 49;
    is(&second, LIMIT_NETWORK, 0.951, "");
    second.late_ms = 51;
    is(&second, LIMIT_HOST, 0.051, "the src end's worker ran 3 % and waited for a core 96 %");

    /* What a sink's worker gives is room, which a full send buffer does not tell of. */
    second.late_ms = 0;
    second.held_ms = 1000;
    is(&second, LIMIT_SEND_BUFFER, 1, "");
    second = idle_workers;
    second.dst_cpu_ms = 950;
    second.window_ms = 60;
    is(&second, LIMIT_HOST, 0, "the dst end's worker ran 95 %");
    second.src_cpu_ms = 950;
    second.dst_cpu_ms = 0;
    is(&second, LIMIT_NETWORK, 0.94, "");

    /* Who has nothing to send is not slower for it. */
    second = idle_workers;
    second.rest_ms = 600;
    second.overslept_ms = 100;
    second.src_wait_ms = 960;
    is(&second, LIMIT_TRAFFIC, 0.6, "nothing to send 60 %");
}

/* The sentence is of what the share is made of. */
static void test_which_host(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.busy_ms = 400;
    second.dst_wait_ms = 600;
    is(&second, LIMIT_HOST, 0.6, "the src end left the connection without data 60 %");
    second.busy_ms = 950;
    second.window_ms = 900;
    is(&second, LIMIT_HOST, 0.05 + 0.9 * 0.6, "the dst end's worker waited for a core 60 %");
}

static void test_a_kernel_that_does_not_count_waiting(void **state)
{
    (void)state;
    struct end_report source, sink;
    struct verdict verdict;
    struct second second = idle_workers;
    second.src_cpu_ms = 950;
    second.late_ms = 100;
    fill(&source, &sink, &second);
    source.reading[READ_BEGIN].wait_ns = source.reading[READ_STOP].wait_ns = -1;
    verdict_judge(&verdict, &source, &sink);
    assert_string_equal(verdict.reason, "the src end's worker ran 95 % of the time");
    assert_float_equal(verdict.source.wait, -1, 0);

    source.reading[READ_STOP].worker_ns = 0; /* not read at all */
    verdict_judge(&verdict, &source, NULL);
    assert_int_equal(verdict.limit, LIMIT_NETWORK);
    assert_float_equal(verdict.source.cpu, -1, 0);
    assert_float_equal(verdict.sink.cpu, -1, 0);
}

/* At a path of 20 ms something is always under way, though the application offers little: the
 * kernel calls that busy. */
static void test_rest_counts_more_than_what_the_kernel_saw(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.rest_ms = 700;
    second.window_ms = 400;
    const struct verdict verdict = judge(&second);
    assert_int_equal(verdict.limit, LIMIT_TRAFFIC);
    assert_float_equal(verdict.share[LIMIT_TRAFFIC], 0.7, 1e-9);
    /* While it rested nothing was unsent, so that the window held up nothing: as long as there was
     * other time enough. */
    assert_float_equal(verdict.share[LIMIT_RECEIVER], 0.3, 1e-9);
    assert_float_equal(verdict.share[LIMIT_NETWORK], 0, 1e-9);
    second.rest_ms = 350;
    is(&second, LIMIT_RECEIVER, 0.4, "");
    assert_float_equal(judge(&second).share[LIMIT_NETWORK], 0.25, 1e-9);
    second.rest_ms = 1000;
    is(&second, LIMIT_TRAFFIC, 1, "");
}

/* The moment for more data had come, and the program was stopped, or its worker was elsewhere. */
static void test_oversleeping_is_the_hosts(void **state)
{
    (void)state;
    struct second second = idle_workers; /* a path of 20 ms: something was always under way */
    second.rest_ms = 300;
    second.overslept_ms = 450;
    is(&second, LIMIT_HOST, 0.45, "without data 45 %");
    assert_float_equal(judge(&second).share[LIMIT_TRAFFIC], 0.3, 1e-9);
    assert_float_equal(judge(&second).share[LIMIT_NETWORK], 0.25, 1e-9);
    second.busy_ms = 500; /* hosts near each other: it is in the time without data */
    is(&second, LIMIT_HOST, 0.45, "without data 45 %");
    second.busy_ms = 100; /* and what of that nobody accounts for is the host's, too */
    is(&second, LIMIT_HOST, 0.6, "without data 60 %");
    second.busy_ms = 0;
    second.rest_ms = 990;
    second.overslept_ms = 500; /* not more than there is */
    is(&second, LIMIT_TRAFFIC, 0.99, "");
}

/* Its window is full because its worker does not get to read. */
static void test_a_receiver_that_waits_for_a_core(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.window_ms = 980;
    second.unread = 100000;
    second.dst_wait_ms = 800;
    is(&second, LIMIT_HOST, 0.98 * 0.8,
       "the dst end's worker waited for a core 80 % of the time, and did not");
    assert_float_equal(judge(&second).share[LIMIT_RECEIVER], 0.98 * 0.2, 1e-9);
    second.dst_wait_ms = 200;
    is(&second, LIMIT_RECEIVER, 0.98 * 0.8, "97 KiB");
    second.window_ms = 0;
    second.dst_wait_ms = 800;
    is(&second, LIMIT_NETWORK, 1, "");
}

/* It reads at a rate, and read all that was due: no core would have made it faster. */
static void test_a_receiver_that_reads_in_time(void **state)
{
    (void)state;
    struct end_report source, sink;
    struct verdict verdict;
    struct second second = idle_workers;
    second.window_ms = 940;
    second.dst_wait_ms = 950;
    fill(&source, &sink, &second);
    sink.paced_bytes = 1500000;
    verdict_judge(&verdict, &source, &sink);
    assert_int_equal(verdict.limit, LIMIT_RECEIVER);
    assert_float_equal(verdict.share[LIMIT_RECEIVER], 0.94, 1e-9);
    sink.neglected_bytes = 1;
    verdict_judge(&verdict, &source, &sink);
    assert_int_equal(verdict.limit, LIMIT_HOST);
}

/* It rested while nothing was under way: so nobody was late. */
static void test_rest_excuses_silence(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.busy_ms = 200;
    second.rest_ms = 850;
    const struct verdict verdict = judge(&second);
    assert_float_equal(verdict.share[LIMIT_HOST], 0, 1e-9);
    assert_float_equal(verdict.share[LIMIT_TRAFFIC], 0.85, 1e-9);
    assert_float_equal(verdict.share[LIMIT_NETWORK], 0.15, 1e-9);
}

/* A wait with nothing under way is in both figures, and counts once. */
static void test_lateness_counts_once(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.busy_ms = 700;
    second.late_ms = 400;
    second.src_cpu_ms = 400;
    assert_float_equal(judge(&second).share[LIMIT_HOST], 0.4, 1e-9);
}

/* What looks late beyond the time that the worker was awake is a buffer that was emptied at once.
 */
static void test_who_sleeps_is_not_late(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.held_ms = 300;
    second.late_ms = 620;
    second.src_cpu_ms = 30;
    second.src_wait_ms = 20;
    is(&second, LIMIT_SEND_BUFFER, 0.87, "was under way 87 %");
    assert_float_equal(judge(&second).share[LIMIT_HOST], 0.05, 1e-9);
}

/* The window or the buffer is full of what stands in a queue: the link is what is slow. */
static void test_queues_are_the_networks(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.window_ms = 950;
    second.rtt_us = 40000;
    second.sent = 1000000; /* by 40 ms: 40 000 bytes are in the network in the mean */
    second.receive_buffer = 160000;
    is(&second, LIMIT_NETWORK, 1, "");
    second.rtt_us = 39999;
    is(&second, LIMIT_RECEIVER, 0.95, "");

    second.window_ms = 0;
    second.held_ms = 950;
    is(&second, LIMIT_SEND_BUFFER, 0.95, "");
    second.rtt_us = 40000;
    is(&second, LIMIT_NETWORK, 1, "");
}

/* A full link for a part of the time, and a peer that does not read for the other. */
static void test_queues_are_judged_over_time(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.window_ms = 1000;
    second.rtt_us = 40000; /* a queue at the end, by the old rule of all the time */
    second.sent = 1000000;
    second.receive_buffer = 160000;
    is(&second, LIMIT_NETWORK, 1, "");
    second.looks = 20;
    second.queue_window_ms = 580;
    second.shut_window_ms = 400;
    is(&second, LIMIT_NETWORK, 0.58, "");
    assert_float_equal(judge(&second).share[LIMIT_RECEIVER], 0.42, 1e-9);
    second.queue_window_ms = 380;
    second.shut_window_ms = 600;
    is(&second, LIMIT_RECEIVER, 0.62, "full 62 % of the time, and mostly shut");
    second.shut_window_ms = 0;
    is(&second, LIMIT_RECEIVER, 0.62, "smaller than the path needs");
    second.dst_wait_ms = 800; /* what a queue fills, no worker has to read */
    is(&second, LIMIT_HOST, 0.62 * 0.8, "");
    second.dst_wait_ms = 0;
    second.queue_window_ms = 5000; /* a file may say so */
    is(&second, LIMIT_NETWORK, 1, "");

    second.window_ms = second.queue_window_ms = 0;
    second.held_ms = 900;
    is(&second, LIMIT_SEND_BUFFER, 0.9, "");
    second.queue_held_ms = 600;
    is(&second, LIMIT_NETWORK, 0.7, "");
    assert_float_equal(judge(&second).share[LIMIT_SEND_BUFFER], 0.3, 1e-9);
}

/* The RTT of a flow whose peer reads slowly swings by thousands of its least, between hosts that
 * are near each other. */
static void test_what_waits_at_the_peer_is_no_queue(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.window_ms = 950;
    second.sent = 125000; /* 1 Mbit/s */
    second.min_rtt_us = 5;
    second.rtt_us = 40000;
    second.receive_buffer = 40000;
    is(&second, LIMIT_RECEIVER, 0.95, "");
    second.window_ms = 0;
    second.held_ms = 950;
    is(&second, LIMIT_SEND_BUFFER, 0.95, "");
}

static void test_pacing_is_the_traffics(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.pacing_rate = 8000000;
    second.sent = 900000;
    is(&second, LIMIT_TRAFFIC, 1, "its pacing rate kept data back 100 %");
    second.rest_ms = 400; /* what it offered was more than that rate in parts */
    is(&second, LIMIT_TRAFFIC, 1, "its pacing rate kept data back 60 %");
    second.rest_ms = 600;
    is(&second, LIMIT_TRAFFIC, 1, "nothing to send 60 %");
    second.rest_ms = 0;
    second.sent = 890000;
    is(&second, LIMIT_NETWORK, 1, "");
    second.pacing_rate = 0;
    is(&second, LIMIT_NETWORK, 1, "");
}

static void unknown(const struct end_report *source, const char *reason)
{
    struct verdict verdict;
    verdict_judge(&verdict, source, NULL);
    assert_int_equal(verdict.limit, LIMIT_UNKNOWN);
    assert_non_null(strstr(verdict.reason, reason));
    assert_float_equal(verdict.share[LIMIT_NETWORK], 0, 0);
    assert_string_equal(limit_text(verdict.limit), "-");
}

static void test_what_cannot_be_told(void **state)
{
    (void)state;
    struct end_report source, sink, cut;
    fill(&source, &sink, &idle_workers);
    unknown(NULL, "report is missing");
    unknown(&(struct end_report){0}, "no readings");

    cut = source;
    cut.reading[READ_STOP].t_ns = cut.reading[READ_BEGIN].t_ns + VERDICT_TIME_MIN_NS - 1;
    unknown(&cut, "too short");
    cut.reading[READ_STOP].t_ns = cut.reading[READ_BEGIN].t_ns - 1;
    unknown(&cut, "no readings");
    cut.reading[READ_STOP].t_ns = INT64_MIN;
    unknown(&cut, "no readings");
    cut = source;
    cut.reading[READ_STOP].info_length = 168;
    unknown(&cut, "4.10");
}

/* A file may say anything. */
static void test_nonsense_stays_within_bounds(void **state)
{
    (void)state;
    struct end_report source, sink;
    struct verdict verdict;
    fill(&source, &sink, &idle_workers);
    struct reading *begin = &source.reading[READ_BEGIN], *stop = &source.reading[READ_STOP];
    stop->busy_us = stop->rwnd_limited_us = UINT64_MAX;
    stop->held_ns = stop->rest_ns = INT64_MAX;
    begin->rest_ns = begin->held_ns = INT64_MIN;
    stop->late_ns = INT64_MIN;
    stop->cpu_ns = INT64_MAX;
    begin->cpu_ns = INT64_MIN;
    verdict_judge(&verdict, &source, &sink);
    double sum = 0;
    for (int i = 0; i < LIMITS; i++) {
        assert_true(verdict.share[i] >= 0 && verdict.share[i] <= 1);
        sum += verdict.share[i];
    }
    assert_float_equal(sum, 1, 1e-9);
    assert_float_equal(verdict.source.cpu, 1, 0);
}

/* 2 Mbit/s of which the path let none through for a third of the time. */
static void test_a_rate_that_was_not_kept(void **state)
{
    (void)state;
    struct second second = idle_workers;
    second.busy_ms = 400;
    second.rest_ms = 640;
    second.paced = 190000;
    second.skipped = 60000;
    is(&second, LIMIT_NETWORK, 0.36,
       "congestion window 36 % of the time; 24 % of what send_rate offered was skipped");
    second.skipped = 9000; /* a hiccup: it is the rate all the same */
    is(&second, LIMIT_TRAFFIC, 0.64, "nothing to send 64 % of the time");
    second.skipped = 60000; /* pacing kept it from its rate */
    second.rest_ms = 0;
    second.busy_ms = 1000;
    second.sent = 190000;
    second.pacing_rate = 1520000;
    is(&second, LIMIT_TRAFFIC, 1, "its pacing rate kept data back 100 %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_limit),
        cmocka_unit_test(test_a_rate_that_was_not_kept),
        cmocka_unit_test(test_workers_without_time),
        cmocka_unit_test(test_a_rate_that_was_kept_is_no_hosts),
        cmocka_unit_test(test_busy_workers_of_flows_that_lack_nothing),
        cmocka_unit_test(test_which_host),
        cmocka_unit_test(test_oversleeping_is_the_hosts),
        cmocka_unit_test(test_queues_are_judged_over_time),
        cmocka_unit_test(test_a_kernel_that_does_not_count_waiting),
        cmocka_unit_test(test_rest_counts_more_than_what_the_kernel_saw),
        cmocka_unit_test(test_a_receiver_that_waits_for_a_core),
        cmocka_unit_test(test_a_receiver_that_reads_in_time),
        cmocka_unit_test(test_rest_excuses_silence),
        cmocka_unit_test(test_lateness_counts_once),
        cmocka_unit_test(test_who_sleeps_is_not_late),
        cmocka_unit_test(test_queues_are_the_networks),
        cmocka_unit_test(test_what_waits_at_the_peer_is_no_queue),
        cmocka_unit_test(test_pacing_is_the_traffics),
        cmocka_unit_test(test_what_cannot_be_told),
        cmocka_unit_test(test_nonsense_stays_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
