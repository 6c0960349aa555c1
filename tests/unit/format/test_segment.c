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
#include "format/segment.h"

struct fixture {
    char directory[TEMPORARY_MAX];
    char path[TEMPORARY_PATH_MAX];
    struct segment *segment;
    struct buffer record;
    uint64_t next;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "segment-test"))
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/spool", fixture->directory);
    *state = fixture;
    return segment_create(&fixture->segment, fixture->path, NULL);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    segment_close(fixture->segment, 1);
    buffer_fini(&fixture->record);
    int failed = rmdir(fixture->directory); /* fails if anything was left */
    free(fixture);
    return failed;
}

static int read_at(struct fixture *fixture, uint64_t offset, struct error *err)
{
    return segment_read(fixture->segment, offset, &fixture->record, &fixture->next, err);
}

static void check_record(const struct fixture *fixture, const char *text)
{
    assert_int_equal(fixture->record.size, strlen(text));
    assert_memory_equal(fixture->record.data, text, strlen(text));
}

static void test_records_come_back_in_order(void **state)
{
    struct fixture *fixture = *state;
    uint64_t offset;
    assert_int_equal(read_at(fixture, 0, NULL), 0);
    assert_int_equal(segment_append(fixture->segment, "one", 3, &offset, NULL), 0);
    assert_int_equal(offset, 0);
    assert_int_equal(segment_append(fixture->segment, "three", 5, &offset, NULL), 0);
    assert_int_equal(offset, 11);
    assert_int_equal(segment_size(fixture->segment), 24);

    assert_int_equal(read_at(fixture, 0, NULL), 1);
    check_record(fixture, "one");
    assert_int_equal(fixture->next, 11);
    assert_int_equal(read_at(fixture, fixture->next, NULL), 1);
    check_record(fixture, "three");
    assert_int_equal(read_at(fixture, fixture->next, NULL), 0);
    assert_int_equal(read_at(fixture, UINT64_MAX, NULL), 0);
}

static void test_framed_records_are_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct buffer framed = {0};
    assert_int_equal(segment_frame(&framed, "one", 3), 0);
    assert_int_equal(segment_frame(&framed, "three", 5), 0);
    assert_int_equal(segment_append_framed(fixture->segment, &framed, NULL), 0);
    assert_int_equal(segment_append(fixture->segment, "2", 1, NULL, NULL), 0);
    assert_int_equal(read_at(fixture, 11, NULL), 1);
    check_record(fixture, "three");
    assert_int_equal(read_at(fixture, fixture->next, NULL), 1);
    check_record(fixture, "2");
    buffer_fini(&framed);
}

/* [u32 length][u32 CRC-32][bytes], big-endian; 0xcbf43926 is the CRC-32 of "123456789". */
static void test_the_bytes_are_as_described(void **state)
{
    struct fixture *fixture = *state;
    uint8_t bytes[32];
    assert_int_equal(segment_append(fixture->segment, "123456789", 9, NULL, NULL), 0);
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 17);
    fclose(file);
    assert_memory_equal(bytes,
                        "\0\0\0\x09\xcb\xf4\x39\x26"
                        "123456789",
                        17);
}

static void test_the_file_is_private_and_new(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    struct segment *second;
    struct error err = {0};
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(segment_create(&second, fixture->path, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, fixture->path);
}

static void test_a_changed_byte_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(segment_append(fixture->segment, "one", 3, NULL, NULL), 0);
    assert_int_equal(segment_append(fixture->segment, "three", 5, NULL, NULL), 0);
    FILE *file = fopen(fixture->path, "r+b");
    assert_non_null(file);
    fseek(file, 9, SEEK_SET);
    fputc('X', file);
    fclose(file);
    assert_int_equal(read_at(fixture, 0, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, fixture->path);
    assert_int_equal(read_at(fixture, 11, NULL), 1);
}

/* As a disk may leave a file's end when the power fails. */
static void test_zeros_are_no_records(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(segment_append(fixture->segment, "one", 3, NULL, NULL), 0);
    assert_int_equal(segment_append(fixture->segment, "three", 5, NULL, NULL), 0);
    assert_int_equal(truncate(fixture->path, 11), 0);
    assert_int_equal(truncate(fixture->path, 24), 0);
    assert_int_equal(read_at(fixture, 0, NULL), 1);
    assert_int_equal(read_at(fixture, 11, NULL), ERROR_SYSTEM);
}

static void test_a_lost_tail_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(segment_append(fixture->segment, "one", 3, NULL, NULL), 0);
    assert_int_equal(segment_append(fixture->segment, "three", 5, NULL, NULL), 0);
    for (off_t size = 23; size > 11; size--) {
        assert_int_equal(truncate(fixture->path, size), 0);
        assert_int_equal(read_at(fixture, 11, &err), ERROR_SYSTEM);
        assert_int_equal(read_at(fixture, 0, NULL), 1);
    }
}

