/* The part file gives each end's samples back in order, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "master/collect.h"

#define FLOWS 3

static char directory[TEMPORARY_MAX];
static char output[TEMPORARY_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    if (!temporary_directory(directory, "collect-test"))
        return -1;
    snprintf(output, sizeof output, "%s/results.pb", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(directory);
}

static struct sample make_sample(uint32_t flow, enum flow_end end, int64_t tick, uint16_t length)
{
    struct sample sample = {.flow = flow,
                            .end = (uint8_t)end,
                            .info_length = length,
                            .tick = tick,
                            .t_ns = 1000 + tick * 10};
    uint32_t rtt = (uint32_t)(100 * flow + 10 * end + tick);
    memcpy(sample.info + tcp_field_info(TCP_rtt)->offset, &rtt, sizeof rtt);
    return sample;
}

static void add(struct collect *collect, uint32_t flow, enum flow_end end, int64_t first,
                size_t count, uint16_t length)
{
    struct sample samples[8];
    const struct sample *rows[8];
    for (size_t i = 0; i < count; i++) {
        samples[i] = make_sample(flow, end, first + (int64_t)i, length);
        rows[i] = &samples[i];
    }
    struct buffer record = {0};
    struct spool_head head;
    assert_int_equal(spool_record_samples(&record, rows, count), 0);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(collect_add(collect, 0, &head, record.data, record.size, NULL), 0);
    buffer_fini(&record);
}

static const struct clock_fit shifted = {.offset_ns = 400};

static size_t expect_rows(struct collect *collect, uint32_t flow, enum flow_end end)
{
    struct collect_cursor cursor;
    const struct series *piece;
    int64_t tick = 0;
    size_t pieces = 0;
    assert_int_equal(collect_open(&cursor, collect, flow, end, &shifted, 500, NULL), 0);
    while (collect_next(&cursor, &piece, NULL) > 0) {
        pieces++;
        for (size_t i = 0; i < piece->count; i++, tick++) {
            assert_int_equal(piece->tick[i], tick);
            assert_int_equal(piece->t_ns[i], 1000 + tick * 10 - 400 - 500);
            assert_int_equal(piece->field[TCP_rtt][i], 100 * flow + 10 * end + tick);
        }
    }
    collect_close(&cursor);
    return pieces;
}

static void gives_each_end_its_rows_in_order(void **state)
{
    (void)state;
    struct collect *collect;
    assert_int_equal(collect_create(&collect, output, FLOWS, NULL), 0);
    for (int64_t i = 0; i < 10; i++) {
        add(collect, 0, END_SRC, i * 4, 4, 232);
        add(collect, 0, END_DST, i * 2, 2, 280);
        add(collect, 2, END_DST, i, 1, 280);
    }
    assert_int_equal(collect_count(collect, 0, END_SRC), 10);
    assert_int_equal(collect_count(collect, 1, END_SRC), 0);
    assert_int_equal(expect_rows(collect, 0, END_SRC), 1);
    assert_int_equal(expect_rows(collect, 0, END_DST), 1);
    assert_int_equal(expect_rows(collect, 2, END_DST), 1);
    assert_int_equal(expect_rows(collect, 1, END_DST), 0);
    collect_destroy(collect, true);
}

static void another_length_of_tcp_info_is_another_piece(void **state)
{
    (void)state;
    struct collect *collect;
    assert_int_equal(collect_create(&collect, output, FLOWS, NULL), 0);
    add(collect, 1, END_SRC, 0, 3, 232);
    add(collect, 1, END_SRC, 3, 3, 280);
    add(collect, 1, END_SRC, 6, 3, 280);
    assert_int_equal(expect_rows(collect, 1, END_SRC), 2);
    collect_destroy(collect, true);
}

static void an_output_in_use_is_refused(void **state)
{
    (void)state;
    struct collect *first, *second;
    struct error err = {0};
    assert_int_equal(collect_create(&first, output, FLOWS, NULL), 0);
    assert_int_equal(collect_create(&second, output, FLOWS, &err), ERROR_INPUT);
    assert_non_null(strstr(err.where, output));
    assert_true(err.cure[0]);
    collect_destroy(first, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_each_end_its_rows_in_order),
        cmocka_unit_test(another_length_of_tcp_info_is_another_piece),
        cmocka_unit_test(an_output_in_use_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
