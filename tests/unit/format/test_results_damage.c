/* Result files that a disk, a copy or a stranger has changed. */
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
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "../../one_series.h"
#include "../temporary.h"
#include "format/results_reader.h"
#include "format/results_writer.h"
#include "util/buffer.h"

#define ROWS 10
#define MIB  1024L /* KiB */

struct fixture {
    char directory[TEMPORARY_MAX];
    char path[TEMPORARY_PATH_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "damage-test"))
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/results", fixture->directory);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    int failed = rmdir(fixture->directory);
    free(fixture);
    return failed;
}

/* ---- writing ---- */

static void write_flows(const char *path, size_t count)
{
    struct results_writer *writer;
    const struct run_info run = {.id = (char[]){"abc"}, .scenario = (char[]){"{}"}};
    assert_int_equal(results_writer_open(&writer, path, 0, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        struct flow_result flow = {.id = (int32_t)i, .report[END_DST].end = END_DST};
        struct one_series source;
        strcpy(flow.src, "A");
        strcpy(flow.dst, "B");
        assert_true(one_series_fill(&source, ROWS));
        assert_int_equal(
            results_writer_flow(writer, &flow, i ? NULL : &run, one_series_give, &source, NULL), 0);
        series_fini(&source.series);
    }
    assert_int_equal(results_writer_close(writer, NULL), 0);
}

static void load(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    size_t got;
    assert_non_null(file);
    buffer_clear(out);
    while (buffer_reserve(out, 4096) && (got = fread(out->data + out->size, 1, 4096, file)) > 0)
        out->size += got;
    fclose(file);
}

static void store(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A gzipped file of the same bytes again and again. */
static void store_zipped(const char *path, const void *bytes, size_t size, size_t times)
{
    gzFile file = gzopen(path, "wb9");
    assert_non_null(file);
    for (size_t i = 0; i < times; i++)
        assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

/* ---- reading ---- */

/* What the last call of results_reader_next() returned; *rows: of both ends. */
static int read_all(const char *path, size_t *rows, struct error *err)
{
    struct results_reader *reader;
    const struct results_record *record;
    size_t sink;
    rows = rows ? rows : &sink;
    *rows = 0;
    int got = results_reader_open(&reader, path, err);
    if (got)
        return got;
    while ((got = results_reader_next(reader, &record, err)) > 0)
        *rows += record->samples[END_SRC].count + record->samples[END_DST].count;
    results_reader_close(reader);
    return got;
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Sanitizers keep what was freed. */
static void expect_modest(long before, long limit_kib)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    (void)before, (void)limit_kib;
#else
    assert_true(peak_kib() - before < limit_kib);
#endif
}

static void expect_error(const char *path, const char *what)
{
    struct error err = {0};
    assert_int_equal(read_all(path, NULL, &err), ERROR_INPUT);
    if (!strstr(err.what, what))
        fail_msg("\"%s\" does not say \"%s\"", err.what, what);
}

/* ---- bits ---- */

static void unzip(const char *path, struct buffer *out)
{
    gzFile file = gzopen(path, "rb");
    int got;
    assert_non_null(file);
    buffer_clear(out);
    while (buffer_reserve(out, 4096) && (got = gzread(file, out->data + out->size, 4096)) > 0)
        out->size += (size_t)got;
    gzclose(file);
}

/* gzip has a time in its header, bits that fill bytes up, and other things that do not matter. */
static bool holds(const char *path, const struct buffer *plain)
{
    struct buffer now = {0};
    unzip(path, &now);
    const bool same = now.size == plain->size && memcmp(now.data, plain->data, plain->size) == 0;
    buffer_fini(&now);
    return same;
}

static void check_flips(const char *path, bool zipped, size_t step)
{
    struct buffer bytes = {0}, plain = {0};
    size_t harmless = 0;
    write_flows(path, 2);
    load(path, &bytes);
    unzip(path, &plain);
    assert_int_equal(read_all(path, NULL, NULL), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < bytes.size * 8; i += step) {
        const size_t at = i / 8;
        const uint8_t flipped = bytes.data[at] ^ (uint8_t)(1u << i % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        if (read_all(path, NULL, NULL) != ERROR_INPUT) {
            if (!zipped || !holds(path, &plain))
                fail_msg("bit %zu of byte %zu was not missed", i % 8, at);
            harmless++;
        }
        assert_int_equal(pwrite(fd, &bytes.data[at], 1, (off_t)at), 1);
    }
    assert_true(harmless < 8 * 8);
    close(fd);
    buffer_fini(&bytes);
    buffer_fini(&plain);
}

static void test_every_flipped_bit_is_told(void **state)
{
    struct fixture *fixture = *state;
    check_flips(fixture->path, false, 7);
}

static void test_every_flipped_bit_of_a_gzipped_file_is_told(void **state)
{
    struct fixture *fixture = *state;
    char path[TEMPORARY_PATH_MAX + 4];
    snprintf(path, sizeof path, "%s.gz", fixture->path);
    check_flips(path, true, 1);
    unlink(path);
}

/* ---- what stands before the damage of a gzipped file ---- */

#define FLOWS 40

static void zip_path(const struct fixture *fixture, char path[TEMPORARY_PATH_MAX + 4])
{
    snprintf(path, TEMPORARY_PATH_MAX + 4, "%s.gz", fixture->path);
}

/* Flips a bit so far from the end; returns the rows that were there nevertheless. */
static size_t rows_without_bit(const char *path, const struct buffer *bytes, size_t from_end,
                               struct error *err)
{
    size_t rows;
    bytes->data[bytes->size - from_end] ^= 1;
    store(path, bytes->data, bytes->size);
    bytes->data[bytes->size - from_end] ^= 1;
    assert_int_equal(read_all(path, &rows, err), ERROR_INPUT);
    return rows;
}

static void test_what_was_inflated_is_given(void **state)
{
    char path[TEMPORARY_PATH_MAX + 4], place[64];
    struct buffer bytes = {0};
    struct error err = {0};
    zip_path(*state, path);
    write_flows(path, FLOWS);
    load(path, &bytes);
    for (size_t from_end = 1; from_end <= 8; from_end++) { /* length and checksum */
        assert_int_equal(rows_without_bit(path, &bytes, from_end, &err), FLOWS * 2 * ROWS);
        snprintf(place, sizeof place, "record %d, byte ", FLOWS + 1);
        assert_int_equal(strncmp(err.what, place, strlen(place)), 0);
        assert_non_null(strstr(err.what, "the gzip data are damaged"));
        assert_non_null(strstr(err.cure, "copy the file again"));
    }
    const size_t rows = rows_without_bit(path, &bytes, bytes.size / 2, &err);
    assert_true(rows >= 2 * ROWS && rows < FLOWS * 2 * ROWS);
    assert_int_equal(rows % (2 * ROWS), 0); /* of whole records */
    assert_int_equal(rows_without_bit(path, &bytes, bytes.size - 12, &err), 0);
    assert_int_equal(strncmp(err.what, "record 1, byte 0: ", 18), 0);
    unlink(path);
    buffer_fini(&bytes);
}

static void test_what_follows_gzipped_data(void **state)
{
    char path[TEMPORARY_PATH_MAX + 4];
    struct buffer bytes = {0};
    struct error err = {0};
    size_t rows;
    zip_path(*state, path);
    write_flows(path, 1);
    load(path, &bytes);
    const size_t one = bytes.size;
    assert_non_null(buffer_reserve(&bytes, one + 4)); /* it stays where it is */
    assert_int_equal(buffer_append(&bytes, "\0\0\0\0", 4), 0);
    assert_int_equal(buffer_append(&bytes, bytes.data, one), 0);
    store(path, bytes.data, bytes.size);
    assert_int_equal(read_all(path, &rows, &err), 0);
    assert_int_equal(rows, 2 * 2 * ROWS);
    bytes.data[one + 4] ^= 1; /* else the second one were silently left out */
    store(path, bytes.data, bytes.size);
    assert_int_equal(read_all(path, &rows, &err), ERROR_INPUT);
    assert_int_equal(rows, 2 * ROWS);
    assert_non_null(strstr(err.what, "record 2, byte "));
    unlink(path);
    buffer_fini(&bytes);
}

static void test_the_error_names_record_and_flow(void **state)
{
    struct fixture *fixture = *state;
    struct buffer bytes = {0};
    size_t rows;
    struct error err = {0};
    char place[64];
    write_flows(fixture->path, 2);
    load(fixture->path, &bytes);
    const uint32_t first = (uint32_t)bytes.data[2] << 8 | bytes.data[3];
    bytes.data[bytes.size - 1] ^= 1; /* of the second record's checksum */
    store(fixture->path, bytes.data, bytes.size);
    assert_int_equal(read_all(fixture->path, &rows, &err), ERROR_INPUT);
    snprintf(place, sizeof place, "record 2, byte %u: ", first + 4);
    assert_non_null(strstr(err.what, place));
    assert_non_null(strstr(err.what, "(flow 1)"));
    assert_int_equal(rows, 2 * ROWS); /* of the first record alone */
    buffer_fini(&bytes);
}

static void test_a_checksum_cannot_be_cut_off(void **state)
{
    struct fixture *fixture = *state;
    struct buffer bytes = {0};
    write_flows(fixture->path, 1);
    load(fixture->path, &bytes);
    const uint32_t length = ((uint32_t)bytes.data[2] << 8 | bytes.data[3]) - 5;
    bytes.data[2] = (uint8_t)(length >> 8);
    bytes.data[3] = (uint8_t)length;
    store(fixture->path, bytes.data, bytes.size - 5);
    expect_error(fixture->path, "its checksum is missing");
    buffer_fini(&bytes);
}

/* ---- what is no result ---- */

static void test_zeros_are_no_result(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[300000];
    const long before = peak_kib();
    store(fixture->path, zeros, sizeof zeros);
    expect_error(fixture->path, "record 1, byte 0: an empty record");
    store_zipped(fixture->path, zeros, sizeof zeros, 133); /* 39 kB of it */
    expect_error(fixture->path, "record 1, byte 0: an empty record");
    expect_modest(before, 8 * MIB);
}

static void test_a_record_is_of_a_flow(void **state)
{
    struct fixture *fixture = *state;
    store(fixture->path, "\0\0\0\2\x20\1", 6);
    expect_error(fixture->path, "it is of no flow");
}

/* As many small records as a gzipped file may hold: memory goes with them. */
static void test_records_need_bytes(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t record[] = {0, 0, 0, 2, 0x0a, 0};
    store_zipped(fixture->path, record, sizeof record, 1000);
    assert_int_equal(read_all(fixture->path, NULL, NULL), 0);
    store_zipped(fixture->path, record, sizeof record, 200000);
    expect_error(fixture->path, "more records than the file has room for");
}

/* No row, and no column to add it to: UBSan sees what is done with those. */
static void test_columns_of_no_rows(void **state)
{
    struct fixture *fixture = *state;
    size_t rows;
    store(fixture->path, "\0\0\0\x06\x0a\0\x3a\0\x42\0", 10);
    assert_int_equal(read_all(fixture->path, &rows, NULL), 0);
    assert_int_equal(rows, 0);
}

/* ---- memory ---- */

#define BARE 400000u

/* One flow of rows alone, as the earlier program writes it. */
static void put_rows(struct buffer *out, const void *tail, size_t tail_size)
{
    static const uint8_t head[] = {0x0a, 0}, row[] = {0x12, 2, 0x18, 5};
    const uint32_t length = (uint32_t)(sizeof head + BARE * sizeof row + tail_size);
    const uint8_t prefix[] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
                              (uint8_t)(length >> 8), (uint8_t)length};
    assert_int_equal(buffer_append(out, prefix, sizeof prefix), 0);
    assert_int_equal(buffer_append(out, head, sizeof head), 0);
    for (uint32_t i = 0; i < BARE; i++)
        assert_int_equal(buffer_append(out, row, sizeof row), 0);
    assert_int_equal(buffer_append(out, tail, tail_size), 0);
}

/* 80 columns in memory for each of these 4 bytes. */
static void test_rows_without_columns_come_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct buffer bytes = {0};
    size_t rows;
    put_rows(&bytes, NULL, 0);
    store(fixture->path, bytes.data, bytes.size);
    const long before = peak_kib();
    assert_int_equal(read_all(fixture->path, &rows, NULL), 0);
    assert_int_equal(rows, BARE);
    expect_modest(before, 100 * MIB);
    buffer_clear(&bytes);
    put_rows(&bytes, "\x3a\0", 2);
    store(fixture->path, bytes.data, bytes.size);
    expect_error(fixture->path, "columns stand too far behind their rows");
    buffer_fini(&bytes);
}

/* Agents of two bytes each in the run's data. */
static void test_nothing_unpacks_to_a_hundredfold(void **state)
{
    struct fixture *fixture = *state;
    struct buffer bytes = {0};
    const uint32_t inner = 3u << 20;
    const uint32_t length = inner + 2 + 1 + 4;
    const uint8_t head[] = {(uint8_t)(length >> 24),
                            (uint8_t)(length >> 16),
                            (uint8_t)(length >> 8),
                            (uint8_t)length,
                            0x0a,
                            0,
                            0x4a,
                            (uint8_t)(inner | 0x80),
                            (uint8_t)(inner >> 7 | 0x80),
                            (uint8_t)(inner >> 14 | 0x80),
                            (uint8_t)(inner >> 21)};
    assert_int_equal(buffer_append(&bytes, head, sizeof head), 0);
    for (uint32_t i = 0; i < inner; i += 2)
        assert_int_equal(buffer_append(&bytes, "\x42\0", 2), 0);
    store(fixture->path, bytes.data, bytes.size);
    const long before = peak_kib();
    expect_error(fixture->path, "the run's data are unreadable");
    expect_modest(before, 32 * MIB);
    buffer_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_flipped_bit_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_flipped_bit_of_a_gzipped_file_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_was_inflated_is_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_follows_gzipped_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_error_names_record_and_flow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_checksum_cannot_be_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zeros_are_no_result, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_record_is_of_a_flow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records_need_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_columns_of_no_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_without_columns_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_unpacks_to_a_hundredfold, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
