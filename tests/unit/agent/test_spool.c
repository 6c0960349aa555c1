#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "agent/spool.h"
#include "format/spool_record.h"
#include "proto/agent.pb-c.h"

struct fixture {
    char directory[TEMPORARY_MAX];
    char path[TEMPORARY_PATH_MAX];
    struct spool *spool;
    unsigned grown;
    struct rlimit before;
};

static void grew(void *arg)
{
    ((struct fixture *)arg)->grown++;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "spool-test"))
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/spool", fixture->directory);
    *state = fixture;
    const struct spool_bounds bounds = {.directory = fixture->directory};
    return spool_create(&fixture->spool, fixture->path, &bounds, grew, fixture, NULL);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    spool_close(fixture->spool, true);
    int failed = rmdir(fixture->directory);
    free(fixture);
    return failed;
}

/* The limit on the size of a file stands for a full disk. */
static void fill_disk(struct fixture *fixture)
{
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &fixture->before);
    const struct rlimit limit = {.rlim_cur = 0, .rlim_max = fixture->before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void empty_disk(const struct fixture *fixture)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &fixture->before), 0);
}

static void frame(struct buffer *framed, struct buffer *record)
{
    assert_int_equal(segment_frame(framed, record->data, record->size), 0);
    buffer_clear(record);
}

static void add_ready(struct buffer *framed, uint32_t flow)
{
    struct buffer record = {0};
    assert_int_equal(spool_record_ready(&record, flow, END_SRC, 1), 0);
    frame(framed, &record);
    buffer_fini(&record);
}

static void add_samples(struct buffer *framed, uint32_t flow, size_t count)
{
    static struct sample samples[SPOOL_ROWS_MAX];
    const struct sample *rows[SPOOL_ROWS_MAX];
    struct buffer record = {0};
    for (size_t i = 0; i < count; i++) {
        samples[i] = (struct sample){.flow = flow, .tick = (int64_t)i, .info_length = 248};
        rows[i] = &samples[i];
        for (size_t at = 0; at < 248; at++) /* nothing that packs well */
            samples[i].info[at] = (uint8_t)(i * 131 + at * 29 + i * at);
    }
    assert_int_equal(spool_record_samples(&record, rows, count), 0);
    frame(framed, &record);
    buffer_fini(&record);
}

struct seen {
    unsigned ready, samples, ends;
    char problem[512];
};

static struct seen look(const struct fixture *fixture)
{
    struct seen seen = {0};
    struct buffer record = {0};
    struct spool_head head;
    struct segment *segment = spool_segment(fixture->spool);
    for (uint64_t at = 0; segment_read(segment, at, &record, &at, NULL) > 0;) {
        assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
        seen.ready += head.kind == SPOOL_READY;
        seen.samples += head.kind == SPOOL_SAMPLES ? head.rows : 0;
        seen.ends += head.kind == SPOOL_RUN_END;
        if (head.kind == SPOOL_RUN_END)
            snprintf(seen.problem, sizeof seen.problem, "%s", head.problem);
    }
    buffer_fini(&record);
    return seen;
}

static void test_records_and_the_last(void **state)
{
    struct fixture *fixture = *state;
    struct buffer framed = {0};
    add_ready(&framed, 1);
    add_samples(&framed, 1, 10);
    spool_append(fixture->spool, &framed);
    assert_int_equal(fixture->grown, 1);
    spool_append(fixture->spool, &framed);
    assert_true(spool_end(fixture->spool, 0));
    assert_true(spool_end(fixture->spool, 0));
    struct seen seen = look(fixture);
    assert_int_equal(seen.ready, 2);
    assert_int_equal(seen.samples, 20);
    assert_int_equal(seen.ends, 1);
    assert_string_equal(seen.problem, "");
    assert_null(spool_failure(fixture->spool));
    buffer_fini(&framed);
}

static void test_disk_full_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct buffer framed = {0};
    add_samples(&framed, 1, 10);
    fill_disk(fixture);
    spool_append(fixture->spool, &framed);
    assert_int_equal(segment_waiting(spool_segment(fixture->spool)), framed.size);
    assert_int_equal(look(fixture).samples, 10);
    assert_non_null(strstr(spool_failure(fixture->spool), "File too large"));
    empty_disk(fixture);
    spool_retry(fixture->spool);
    assert_int_equal(segment_waiting(spool_segment(fixture->spool)), 0);
    spool_append(fixture->spool, &framed);
    assert_true(spool_end(fixture->spool, 0));
    struct seen seen = look(fixture);
    assert_int_equal(seen.samples, 20);
    assert_non_null(strstr(seen.problem, "; 0 samples were lost"));
    buffer_fini(&framed);
}

