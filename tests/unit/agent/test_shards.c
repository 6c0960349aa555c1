/* Runs whose ends are in child processes: this program once more, as a shard. */
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "agent/own_process.h"
#include "agent/run.h"
#include "agent/shard_server.h"
#include "agent/shards.h"
#include "format/spool_record.h"
#include "util/clock.h"

#define FLOWS       30u
#define DESCRIPTORS 300 /* too few for 60 ends, with those that an engine spares */
#define PATIENCE_NS (30 * NS_PER_S)

struct fixture {
    char directory[TEMPORARY_MAX];
    struct consent_limit limit;
    struct run *run;
    /* of the spool */
    unsigned ready, rows, reports[FLOWS][2], run_ends;
    uint64_t taken[FLOWS][2]; /* rows on ticks */
    struct end_report report[FLOWS][2];
    char problem[512];
};

static void grew(void *arg)
{
    (void)arg;
}

static struct agent_options agent(const struct fixture *fixture)
{
    return (struct agent_options){.spool_directory = fixture->directory, .interval_ns = NS_PER_MS};
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    const struct agent_options options = agent(fixture);
    const struct run_settings settings = {.id = "0123456789abcdef0123456789abcdef",
                                          .interval_ns = 10 * NS_PER_MS,
                                          .ends = 2 * FLOWS,
                                          .flow_key = "a key",
                                          .limit = &fixture->limit};
    struct error err = {0};
    char text[512];
    fixture->limit = (struct consent_limit)CONSENT_LIMIT_NEW;
    if (!temporary_directory(fixture->directory, "shards-test"))
        return -1;
    *state = fixture;
    if (run_create(&fixture->run, &settings, &options, grew, NULL, &err)) {
        print_error("%s\n", error_text(&err, text, sizeof text));
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    run_destroy(fixture->run, true);
    int failed = rmdir(fixture->directory);
    free(fixture);
    return failed;
}

/* The pids of this process's children, whichever thread started them; returns how many. */
static unsigned children(pid_t pids[8])
{
    glob_t tasks;
    unsigned count = 0;
    assert_int_equal(glob("/proc/self/task/*/children", 0, NULL, &tasks), 0);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        FILE *file = fopen(tasks.gl_pathv[i], "r");
        while (file && count < 8 && fscanf(file, "%d", &pids[count]) == 1)
            count++;
        if (file)
            fclose(file);
    }
    globfree(&tasks);
    return count;
}

/* ---- flows ---- */

static struct end_spec spec_of(uint32_t flow, enum flow_end end, int64_t duration_ns)
{
    struct end_spec spec = {
        .flow = flow,
        .id = (int32_t)flow,
        .end = end,
        .source = end == END_SRC,
        .sink = end == END_DST,
        .duration_ns = duration_ns,
        .local_address = "127.0.0.1",
        .peer_address = "127.0.0.1",
        .ccalg = "cubic",
    };
    snprintf((char *)spec.token, sizeof spec.token, "token %u", flow);
    return spec;
}

static void prepare(struct fixture *fixture, int64_t duration_ns)
{
    struct end_spec specs[FLOWS];
    struct end_ready answers[FLOWS] = {0};
    struct error err = {0};
    for (int end = END_DST; end >= END_SRC; end--) {
        for (uint32_t flow = 0; flow < FLOWS; flow++) {
            specs[flow] = spec_of(flow, (enum flow_end)end, duration_ns);
            specs[flow].peer_port = end == END_SRC ? answers[flow].port : 0;
        }
        if (run_prepare(fixture->run, specs, FLOWS, answers, &err))
            fail_msg("%s", err.what);
        for (uint32_t flow = 0; flow < FLOWS; flow++) {
            assert_int_equal(answers[flow].flow, flow);
            assert_int_equal(answers[flow].end, end);
            assert_string_equal(answers[flow].error, "");
            assert_true(end == END_SRC || answers[flow].port > 0);
        }
    }
}

