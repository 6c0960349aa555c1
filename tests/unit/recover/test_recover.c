/* Spools that are not what they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "format/segment.h"
#include "format/spool_record.h"
#include "recover/recover.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_flow_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
