/* The recorder before a disk that is full.  The engine is played by this file. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "agent/recorder.h"
#include "agent/spool.h"
#include "format/segment.h"
#include "format/spool_record.h"
#include "util/clock.h"

#define PATIENCE_NS (30 * NS_PER_S)
#define TURN        4096 /* samples that are taken at once */

struct engine {
    int fd;
    _Atomic uint64_t wanted; /* samples to be taken, then a report */
    uint64_t taken;          /* the recorder's thread */
    bool tells_ready, reported;
    int64_t age_ns; /* of samples when they come */
};

int engine_wait_fd(const struct engine *engine)
{
    return engine->fd;
}

/* Values without a pattern, which take the most room in a spool. */
static void scramble(struct sample *sample, uint64_t seed)
{
    for (size_t i = 0; i < sizeof sample->info; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        sample->info[i] = (uint8_t)(seed >> 56);
    }
}

bool engine_is_capturing(struct engine *engine)
{
    (void)engine;
    return false;
}

void engine_take(struct engine *engine, engine_consumer *consumer, void *arg)
{
    eventfd_t count;
    eventfd_read(engine->fd, &count);
    uint64_t wanted = atomic_load(&engine->wanted);
    const struct engine_item ready = {.kind = ENGINE_READY};
    if (wanted && engine->tells_ready)
        consumer(arg, &ready);
    engine->tells_ready &= !wanted;
    struct sample sample = {.info_length = sizeof sample.info};
    struct engine_item item = {.kind = ENGINE_SAMPLE, .sample = &sample};
    for (int i = 0; i < TURN && engine->taken < wanted; i++) {
        sample.tick = (int64_t)engine->taken;
        sample.t_ns = clock_now() - engine->age_ns;
        scramble(&sample, engine->taken++);
        consumer(arg, &item);
    }
    if (engine->taken < wanted || engine->reported || !wanted) {
        eventfd_write(engine->fd, engine->taken < wanted);
        return;
    }
    struct end_report report = {.samples_taken = wanted};
    item = (struct engine_item){.kind = ENGINE_REPORT, .report = &report};
    consumer(arg, &item);
    engine->reported = true;
}

/* ---- memory, which can run out ---- */

static atomic_bool starving;

uint8_t *__real_buffer_reserve(struct buffer *b, size_t more);
uint8_t *__wrap_buffer_reserve(struct buffer *b, size_t more);
int __real_buffer_append(struct buffer *b, const void *data, size_t size);
int __wrap_buffer_append(struct buffer *b, const void *data, size_t size);

uint8_t *__wrap_buffer_reserve(struct buffer *b, size_t more)
{
    return atomic_load(&starving) ? NULL : __real_buffer_reserve(b, more);
}

int __wrap_buffer_append(struct buffer *b, const void *data, size_t size)
{
    return atomic_load(&starving) ? -1 : __real_buffer_append(b, data, size);
}

struct fixture {
    char directory[TEMPORARY_MAX], path[TEMPORARY_PATH_MAX];
    struct engine engine;
    struct spool *spool;
    struct recorder *recorder;
    atomic_bool finished;
    atomic_bool refuse; /* memory runs out when records are appended */
    atomic_uint grown;
};

static void grew(void *arg)
{
    atomic_fetch_add(&((struct fixture *)arg)->grown, 1);
}

static bool append(void *arg, const struct buffer *framed)
{
    struct fixture *fixture = arg;
    if (atomic_load(&fixture->refuse))
        atomic_store(&starving, true);
    bool appended = spool_append(fixture->spool, framed);
    atomic_store(&starving, false);
    return appended;
}

static void failed(void *arg, const char *why, uint64_t samples)
{
    spool_fail(((struct fixture *)arg)->spool, why, samples);
}

static void finished(void *arg)
{
    struct fixture *fixture = arg;
    while (!spool_end(fixture->spool, 0))
        usleep(1000);
    atomic_store(&fixture->finished, true);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "recorder-test"))
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/spool", fixture->directory);
    fixture->engine.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    signal(SIGXFSZ, SIG_IGN);
    *state = fixture;
    const struct recorder_sink sink = {
        .arg = fixture, .append = append, .failed = failed, .finished = finished};
    const struct spool_bounds bounds = {.directory = fixture->directory};
    return spool_create(&fixture->spool, fixture->path, &bounds, grew, fixture, NULL) ||
           recorder_create(&fixture->recorder, &fixture->engine, &sink, NULL);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    recorder_destroy(fixture->recorder);
    spool_close(fixture->spool, true);
    close(fixture->engine.fd);
    int failed = rmdir(fixture->directory);
    free(fixture);
    return failed;
}