static void start(struct fixture *fixture)
{
    const struct axis axis = {.local_ns = clock_now() + 300 * NS_PER_MS};
    assert_int_equal(run_start(fixture->run, &axis, NULL), 0);
}

static void settle(struct fixture *fixture)
{
    const int64_t deadline = clock_now() + PATIENCE_NS;
    while (!run_settle(fixture->run)) {
        assert_true(clock_now() < deadline);
        usleep(5000);
    }
    run_let_go(fixture->run);
}

static void count_ticks(struct fixture *fixture, const struct spool_head *head,
                        const struct buffer *record)
{
    struct series series = {0};
    assert_int_equal(spool_record_rows(record->data, record->size, &series, NULL), 0);
    for (size_t i = 0; i < series.count; i++)
        fixture->taken[head->flow][head->end] += series.tick[i] >= 0;
    series_fini(&series);
}

static void read_spool(struct fixture *fixture)
{
    struct segment *spool = run_spool(fixture->run);
    struct buffer record = {0};
    struct spool_head head;
    for (uint64_t at = 0; segment_read(spool, at, &record, &at, NULL) > 0;) {
        assert_int_equal(fixture->run_ends, 0);
        assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
        assert_true(head.flow < FLOWS);
        fixture->ready += head.kind == SPOOL_READY;
        if (head.kind == SPOOL_SAMPLES)
            count_ticks(fixture, &head, &record);
        fixture->rows += head.kind == SPOOL_SAMPLES ? head.rows : 0;
        if (head.kind == SPOOL_REPORT) {
            fixture->report[head.flow][head.end] = head.report;
            fixture->reports[head.flow][head.end]++;
        } else if (head.kind == SPOOL_RUN_END) {
            fixture->run_ends++;
            snprintf(fixture->problem, sizeof fixture->problem, "%s", head.problem);
        }
    }
    buffer_fini(&record);
}

/* ---- tests ---- */

static void test_how_many(void **state)
{
    (void)state;
    /* The agent's own process keeps half for connections to its control port. */
    const uint64_t all = DESCRIPTORS - 256, one = all / 2, share = all / 4 * 3;
    assert_int_equal(engine_ends_max(0), all);
    assert_int_equal(own_process_ends_max(), one);
    assert_int_equal(own_process_descriptors(one), DESCRIPTORS - 1);
    assert_int_equal(own_process_descriptors(one + 1), DESCRIPTORS + 1);
    assert_int_equal(shards_wanted(0, 0), 0);
    assert_int_equal(shards_wanted(one, 0), 0);
    assert_int_equal(shards_wanted(one + 1, 0), 1);
    assert_int_equal(shards_wanted(share + 1, 0), 2);
    assert_int_equal(shards_wanted(2 * share + 1, 0), 3);
    assert_int_equal(shards_wanted(UINT64_MAX, 0), 64);
    /* Beside what this process has already. */
    assert_int_equal(shards_wanted(one - 2, 2), 0);
    assert_int_equal(shards_wanted(one - 2, 3), 1);
    assert_int_equal(shards_wanted(1, one), 1);
    assert_int_equal(shards_ends_max(), 64 * share);
    /* The limit that would do, and no more. */
    assert_int_equal(shards_descriptors(1), 257);
    assert_int_equal(shards_descriptors(64 * share), DESCRIPTORS);
    assert_int_equal(shards_descriptors(64 * share + 1), DESCRIPTORS + 4);
}

