/* Spools that are not what they should be. */
#include <setjmp.h>
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
#include "format/segment.h"
#include "format/spool_record.h"
#include "recover/parties.h"
#include "recover/recover.h"
#include "recover/spools.h"

struct fixture {
    char directory[TEMPORARY_MAX];
    char spool[TEMPORARY_PATH_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "recover-test"))
        return -1;
    snprintf(fixture->spool, sizeof fixture->spool, "%s/spool", fixture->directory);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->spool);
    int failed = rmdir(fixture->directory);
    free(fixture);
    return failed;
}

/* Sanitizers need more themselves. */
static void limit_memory(rlim_t bytes)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    bytes = RLIM_INFINITY;
#endif
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
}

/* The only record, of a flow whose number is high: memory goes with flows, not with numbers. */
static void test_the_last_flow_alone(void **state)
{
    struct fixture *fixture = *state;
    struct segment *segment;
    struct buffer record = {0};
    struct recover_outcome outcome;
    const struct end_report report = {.flow = 999999, .status = END_COMPLETE};
    const char *paths[] = {fixture->spool};
    assert_int_equal(segment_create(&segment, fixture->spool, NULL), 0);
    assert_int_equal(spool_record_report(&record, &report), 0);
    assert_int_equal(segment_append(segment, record.data, record.size, NULL, NULL), 0);
    segment_close(segment, 0);
    limit_memory(64 << 20);
    const int failed = recover_run(paths, 1, "/dev/null", &outcome, NULL);
    limit_memory(RLIM_INFINITY);
    assert_int_equal(failed, 0);
    assert_int_equal(outcome.complete + outcome.partial + outcome.failed, 1);
    buffer_fini(&record);
}

static void put(struct segment *segment, const void *data, size_t size)
{
    assert_int_equal(segment_append(segment, data, size, NULL, NULL), 0);
}

static void put_samples(struct segment *segment, int64_t tick)
{
    struct buffer record = {0};
    const struct sample sample = {.info_length = TCP_INFO_SIZE, .tick = tick, .t_ns = 1 + tick};
    const struct sample *rows[] = {&sample};
    assert_int_equal(spool_record_samples(&record, rows, 1), 0);
    put(segment, record.data, record.size);
    buffer_fini(&record);
}

/* Records that cannot be among those of an end; one whose bytes are not what they were. */
static void put_broken(struct segment *segment)
{
    static const uint8_t many[] = {3 << 3 | 2, 6, 8, 0xff, 0xff, 0xff, 0xff, 7};
    static const uint8_t no_times[] = {3 << 3 | 2, 5, 8, 1, 0x22, 1, 2};
    static const uint8_t no_end[] = {2 << 3, 7, 3 << 3 | 2, 0};
    put_samples(segment, 0);
    put(segment, many, sizeof many);
    put(segment, no_times, sizeof no_times);
    put_samples(segment, 1);
    put(segment, no_end, sizeof no_end);
    put_samples(segment, 2);
}

static void test_the_rest_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct segment *segment;
    struct recovered recovered = {0};
    struct recover_outcome outcome;
    const char *paths[] = {fixture->spool};
    char text[TEMPORARY_PATH_MAX + 64];
    assert_int_equal(segment_create(&segment, fixture->spool, NULL), 0);
    put_broken(segment);
    const uint64_t changed = segment_size(segment);
    put_samples(segment, 3);
    put_samples(segment, 4);
    segment_close(segment, 0);
    FILE *file = fopen(fixture->spool, "r+b");
    assert_non_null(file);
    fseek(file, (long)changed + 10, SEEK_SET);
    fputc(0xff, file);
    fclose(file);
    assert_int_equal(recovered_load(&recovered, paths, 1, NULL), 0);
    assert_int_equal(recovered.broken, 4);
    assert_int_equal(recovered.piece_count, 4);
    assert_int_equal(recovered.run.warning_count, 4);
    snprintf(text, sizeof text, "%s: the record at byte %llu is left out: its checksum is wrong",
             fixture->spool, (unsigned long long)changed);
    assert_string_equal(recovered.run.warnings[3], text);
    assert_non_null(strstr(recovered.run.warnings[0], "is left out: too many rows"));
    recovered_fini(&recovered);
    assert_int_equal(recover_run(paths, 1, "/dev/null", &outcome, NULL), 0);
    assert_int_equal(outcome.broken, 4);
}

/* Many are not told one by one; what was torn off ends the file. */
static void test_many_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct segment *segment;
    struct recovered recovered = {0};
    const char *paths[] = {fixture->spool};
    assert_int_equal(segment_create(&segment, fixture->spool, NULL), 0);
    for (int i = 0; i < 10; i++)
        put_broken(segment);
    const uint64_t whole = segment_size(segment);
    put_samples(segment, 9);
    segment_close(segment, 0);
    assert_int_equal(truncate(fixture->spool, (off_t)whole + 11), 0);
    assert_int_equal(recovered_load(&recovered, paths, 1, NULL), 0);
    assert_int_equal(recovered.broken, 30);
    assert_int_equal(recovered.piece_count, 30);
    assert_int_equal(recovered.run.warning_count, 8 + 1 + 1);
    assert_non_null(strstr(recovered.run.warnings[8], "the last 11 bytes are not used"));
    assert_non_null(strstr(recovered.run.warnings[9], "22 more records are broken"));
    recovered_fini(&recovered);
}

static void put_agent(struct recovered *recovered, uint32_t number, const char *mgmt)
{
    Tcpflowgen__PrepareRequest prepare = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    Tcpflowgen__RunAgent agent = TCPFLOWGEN__RUN_AGENT__INIT, *agents[] = {&agent};
    agent.mgmt = (char *)mgmt;
    agent.cpus = 4;
    prepare.agents = agents;
    prepare.n_agents = 1;
    prepare.agent_places = &number;
    prepare.n_agent_places = 1;
    assert_int_equal(parties_take(recovered, &prepare, false, NULL), 0);
}

/* A part file may have what was measured at an agent before it says who that is. */
static void test_measured_before_it_is_named(void **state)
{
    (void)state;
    struct recovered recovered = {0};
    const int64_t row[HOST_FIELD_COUNT] = {[HOST_t_ns] = 7};
    put_agent(&recovered, 1, "b");
    struct run_agent *agent = &recovered.run.agents[0];
    assert_int_equal(host_series_add(&agent->host, row, 10), 0);
    agent->other_runs = 3;
    agent->lost = strdup("it went away");
    put_agent(&recovered, 0, "a");
    assert_string_equal(agent->mgmt, "a");
    assert_int_equal(agent->cpus, 4);
    assert_int_equal(agent->other_runs, 3);
    assert_string_equal(agent->lost, "it went away");
    assert_int_equal(agent->host.count, 1);
    assert_int_equal(host_series_row(&agent->host, 0)[HOST_t_ns], 7);
    recovered_fini(&recovered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_flow_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_rest_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_are_counted, setup, teardown),
        cmocka_unit_test(test_measured_before_it_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
