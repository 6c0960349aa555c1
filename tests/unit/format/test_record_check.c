/* A record that is taken in is one that every reader takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/packets_record.h"
#include "format/record_check.h"

#define SIZE_MAX_TRIED 4096

static void make_samples(struct buffer *out, size_t count)
{
    struct sample samples[3];
    const struct sample *rows[3];
    for (size_t i = 0; i < count; i++) {
        samples[i] = (struct sample){.flow = 1,
                                     .end = END_DST,
                                     .info_length = TCP_INFO_SIZE,
                                     .tick = (int64_t)i,
                                     .t_ns = 1000 + (int64_t)i};
        memset(samples[i].info, 0xff - (int)i, sizeof samples[i].info);
        rows[i] = &samples[i];
    }
    assert_int_equal(spool_record_samples(out, rows, count), 0);
}

static void make_packets(struct buffer *out)
{
    const struct packet packets[] = {{.t_ns = 1, .length = 60, .captured = 2},
                                     {.t_ns = 2, .length = 60}};
    const struct packet_batch batch = {
        .link_type = 1, .packets = packets, .count = 2, .data = (const uint8_t *)"ab", .size = 2};
    assert_int_equal(packets_record_encode(out, &batch), 0);
}

static void test_what_we_write(void **state)
{
    (void)state;
    struct buffer record = {0};
    struct spool_head head;
    const struct end_report report = {.flow = 1, .status = END_COMPLETE};
    make_samples(&record, 3);
    assert_int_equal(record_check(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_SAMPLES);
    assert_int_equal(head.rows, 3);
    buffer_clear(&record);
    make_packets(&record);
    assert_int_equal(record_check(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_PACKETS);
    assert_int_equal(head.rows, 2);
    buffer_clear(&record);
    assert_int_equal(spool_record_report(&record, &report), 0);
    assert_int_equal(record_check(record.data, record.size, &head, NULL), 0);
    buffer_clear(&record);
    assert_int_equal(spool_record_run_end(&record, 1, 0, ""), 0);
    assert_int_equal(record_check(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_RUN_END);
    buffer_fini(&record);
}

#define ROW2        "\x22\x02\x02\x02\x2a\x02\x02\x02" /* two ticks, two times */
#define BYTES(text) (text), sizeof(text) - 1