static void test_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    pid_t pids[8];
    prepare(fixture, 100 * NS_PER_MS);
    assert_int_equal(children(pids), 2);
    start(fixture);
    settle(fixture);
    assert_int_equal(children(pids), 0);
    assert_null(run_failure(fixture->run));
    read_spool(fixture);
    assert_int_equal(fixture->ready, 2 * FLOWS);
    assert_int_equal(fixture->run_ends, 1);
    assert_string_equal(fixture->problem, "");
    uint64_t rows = 0, sent = 0;
    for (unsigned flow = 0; flow < FLOWS; flow++) {
        const struct end_report *src = &fixture->report[flow][END_SRC];
        const struct end_report *dst = &fixture->report[flow][END_DST];
        assert_int_equal(fixture->reports[flow][END_SRC], 1);
        assert_int_equal(fixture->reports[flow][END_DST], 1);
        assert_int_equal(src->status, END_COMPLETE);
        assert_int_equal(dst->status, END_COMPLETE);
        assert_int_equal(src->peer_port, dst->local_port);
        assert_int_equal(src->payload_bytes, dst->payload_bytes);
        rows += src->samples_taken + dst->samples_taken + 2;
        sent += src->payload_bytes;
    }
    assert_int_equal(fixture->rows, rows);
    const struct engine_totals totals = run_totals(fixture->run);
    assert_int_equal(totals.ends, 2 * FLOWS);
    assert_int_equal(totals.ends_over, 2 * FLOWS);
    assert_int_equal(totals.received_bytes, sent);
}

static void test_one_is_killed(void **state)
{
    struct fixture *fixture = *state;
    pid_t pids[8];
    unsigned failed = 0;
    uint64_t taken = 0; /* by those that failed */
    prepare(fixture, 3 * NS_PER_S);
    start(fixture);
    assert_int_equal(children(pids), 2);
    usleep(1800000); /* samples leave a shard within 0.5 s, and more on a busy machine */
    kill(pids[0], SIGKILL);
    settle(fixture);
    read_spool(fixture);
    assert_int_equal(fixture->run_ends, 1);
    for (unsigned flow = 0; flow < FLOWS; flow++) {
        const struct end_report *report = fixture->report[flow];
        assert_int_equal(fixture->reports[flow][END_SRC], 1);
        assert_int_equal(fixture->reports[flow][END_DST], 1);
        assert_int_equal(report[END_SRC].status, report[END_DST].status);
        failed += report[END_SRC].status == END_FAILED;
        for (int end = 0; end < 2; end++) {
            assert_int_equal(report[end].samples_taken, fixture->taken[flow][end]);
            assert_int_equal(report[end].samples_expected,
                             report[end].samples_taken + report[end].samples_missed);
        }
        if (report[END_SRC].status == END_FAILED) {
            assert_string_equal(report[END_SRC].error,
                                "the worker process ended: killed by SIGKILL");
            taken += report[END_SRC].samples_taken;
        } else {
            assert_int_equal(report[END_SRC].status, END_COMPLETE);
        }
    }
    assert_in_range(failed, 1, FLOWS - 1);
    assert_true(taken > 0);
    assert_int_equal(run_totals(fixture->run).ends_over, 2 * FLOWS);
}

static void test_one_is_killed_before(void **state)
{
    struct fixture *fixture = *state;
    struct end_spec spec = spec_of(0, END_DST, NS_PER_S);
    struct end_ready answer;
    struct error err = {0};
    pid_t pids[8];
    assert_int_equal(run_prepare(fixture->run, &spec, 1, &answer, &err), 0);
    assert_int_equal(children(pids), 1);
    kill(pids[0], SIGKILL);
    spec = spec_of(0, END_SRC, NS_PER_S);
    spec.peer_port = answer.port;
    assert_int_equal(run_prepare(fixture->run, &spec, 1, &answer, &err), ERROR_SYSTEM);
    assert_string_equal(err.what, "a worker process ended: killed by SIGKILL");
    run_stop(fixture->run);
    assert_int_equal(run_prepare(fixture->run, &spec, 1, &answer, &err), ERROR_INPUT);
    settle(fixture);
    read_spool(fixture);
    assert_int_equal(fixture->run_ends, 1);
}