/* Samples go, what is small stays. */
static void test_disk_full_for_long(void **state)
{
    struct fixture *fixture = *state;
    struct buffer framed = {0};
    unsigned appended = 0, with_samples = 0;
    add_samples(&framed, 1, SPOOL_ROWS_MAX);
    add_ready(&framed, 1);
    fill_disk(fixture);
    for (bool dropped = false; !dropped && appended < 1000; appended++) {
        const uint64_t before = segment_waiting(spool_segment(fixture->spool));
        spool_append(fixture->spool, &framed);
        dropped = segment_waiting(spool_segment(fixture->spool)) - before < framed.size;
        with_samples += !dropped;
    }
    assert_true(appended < 1000 && with_samples > 0);
    assert_true(spool_end(fixture->spool, 0));
    empty_disk(fixture);
    struct seen seen = look(fixture);
    assert_int_equal(seen.samples, with_samples * SPOOL_ROWS_MAX);
    assert_int_equal(seen.ready, with_samples + 1);
    char lost[64];
    snprintf(lost, sizeof lost, "; %u samples were lost", SPOOL_ROWS_MAX);
    assert_non_null(strstr(seen.problem, lost));
    buffer_fini(&framed);
}

/* A spool that nobody collected counts, and others have a quarter of what is left. */
static void test_quota(void **state)
{
    struct fixture *fixture = *state;
    char orphan[TEMPORARY_PATH_MAX + 32], path[TEMPORARY_PATH_MAX + 32], text[512];
    const struct spool_bounds bounds = {fixture->directory, 100000, "uid 5"};
    const struct spool_bounds others = {fixture->directory, 100000, "uid 6"};
    struct buffer framed = {0};
    struct error err;
    struct stat status;
    spool_close(fixture->spool, true);
    snprintf(orphan, sizeof orphan, "%s/tcp-flowgen-0-0.spool", fixture->directory);
    snprintf(path, sizeof path, "%s/tcp-flowgen-1-1-uid_5.spool", fixture->directory);
    FILE *file = fopen(orphan, "we");
    assert_int_equal(posix_fallocate(fileno(file), 0, 60000), 0);
    fclose(file);
    assert_int_equal(spool_create(&fixture->spool, path, &bounds, grew, fixture, NULL), 0);
    assert_int_equal(spool_place_room(&bounds, &err), 30000);
    add_samples(&framed, 1, 10);
    const unsigned count = (unsigned)(70000 / framed.size);
    for (unsigned i = 0; i < count; i++)
        assert_true(spool_append(fixture->spool, &framed));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 30000);
    assert_int_equal(look(fixture).samples, count * 10);
    snprintf(text, sizeof text, "%s", spool_failure(fixture->spool));
    assert_non_null(strstr(text, "spools may have 100 kB there (--spool-max), and have 90.0 kB; "
                                 "of the rest 10.0 kB are kept for other callers than uid 5, "
                                 "whose spools have 30.0 kB"));
    assert_int_equal(spool_place_room(&bounds, &err), 0);
    assert_int_equal(spool_place_room(&others, &err), 7500);

    assert_int_equal(unlink(orphan), 0);
    spool_retry(fixture->spool);
    assert_int_equal(segment_waiting(spool_segment(fixture->spool)), 0);
    assert_true(spool_end(fixture->spool, 0));
    assert_non_null(strstr(look(fixture).problem, "; 0 samples were lost"));
    buffer_fini(&framed);
}

/* What there may be any number of goes, once too much waits. */
static void test_what_waits_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct segment *segment = spool_segment(fixture->spool);
    struct buffer record = {0}, prepared = {0}, framed = {0};
    static char scenario[1 << 20];
    Tcpflowgen__PrepareRequest request = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    memset(scenario, 'x', sizeof scenario - 1);
    request.run = scenario;
    assert_int_equal(spool_record_prepare(&record, &request), 0);
    frame(&prepared, &record);
    assert_int_equal(spool_record_axis(&record, 0, &(struct axis){.rate = 0}, 1), 0);
    frame(&framed, &record);
    add_ready(&framed, 1);
    fill_disk(fixture);
    for (int i = 0; i < 70; i++)
        assert_true(spool_append(fixture->spool, &prepared));
    const uint64_t waiting = segment_waiting(segment);
    assert_in_range(waiting, 63u << 20, 64u << 20);
    /* But for less than there was room for yet. */
    for (int i = 0; i < 40000; i++)
        assert_true(spool_append(fixture->spool, &framed));
    assert_in_range(segment_waiting(segment), waiting, (64u << 20) + 40000 * 24);
    empty_disk(fixture);
    buffer_fini(&record);
    buffer_fini(&prepared);
    buffer_fini(&framed);
}

static void test_first_reason_stays(void **state)
{
    struct fixture *fixture = *state;
    spool_fail(fixture->spool, "first", 2);
    spool_fail(fixture->spool, "second", 3);
    assert_string_equal(spool_failure(fixture->spool), "first");
    assert_true(spool_end(fixture->spool, 0));
    assert_string_equal(look(fixture).problem, "first; 5 samples were lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_and_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_full_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_full_for_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_waits_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_reason_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