static void test_what_cannot_be(void **state)
{
    (void)state;
    /* Of samples what is in their field 3, else the record. */
    static const struct {
        bool samples;
        const char *bytes;
        size_t size;
        const char *what; /* NULL: nothing is wrong */
    } rows[] = {
        {true, BYTES("\x08\x02" ROW2), NULL},
        {true, BYTES("\x08\x02" ROW2 "\xf8\x01\x05"), "not a message of columns"}, /* no column */
        {true, BYTES("\x08\x02" ROW2 "\xa2\x01\x01\x02"), "a column is not as long as the others"},
        {true, BYTES("\x08\x02" ROW2 "\xa2\x01\x03\x02\x02\x02"),
         "a column is not as long as the others"},
        {true, BYTES("\x08\x02" ROW2 "\xa2\x01\x02\x02\x82"),
         "a column is not as long as the others"},
        {true, BYTES("\x08\x02" ROW2 ROW2), "not a message of columns"},
        {true, BYTES(ROW2 "\x08\x02"), "a column is not as long as the others"},
        {true, BYTES("\x08\xff\xff\xff\xff\x07" ROW2), "too many rows"},
        {true, BYTES("\x08\x82\x80\x80\x80\x10" ROW2), "too many rows"}, /* 2 in 32 bits */
        {true, BYTES("\x08\x02\x22\x02\x02\x02"),
         "the ticks or the times are not as many as the rows"},
        {true, BYTES("\x08\x02\x2a\x02\x02\x02"),
         "the ticks or the times are not as many as the rows"},
        {true, BYTES("\x08\x02\x10\x80\x80\x04" ROW2), "a length that no kernel returns"},
        {true, BYTES("\x08\x02\x18\x80\x02" ROW2), "a length that no kernel returns"},
        {true, BYTES("\x08\x01\x22\x01\x01\x2a\x01\x02"), NULL}, /* tick -1 */
        {true, BYTES("\x08\x01\x22\x01\x03\x2a\x01\x02"), "a value that no sample has"},
        {true, BYTES("\x08\x01\x22\x01\x02\x2a\x01\x01"), "a value that no sample has"},
        /* a state of 255, 256 and -1; an rtt of 2^32; 2^63 bytes acknowledged */
        {true, BYTES("\x08\x02" ROW2 "\xa2\x01\x03\xfe\x03\x00"), NULL},
        {true, BYTES("\x08\x02" ROW2 "\xa2\x01\x03\xfe\x03\x02"), "a value that no sample has"},
        {true, BYTES("\x08\x02" ROW2 "\xa2\x01\x02\x00\x01"), "a value that no sample has"},
        {true, BYTES("\x08\x02" ROW2 "\xea\x02\x06\x00\x80\x80\x80\x80\x20"),
         "a value that no sample has"},
        {true, BYTES("\x08\x02" ROW2 "\xc2\x03\x0b\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
         NULL},
        {true, BYTES("\x08\x00"), "it has no rows"},
        {true, BYTES(""), "it has no rows"},
        {true, BYTES("\x08\x02" ROW2 "\xfb\x01"), "not a message of columns"}, /* a group */
        {false, BYTES("\x08\x01\x10\x02"), "a broken spool record"},           /* end 2 */
        {false, BYTES("\x08\x80\x80\x80\x80\x10"), "a broken spool record"},   /* flow 2^32 */
        {false, BYTES("\x0a\x01\x01"), "a broken spool record"},               /* flow "1" */
        {false, BYTES("\x1a\x00\x1a\x00"), "a broken spool record"},           /* samples twice */
        {false, BYTES("\x1a\x00\x2a\x00"), "a broken spool record"},           /* and a report */
        {false, BYTES("\x2a\x00\x2a\x00"), "a broken spool record"},
        {false, BYTES("\x18\x00"), "a broken spool record"},
        {false, BYTES("\x62\x00"), "it has no rows"}, /* no packets */
        {false, BYTES("\x62\x03\x12\x01\x02"), "a broken record of packets"},
        {false, BYTES("\x52\x04\x08\x02\x10\x02"), "the times are not as many as the rows"},
        {false, BYTES("\x2a\x00"), NULL},
        {false, BYTES(""), NULL}, /* of a kind that is not known */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t record[64] = {3 << 3 | 2, (uint8_t)rows[i].size};
        const size_t before = rows[i].samples ? 2 : 0;
        struct spool_head head;
        struct error err = {0};
        memcpy(record + before, rows[i].bytes, rows[i].size);
        const int failed = record_check(record, before + rows[i].size, &head, &err);
        assert_int_equal(failed, rows[i].what ? ERROR_INPUT : 0);
        if (rows[i].what)
            assert_string_equal(err.what, rows[i].what);
    }
}

/* Nothing that nobody reads makes one large. */
static void test_size(void **state)
{
    (void)state;
    static uint8_t record[SIZE_MAX_TRIED] = {3 << 3 | 2, 10, 8, 2, 0x22, 2, 2, 2, 0x2a, 2, 2, 2};
    const size_t used = 12, head_size = 4;
    struct spool_head head;
    record[used] = 0xfa; /* field 47 of the record, which there is not */
    record[used + 1] = 2;
    for (size_t size = 100; size < SIZE_MAX_TRIED; size += 500) {
        const size_t filler = size - used - head_size;
        record[used + 2] = 0x80 | (filler & 0x7f);
        record[used + 3] = (uint8_t)(filler >> 7);
        assert_int_equal(record_check(record, size, &head, NULL), size <= 3072 ? 0 : ERROR_INPUT);
    }
}

static void check_damaged(const struct buffer *record)
{
    struct series series = {0};
    struct spool_head head;
    if (record_check(record->data, record->size, &head, NULL) == 0 && head.kind == SPOOL_SAMPLES) {
        assert_int_equal(spool_record_rows(record->data, record->size, &series, NULL), 0);
        assert_int_equal(series.count, head.rows);
    }
    series_fini(&series);
}

static void test_what_is_taken_is_read(void **state)
{
    (void)state;
    struct buffer record = {0};
    make_samples(&record, 3);
    for (size_t bit = 0; bit < record.size * 8; bit++) {
        record.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_damaged(&record);
        record.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    while (record.size-- > 1)
        check_damaged(&record);
    buffer_fini(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_we_write),
        cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_what_is_taken_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