/* What is only announced starts nothing, and what comes starts no more than it needs. */
static void test_started_as_ends_come(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t most = shards_ends_max();
    const struct agent_options options = agent(fixture);
    const struct run_settings settings = {.id = "00000000000000000000000000000000", .ends = most};
    const uint32_t opening = (uint32_t)(most / 64 / 2 / 8); /* flows that a process begins with */
    struct error err = {0};
    struct run *run;
    pid_t pids[8];
    assert_true(opening >= 2);
    assert_int_equal(run_create(&run, &settings, &options, grew, NULL, &err), 0);
    assert_true(run_is_sharded(run));
    assert_int_equal(children(pids), 0);
    for (uint32_t flow = 0; flow < 2 * opening + 1; flow++) {
        struct end_spec spec = spec_of(999999 - 1000 * flow, END_DST, NS_PER_S);
        struct end_ready answer;
        assert_int_equal(run_prepare(run, &spec, 1, &answer, &err), 0);
        assert_string_equal(answer.error, "");
        assert_int_equal(children(pids), 1 + flow / opening);
        spec.end = END_SRC; /* is only checked, and stays with its flow */
        assert_int_equal(run_prepare(run, &spec, 1, &answer, &err), 0);
        assert_string_equal(answer.error, "");
        assert_int_equal(children(pids), 1 + flow / opening);
    }
    run_stop(run);
    run_destroy(run, true);
    assert_int_equal(children(pids), 0);
}

/* A run that has no ends after all. */
static void test_none_comes(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    settle(fixture);
    read_spool(fixture);
    assert_int_equal(fixture->run_ends, 1);
}

/* The processes die with the agent, not with the thread that prepared the first ends. */
static void *prepare_on_a_thread(void *fixture)
{
    prepare(fixture, 100 * NS_PER_MS);
    return NULL;
}

static void test_prepared_on_another_thread(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, prepare_on_a_thread, fixture), 0);
    pthread_join(thread, NULL);
    start(fixture);
    settle(fixture);
    read_spool(fixture);
    for (unsigned flow = 0; flow < FLOWS; flow++)
        assert_int_equal(fixture->report[flow][END_DST].status, END_COMPLETE);
}

static void test_stopped_before_the_start(void **state)
{
    struct fixture *fixture = *state;
    prepare(fixture, NS_PER_S);
    run_stop(fixture->run);
    settle(fixture);
    read_spool(fixture);
    assert_int_equal(fixture->run_ends, 1);
    for (unsigned flow = 0; flow < FLOWS; flow++)
        assert_int_equal(fixture->report[flow][END_DST].status, END_STOPPED);
}

/* What was sampled by then is not lost. */
static void test_destroyed_in_the_middle(void **state)
{
    struct fixture *fixture = *state;
    char path[256];
    struct buffer bytes = {0};
    pid_t pids[8];
    prepare(fixture, 10 * NS_PER_S);
    start(fixture);
    usleep(500000);
    snprintf(path, sizeof path, "%s", segment_path(run_spool(fixture->run)));
    run_destroy(fixture->run, false);
    fixture->run = NULL;
    assert_int_equal(children(pids), 0);

    FILE *file = fopen(path, "r");
    assert_non_null(file);
    uint8_t *place = buffer_reserve(&bytes, 64 << 20);
    bytes.size = fread(place, 1, 64 << 20, file);
    fclose(file);
    unlink(path);
    struct spool_head head;
    const uint8_t *record;
    size_t size;
    unsigned reports = 0;
    for (size_t at = 0; segment_unframe(&bytes, &at, &record, &size);) {
        assert_int_equal(spool_record_head(record, size, &head, NULL), 0);
        reports += head.kind == SPOOL_REPORT && head.report.status == END_STOPPED;
    }
    assert_int_equal(reports, 2 * FLOWS);
    buffer_fini(&bytes);
}

static int prepare_process(void **state)
{
    (void)state;
    const struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};
    signal(SIGPIPE, SIG_IGN);
    return setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "shard") == 0)
        return shard_serve(NULL) ? 1 : 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_many),
        cmocka_unit_test_setup_teardown(test_to_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_is_killed_before, setup, teardown),
        cmocka_unit_test_setup_teardown(test_started_as_ends_come, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prepared_on_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_before_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_destroyed_in_the_middle, setup, teardown),
    };
    return cmocka_run_group_tests(tests, prepare_process, NULL);
}