/* A limit on the size of files stands for a full disk. */
static void allow_bytes(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void begin(struct fixture *fixture, uint64_t samples)
{
    recorder_expect(fixture->recorder, 1);
    atomic_store(&fixture->engine.wanted, samples);
    eventfd_write(fixture->engine.fd, 1);
}

static void finish(struct fixture *fixture)
{
    const int64_t deadline = clock_now() + PATIENCE_NS;
    while (!atomic_load(&fixture->finished) && clock_now() < deadline)
        usleep(1000);
    assert_true(atomic_load(&fixture->finished));
}

static void record(struct fixture *fixture, uint64_t samples)
{
    begin(fixture, samples);
    finish(fixture);
}

/* What a reader finds in the spool: a report, then the run's end. */
struct found {
    uint64_t rows;
    bool ready, report;
    char problem[512];
};

static struct found read_spool(struct fixture *fixture)
{
    struct found found = {0};
    struct buffer record = {0};
    struct series series = {0};
    struct spool_head head = {0};
    int got;
    for (uint64_t at = 0;
         (got = segment_read(spool_segment(fixture->spool), at, &record, &at, NULL)) > 0;) {
        assert_int_not_equal(head.kind, SPOOL_RUN_END);
        assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
        if (head.kind == SPOOL_SAMPLES) {
            assert_false(found.report);
            series_clear(&series);
            assert_int_equal(spool_record_rows(record.data, record.size, &series, NULL), 0);
            found.rows += series.count;
        }
        found.ready |= head.kind == SPOOL_READY;
        found.report |= head.kind == SPOOL_REPORT;
    }
    assert_int_equal(got, 0);
    assert_int_equal(head.kind, SPOOL_RUN_END);
    strcpy(found.problem, head.problem);
    series_fini(&series);
    buffer_fini(&record);
    return found;
}

static void test_all_goes_well(void **state)
{
    struct fixture *fixture = *state;
    record(fixture, 10000);
    struct found found = read_spool(fixture);
    assert_int_equal(found.rows, 10000);
    assert_true(found.report);
    assert_string_equal(found.problem, "");
    assert_null(spool_failure(fixture->spool));
    assert_true(atomic_load(&fixture->grown) > 0);
}

/* What is lost if the agent is killed is a matter of when samples were taken. */
static void test_samples_wait_by_their_age(void **state)
{
    struct fixture *fixture = *state;
    fixture->engine.age_ns = 380 * NS_PER_MS;
    fixture->engine.reported = true; /* no report comes, which would take them along */
    const int64_t began = clock_now();
    atomic_store(&fixture->engine.wanted, 10);
    eventfd_write(fixture->engine.fd, 1);
    while (!atomic_load(&fixture->grown) && clock_now() - began < PATIENCE_NS)
        usleep(1000);
    assert_true(clock_now() - began < 350 * NS_PER_MS);
    fixture->engine.reported = false;
    recorder_expect(fixture->recorder, 1);
    eventfd_write(fixture->engine.fd, 1);
    finish(fixture);
    assert_int_equal(read_spool(fixture).rows, 10);
}

static void test_a_full_disk_loses_nothing_at_first(void **state)
{
    struct fixture *fixture = *state;
    allow_bytes(100000);
    record(fixture, 10000);
    struct found found = read_spool(fixture);
    allow_bytes(RLIM_INFINITY);
    assert_int_equal(found.rows, 10000);
    assert_true(found.report);
    assert_non_null(strstr(found.problem, "spool: cannot write"));
    assert_non_null(strstr(found.problem, "; 0 samples were lost"));
    assert_non_null(spool_failure(fixture->spool));
}

static void test_what_is_too_much_is_counted(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t samples = 400000; /* at over 280 bytes: more than is kept in memory */
    allow_bytes(100000);
    record(fixture, samples);
    struct found found = read_spool(fixture);
    allow_bytes(RLIM_INFINITY);
    unsigned long long lost = 0;
    const char *at = strrchr(found.problem, ';');
    assert_non_null(at);
    assert_int_equal(sscanf(at, "; %llu samples were lost", &lost), 1);
    assert_true(lost > 0 && lost < samples);
    assert_int_equal(found.rows + lost, samples);
    assert_true(found.report);
}

/* The run's end waits for the report, which waits for memory. */
static void test_no_memory_for_a_report(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&starving, true);
    begin(fixture, 10);
    usleep(700000);
    assert_false(atomic_load(&fixture->finished));
    atomic_store(&starving, false);
    finish(fixture);
    struct found found = read_spool(fixture);
    assert_true(found.report);
    assert_non_null(strstr(found.problem, "out of memory"));
}

/* The master waits for it before anything starts. */
static void test_no_memory_for_readiness(void **state)
{
    struct fixture *fixture = *state;
    fixture->engine.tells_ready = true;
    atomic_store(&starving, true);
    begin(fixture, 10);
    usleep(300000);
    atomic_store(&starving, false);
    finish(fixture);
    struct found found = read_spool(fixture);
    assert_true(found.ready);
    assert_true(found.report);
    assert_int_equal(found.rows, 10);
    assert_non_null(strstr(found.problem, "out of memory"));
}

/* Neither disk nor memory for what was recorded. */
static void test_no_room_at_all_for_a_report(void **state)
{
    struct fixture *fixture = *state;
    allow_bytes(0);
    atomic_store(&fixture->refuse, true);
    begin(fixture, 10);
    usleep(700000);
    assert_false(atomic_load(&fixture->finished));
    atomic_store(&starving, false);
    atomic_store(&fixture->refuse, false);
    allow_bytes(RLIM_INFINITY);
    finish(fixture);
    struct found found = read_spool(fixture);
    assert_true(found.report);
    assert_int_equal(found.rows, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_goes_well, setup, teardown),
        cmocka_unit_test_setup_teardown(test_samples_wait_by_their_age, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk_loses_nothing_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_too_much_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_report, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_for_readiness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_at_all_for_a_report, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