static void test_an_offset_between_records_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(segment_append(fixture->segment, "some longer text", 16, NULL, NULL), 0);
    for (uint64_t offset = 1; offset + 8 <= segment_size(fixture->segment); offset++)
        assert_int_equal(read_at(fixture, offset, NULL), ERROR_SYSTEM);
}

/* A limit on the size of files stands for a full disk. */
static void allow_bytes(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int append_framed(struct fixture *fixture, const char *text, struct error *err)
{
    struct buffer framed = {0};
    assert_int_equal(segment_frame(&framed, text, strlen(text)), 0);
    int result = segment_append_framed(fixture->segment, &framed, err);
    buffer_fini(&framed);
    return result;
}

static off_t file_size(const struct fixture *fixture)
{
    struct stat status;
    assert_int_equal(stat(fixture->path, &status), 0);
    return status.st_size;
}

static void check_three(struct fixture *fixture)
{
    assert_int_equal(segment_size(fixture->segment), 36);
    assert_int_equal(read_at(fixture, 0, NULL), 1);
    check_record(fixture, "one");
    assert_int_equal(read_at(fixture, fixture->next, NULL), 1);
    check_record(fixture, "three");
    assert_int_equal(fixture->next, 11 + segment_step(5));
    assert_int_equal(read_at(fixture, fixture->next, NULL), 1);
    check_record(fixture, "four");
    assert_int_equal(read_at(fixture, fixture->next, NULL), 0);
}

static void test_what_the_disk_refuses_waits_in_memory(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    const struct buffer nothing = {0};
    assert_int_equal(append_framed(fixture, "one", NULL), 0);
    allow_bytes(15); /* in the middle of the second one */
    assert_int_equal(append_framed(fixture, "three", &err), 1);
    assert_string_equal(err.where, fixture->path);
    assert_int_equal(append_framed(fixture, "four", NULL), 1);
    assert_int_equal(segment_waiting(fixture->segment), 36 - 15);
    check_three(fixture);

    allow_bytes(30);
    assert_int_equal(segment_append_framed(fixture->segment, &nothing, NULL), 1);
    assert_int_equal(segment_waiting(fixture->segment), 36 - 30);
    check_three(fixture);

    allow_bytes(RLIM_INFINITY);
    assert_int_equal(segment_append_framed(fixture->segment, &nothing, NULL), 0);
    assert_int_equal(segment_waiting(fixture->segment), 0);
    assert_int_equal(file_size(fixture), 36);
    check_three(fixture);
}

static void test_what_waits_is_written_at_last(void **state)
{
    struct fixture *fixture = *state;
    allow_bytes(5);
    assert_int_equal(append_framed(fixture, "one", NULL), 1);
    allow_bytes(RLIM_INFINITY);
    segment_close(fixture->segment, 0);
    fixture->segment = NULL;
    assert_int_equal(file_size(fixture), 11);
    unlink(fixture->path);
}

/* The master's part file: a record is there or it is not. */
static void test_an_append_that_fails_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(segment_append(fixture->segment, "one", 3, NULL, NULL), 0);
    allow_bytes(15);
    assert_int_equal(segment_append(fixture->segment, "two", 3, NULL, &err), ERROR_SYSTEM);
    assert_int_equal(segment_size(fixture->segment), 11);
    assert_int_equal(read_at(fixture, 11, NULL), 0);
    allow_bytes(RLIM_INFINITY);
    assert_int_equal(segment_append(fixture->segment, "three", 5, NULL, NULL), 0);
    assert_int_equal(segment_append(fixture->segment, "four", 4, NULL, NULL), 0);
    check_three(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_come_back_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_framed_records_are_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_bytes_are_as_described, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_file_is_private_and_new, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_byte_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zeros_are_no_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lost_tail_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_offset_between_records_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_the_disk_refuses_waits_in_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_waits_is_written_at_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_append_that_fails_leaves_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
