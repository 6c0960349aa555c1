/* Host samples through a spool's record and back; what is not sound is refused whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/host_message.h"
#include "format/spool_record.h"

#define ROWS 5

/* Values that go up and down, and that are not known. */
static int64_t value(size_t row, size_t place)
{
    if (place == HOST_tick)
        return row == 0 ? -1 : (int64_t)row;
    if (place == HOST_t_ns)
        return 1 + (int64_t)row * HOST_SPACING_NS;
    if (place % 7 == 3)
        return HOST_UNKNOWN;
    return place % 5 == 1 ? 0 : (int64_t)((row * 37 + place * 1000003) % 4099) << (place % 40);
}

static void fill(struct host_series *series)
{
    *series = (struct host_series){.interface_count = 2};
    strcpy(series->interfaces[0].name, "eth0");
    strcpy(series->interfaces[0].qdisc, "fq_codel");
    strcpy(series->interfaces[1].name, "eth1");
    int64_t row[HOST_FIELD_COUNT + 2 * INTERFACE_FIELD_COUNT];
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t p = 0; p < host_series_width(series); p++)
            row[p] = value(i, p);
        assert_int_equal(host_series_add(series, row, 100), 0);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct host_series series, back = {0};
    struct buffer record = {0};
    struct spool_head head;
    fill(&series);
    assert_int_equal(spool_record_host(&record, &series), 0);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_HOST);
    assert_int_equal(head.rows, ROWS);
    for (size_t turn = 1; turn <= 2; turn++) {
        assert_int_equal(spool_record_host_rows(record.data, record.size, &back, 100, NULL), 0);
        assert_int_equal(back.count, turn * ROWS);
    }
    assert_int_equal(back.interface_count, 2);
    assert_string_equal(back.interfaces[0].qdisc, "fq_codel");
    assert_string_equal(back.interfaces[1].name, "eth1");
    for (size_t i = 0; i < back.count; i++)
        for (size_t p = 0; p < host_series_width(&back); p++)
            assert_int_equal(host_series_row(&back, i)[p], value(i % ROWS, p));
    buffer_fini(&record);
    host_series_fini(&series);
    host_series_fini(&back);
}

/* The names in the model's order are those of the message, from 10 on. */
static void expect_names(const ProtobufCMessageDescriptor *message, const char *const *names,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(message, (unsigned)(10 + i));
        assert_non_null(field);
        assert_string_equal(field->name, names[i]);
        assert_int_equal(field->type, PROTOBUF_C_TYPE_SINT64);
        assert_int_equal(field->label, PROTOBUF_C_LABEL_REPEATED);
    }
    assert_null(protobuf_c_message_descriptor_get_field(message, (unsigned)(10 + count)));
}

static void test_names(void **state)
{
    (void)state;
    expect_names(&tcpflowgen__host_samples__descriptor, host_field_names, HOST_FIELD_COUNT);
    expect_names(&tcpflowgen__interface_samples__descriptor, interface_field_names,
                 INTERFACE_FIELD_COUNT);
}

static void test_unsound_messages_are_refused(void **state)
{
    (void)state;
    struct host_series series, back = {0};
    fill(&series);
    Tcpflowgen__HostSamples *message = host_samples_to_message(&series);
    message->interfaces[1]->n_rx_packets--;
    assert_int_equal(host_samples_from_message(&back, message, 100, NULL), ERROR_INPUT);
    message->interfaces[1]->n_rx_packets++;
    message->n_tick--;
    assert_int_equal(host_samples_from_message(&back, message, 100, NULL), ERROR_INPUT);
    message->n_tick++;
    message->count = HOST_ROWS_MAX + 1;
    assert_int_equal(host_samples_from_message(&back, message, 100, NULL), ERROR_INPUT);
    message->count = ROWS;
    message->n_t_ns = 0; /* other columns may be absent */
    assert_int_equal(host_samples_from_message(&back, message, 100, NULL), ERROR_INPUT);
    message->n_t_ns = ROWS;
    assert_int_equal(back.count, 0);
    assert_int_equal(host_samples_from_message(&back, message, 100, NULL), 0);
    message->n_interfaces = 1; /* others than before */
    assert_int_equal(host_samples_from_message(&back, message, 100, NULL), ERROR_INPUT);
    message->n_interfaces = 2;
    assert_int_equal(back.count, ROWS);
    tcpflowgen__host_samples__free_unpacked(message, NULL);
    host_series_fini(&series);
    host_series_fini(&back);
}

static void test_any_bytes(void **state)
{
    (void)state;
    struct host_series series;
    struct buffer record = {0};
    fill(&series);
    assert_int_equal(spool_record_host(&record, &series), 0);
    for (size_t at = 0; at < record.size; at++)
        for (int bit = 0; bit < 8; bit++) {
            struct host_series back = {0};
            record.data[at] ^= (uint8_t)(1 << bit);
            spool_record_host_rows(record.data, record.size, &back, 10, NULL);
            assert_in_range(back.count, 0, 10);
            record.data[at] ^= (uint8_t)(1 << bit);
            host_series_fini(&back);
        }
    buffer_fini(&record);
    host_series_fini(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unsound_messages_are_refused),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
