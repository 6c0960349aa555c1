#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/columns.h"
#include "format/spool_record.h"
#include "proto/agent.pb-c.h"

#define ROWS 100

/* Full-width values, so that deltas wrap; the same for a seed. */
static struct sample *make_samples(size_t count, uint16_t info_length, unsigned seed)
{
    struct sample *samples = calloc(count, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < count; i++) {
        samples[i].flow = 7;
        samples[i].end = END_DST;
        samples[i].info_length = info_length;
        samples[i].cc_length = 20;
        samples[i].tick = i + 1 < count ? (int64_t)i * 3 : SAMPLE_OFF_TICK;
        samples[i].t_ns = INT64_C(1000000000000) + (int64_t)i * 250000001;
        for (size_t b = 0; b < info_length; b++)
            samples[i].info[b] = (uint8_t)rand_r(&seed);
        for (size_t w = 0; w < TCP_CC_WORDS; w++)
            samples[i].cc[w] = (uint32_t)rand_r(&seed) * 2u;
    }
    return samples;
}

static const struct sample **list_of(const struct sample *samples, size_t count)
{
    const struct sample **list = calloc(count, sizeof(*list));
    assert_non_null(list);
    for (size_t i = 0; i < count; i++)
        list[i] = &samples[i];
    return list;
}

static void encode(struct buffer *out, const struct sample *samples, size_t count)
{
    const struct sample **list = list_of(samples, count);
    assert_int_equal(spool_record_samples(out, list, count), 0);
    free(list);
}

static void check_rows(const struct series *series, size_t first, const struct sample *samples,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(series->t_ns[first + i], samples[i].t_ns);
        assert_int_equal(series->tick[first + i], samples[i].tick);
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            assert_int_equal(
                series->field[f][first + i],
                tcp_field_get(samples[i].info, samples[i].info_length, (enum tcp_field)f));
        for (size_t w = 0; w < TCP_CC_WORDS; w++)
            assert_int_equal(series->cc[w][first + i], samples[i].cc[w]);
    }
}

static void test_columns_have_the_fields_names(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *columns = &tcpflowgen__columns__descriptor;
    for (unsigned f = 0; f < TCP_FIELD_COUNT; f++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(columns, 20 + f);
        assert_non_null(field);
        assert_string_equal(field->name, tcp_field_info((enum tcp_field)f)->name);
        assert_int_equal(field->type, PROTOBUF_C_TYPE_SINT64);
    }
    for (unsigned w = 0; w < TCP_CC_WORDS; w++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(columns, 100 + w);
        assert_non_null(field);
        assert_memory_equal(field->name, "cc_word_", 8);
        assert_int_equal(field->name[8], '0' + (int)w);
    }
}

static void test_samples_come_back(void **state)
{
    (void)state;
    struct sample *samples = make_samples(ROWS, TCP_INFO_SIZE, 1);
    struct buffer record = {0};
    struct series series = {0};
    struct spool_head head;
    encode(&record, samples, ROWS);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_SAMPLES);
    assert_int_equal(head.flow, 7);
    assert_int_equal(head.end, END_DST);
    assert_int_equal(spool_record_rows(record.data, record.size, &series, NULL), 0);
    assert_int_equal(spool_record_rows(record.data, record.size, &series, NULL), 0);
    assert_int_equal(series.count, 2 * ROWS);
    assert_int_equal(series.info_length, TCP_INFO_SIZE);
    assert_int_equal(series.cc_length, 20);
    check_rows(&series, 0, samples, ROWS);
    check_rows(&series, ROWS, samples, ROWS);
    series_fini(&series);
    buffer_fini(&record);
    free(samples);
}

static void test_another_length_starts_another_series(void **state)
{
    (void)state;
    struct sample *new_kernel = make_samples(2, TCP_INFO_SIZE, 1);
    struct sample *old_kernel = make_samples(2, 232, 2);
    struct buffer first = {0}, second = {0};
    struct series series = {0};
    encode(&first, new_kernel, 2);
    encode(&second, old_kernel, 2);
    assert_int_equal(spool_record_rows(first.data, first.size, &series, NULL), 0);
    assert_int_equal(spool_record_rows(second.data, second.size, &series, NULL), 1);
    assert_int_equal(series.count, 2);
    series_clear(&series);
    assert_int_equal(spool_record_rows(second.data, second.size, &series, NULL), 0);
    assert_int_equal(series.info_length, 232);
    check_rows(&series, 0, old_kernel, 2);
    series_fini(&series);
    buffer_fini(&first);
    buffer_fini(&second);
    free(new_kernel);
    free(old_kernel);
}

/* The columns' worst case: every delta as wide as its field lets it be. */
static void test_the_most_rows_fit_a_record(void **state)
{
    (void)state;
    struct sample *samples = make_samples(SPOOL_ROWS_MAX, TCP_INFO_SIZE, 1);
    for (size_t i = 0; i < SPOOL_ROWS_MAX; i++) {
        memset(samples[i].info, i % 2 ? 0xff : 0, TCP_INFO_SIZE);
        for (size_t offset = 104; i % 2 && offset < 216; offset += 8)
            samples[i].info[offset + 7] = 0x7f; /* as int64: the widest step */
        for (size_t w = 0; w < TCP_CC_WORDS; w++)
            samples[i].cc[w] = i % 2 ? UINT32_MAX : 0;
        samples[i].t_ns = i % 2 ? INT64_MAX : 0;
        samples[i].tick = i % 2 ? INT64_MAX : 0;
    }
    struct buffer record = {0};
    struct series series = {0};
    encode(&record, samples, SPOOL_ROWS_MAX);
    assert_in_range(record.size, 1u << 20, SPOOL_RECORD_MAX);
    assert_int_equal(spool_record_rows(record.data, record.size, &series, NULL), 0);
    check_rows(&series, 0, samples, SPOOL_ROWS_MAX);
    series_fini(&series);
    buffer_fini(&record);
    free(samples);
}

static void test_events_come_back(void **state)
{
    (void)state;
    struct buffer record = {0};
    struct spool_head head;
    assert_int_equal(spool_record_ready(&record, 3, END_SRC, -5), 0);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_READY);
    assert_int_equal(head.flow, 3);
    assert_int_equal(head.end, END_SRC);
    assert_int_equal(head.t_ns, -5);

    buffer_clear(&record);
    assert_int_equal(spool_record_run_end(&record, 99, 3, "a full disk"), 0);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_RUN_END);
    assert_int_equal(head.t_ns, 99);
    assert_string_equal(head.problem, "a full disk");
    assert_int_equal(head.other_runs, 3);
    buffer_fini(&record);
}

static void test_a_report_comes_back(void **state)
{
    (void)state;
    const struct end_report report = {
        .flow = 9,
        .end = END_DST,
        .status = END_CUT,
        .error = "it broke",
        .local_address = "192.0.2.1",
        .peer_address = "2001:db8::1",
        .local_port = 65535,
        .peer_port = 1,
        .times = 1u << T_CONNECT | 1u << T_CLOSED,
        .at = {[T_CONNECT] = -7, [T_CLOSED] = INT64_MAX},
        .payload_bytes = UINT64_MAX,
        .payload_bytes_stop = 5,
        .preamble_bytes = 16,
        .samples_expected = 10,
        .samples_taken = 8,
        .samples_missed = 2,
        .lateness_max_ns = 12345,
        .ccalg = "bbr",
        .ecn = true,
        .nodelay = true,
        .notsent_lowat = 131072,
        .write_size = 50000,
        .read_size = 50000,
        .device = "eth0",
        .cpu = -1,
        .send_buffer = UINT32_MAX,
        .receive_buffer = 131072,
        .mss = 1448,
        .pacing_rate = UINT64_MAX,
        .paced_bytes = UINT64_MAX - 1,
        .skipped_bytes = 3,
        .neglected_bytes = 2,
    };
    struct buffer record = {0};
    struct spool_head head;
    assert_int_equal(spool_record_report(&record, &report), 0);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_REPORT);
    const struct end_report *back = &head.report;
    assert_int_equal(back->flow, 9);
    assert_int_equal(back->end, END_DST);
    assert_int_equal(back->status, END_CUT);
    assert_string_equal(back->error, report.error);
    assert_string_equal(back->local_address, report.local_address);
    assert_string_equal(back->peer_address, report.peer_address);
    assert_int_equal(back->local_port, 65535);
    assert_int_equal(back->times, report.times);
    assert_memory_equal(back->at, report.at, sizeof report.at);
    assert_true(back->payload_bytes == UINT64_MAX);
    assert_int_equal(back->samples_missed, 2);
    assert_string_equal(back->ccalg, "bbr");
    assert_true(back->ecn && !back->ecn_seen && back->nodelay);
    assert_string_equal(back->device, "eth0");
    assert_int_equal(back->cpu, -1);
    assert_true(back->send_buffer == UINT32_MAX && back->pacing_rate == UINT64_MAX);
    assert_int_equal(back->receive_buffer, 131072);
    assert_int_equal(back->mss, 1448);
    assert_true(back->paced_bytes == UINT64_MAX - 1 && back->skipped_bytes == 3);
    assert_int_equal(back->neglected_bytes, 2);
    buffer_fini(&record);
}

/* ---- what a stranger may send ---- */

static int rows_of(Tcpflowgen__Columns *columns)
{
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    struct series series = {0};
    record.samples = columns;
    size_t size = tcpflowgen__spool_record__get_packed_size(&record);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    tcpflowgen__spool_record__pack(&record, data);
    int result = spool_record_rows(data, size, &series, NULL);
    if (result)
        assert_int_equal(series.count, 0);
    free(data);
    series_fini(&series);
    return result;
}

static void test_unequal_columns_are_refused(void **state)
{
    (void)state;
    int64_t values[4] = {1, 2, 3, 4};
    Tcpflowgen__Columns columns = TCPFLOWGEN__COLUMNS__INIT;
    columns.count = 3;
    columns.tick = columns.t_ns = columns.rtt = values;
    columns.n_tick = columns.n_t_ns = columns.n_rtt = 3;
    assert_int_equal(rows_of(&columns), 0);
    columns.n_rtt = 2;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.n_rtt = 4;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.n_rtt = 0;
    assert_int_equal(rows_of(&columns), 0);
    columns.n_tick = 2;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.n_tick = 3;
    columns.n_t_ns = 0;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.n_t_ns = 3;
    columns.info_length = 70000;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.info_length = 0;
    columns.cc_length = 256;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
}

static void test_too_many_rows_are_refused(void **state)
{
    (void)state;
    size_t count = SPOOL_ROWS_MAX + 1;
    int64_t *values = calloc(count, sizeof *values);
    Tcpflowgen__Columns columns = TCPFLOWGEN__COLUMNS__INIT;
    columns.count = (uint32_t)count;
    columns.tick = columns.t_ns = values;
    columns.n_tick = columns.n_t_ns = count;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.count = UINT32_MAX;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    columns.n_tick = columns.n_t_ns = 0;
    assert_int_equal(rows_of(&columns), ERROR_INPUT);
    free(values);
}

static void test_many_tiny_fields_are_refused(void **state)
{
    (void)state;
    static uint8_t record[SPOOL_RECORD_MAX];
    struct series series = {0};
    size_t inner = sizeof record - 8, at = 0;
    record[at++] = 3 << 3 | 2;
    for (size_t left = inner; left; left >>= 7)
        record[at++] = (uint8_t)(left & 0x7f) | (left >> 7 ? 0x80 : 0);
    for (size_t i = 0; i + 1 < inner; i += 2) {
        record[at + i] = 15 << 3; /* a field that is not known, of one byte */
        record[at + i + 1] = 1;
    }
    assert_int_equal(spool_record_rows(record, at + inner, &series, NULL), ERROR_INPUT);
    record[0] = 4 << 3 | 2;
    struct spool_head head;
    assert_int_equal(spool_record_head(record, at + inner, &head, NULL), ERROR_INPUT);
}

/* Every cut and many flipped bits: any answer will do, as long as there is one. */
static void test_damaged_records_do_no_harm(void **state)
{
    (void)state;
    struct sample *samples = make_samples(5, TCP_INFO_SIZE, 1);
    struct buffer record = {0};
    struct series series = {0};
    struct spool_head head;
    unsigned seed = 1;
    encode(&record, samples, 5);
    assert_int_equal(spool_record_report(&record, &(struct end_report){.error = "x"}), 0);
    for (size_t cut = 0; cut < record.size; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, record.data, cut);
        spool_record_head(copy, cut, &head, NULL);
        spool_record_rows(copy, cut, &series, NULL);
        free(copy);
    }
    for (size_t i = 0; i < 2000; i++) {
        size_t at = (size_t)rand_r(&seed) % record.size;
        uint8_t flip = (uint8_t)(1u << (rand_r(&seed) % 8));
        record.data[at] ^= flip;
        series_clear(&series);
        spool_record_head(record.data, record.size, &head, NULL);
        spool_record_rows(record.data, record.size, &series, NULL);
        record.data[at] ^= flip;
    }
    assert_int_equal(spool_record_head(record.data, SPOOL_RECORD_MAX + 1, &head, NULL),
                     ERROR_INPUT);
    series_fini(&series);
    buffer_fini(&record);
    free(samples);
}

/* ---- for recover ---- */

static void test_what_was_prepared_comes_back_without_secrets(void **state)
{
    (void)state;
    uint8_t secret[TOKEN_SIZE] = "a secret of two",
            key[FLOW_KEY_SIZE] = "a secret of the whole run";
    Tcpflowgen__EndSpec end = TCPFLOWGEN__END_SPEC__INIT, *ends = &end;
    Tcpflowgen__PrepareRequest request = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    Tcpflowgen__Run about = TCPFLOWGEN__RUN__INIT;
    struct buffer record = {0};
    struct spool_head head;
    end.flow = 5;
    end.src_host = 1;
    end.token = (ProtobufCBinaryData){.len = sizeof secret, .data = secret};
    about.label = (char *)"mine";
    request.ends = &ends;
    request.n_ends = 1;
    request.about = &about;
    request.agent = 3;
    request.flow_key = (ProtobufCBinaryData){.len = sizeof key, .data = key};
    assert_int_equal(spool_record_prepare(&record, &request), 0);
    assert_null(memmem(record.data, record.size, "secret", 6));
    assert_memory_equal(end.token.data, secret, sizeof secret);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_PREPARE);
    Tcpflowgen__PrepareRequest *back = spool_record_prepared(record.data, record.size);
    assert_non_null(back);
    assert_int_equal(back->agent, 3);
    assert_string_equal(back->about->label, "mine");
    assert_int_equal(back->ends[0]->flow, 5);
    assert_int_equal(back->ends[0]->src_host, 1);
    assert_int_equal(back->ends[0]->token.len, TOKEN_SIZE);
    assert_int_equal(back->flow_key.len, 0);
    tcpflowgen__prepare_request__free_unpacked(back, NULL);
    for (size_t size = 0; size < record.size; size++) { /* cut short */
        back = spool_record_prepared(record.data, size);
        if (back)
            tcpflowgen__prepare_request__free_unpacked(back, NULL);
    }
    buffer_fini(&record);
}

/* Unpacked they would take gigabytes. */
static void test_many_tiny_ends_are_refused(void **state)
{
    (void)state;
    const uint32_t count = 100000, size = 2 * count;
    struct buffer record = {0};
    const uint8_t head[] = {0xa2, 0x01, (uint8_t)(size | 0x80), (uint8_t)(size >> 7 | 0x80),
                            (uint8_t)(size >> 14)};
    assert_int_equal(buffer_append(&record, head, sizeof head), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(buffer_append(&record, "\x32\0", 2), 0);
    assert_null(spool_record_prepared(record.data, record.size));
    buffer_fini(&record);
}

static void test_an_axis_comes_back(void **state)
{
    (void)state;
    const struct axis axis = {.axis_ns = 5, .local_ns = 1000, .rate = 1e-6};
    struct buffer record = {0};
    struct spool_head head;
    assert_int_equal(spool_record_axis(&record, 2, &axis, 77), 0);
    assert_int_equal(spool_record_head(record.data, record.size, &head, NULL), 0);
    assert_int_equal(head.kind, SPOOL_AXIS);
    assert_int_equal(head.agent, 2);
    assert_int_equal(head.t0_unix_ns, 77);
    assert_memory_equal(&head.axis, &axis, sizeof axis);
    buffer_fini(&record);
}

static void test_ticks_are_counted(void **state)
{
    (void)state;
    struct sample *samples = make_samples(ROWS, TCP_INFO_SIZE, 1); /* the last one off the ticks */
    struct buffer record = {0};
    struct spool_ticks ticks = {0};
    struct end_report report = {0};
    spool_ticks_report(&ticks, &report);
    assert_int_equal(report.samples_expected, 0);
    encode(&record, samples, ROWS);
    assert_int_equal(spool_record_ticks(record.data, record.size, &ticks), 0);
    assert_int_equal(ticks.taken, ROWS - 1);
    assert_int_equal(ticks.first, 0);
    assert_int_equal(ticks.last, 3 * (ROWS - 2));
    spool_ticks_report(&ticks, &report);
    assert_int_equal(report.samples_taken, ROWS - 1);
    assert_int_equal(report.samples_expected, 3 * (ROWS - 2) + 1);
    assert_int_equal(report.samples_missed, 2 * (ROWS - 2));

    /* A column of zeros is left out. */
    buffer_clear(&record);
    ticks = (struct spool_ticks){0};
    encode(&record, samples, 1);
    assert_int_equal(spool_record_ticks(record.data, record.size, &ticks), 0);
    assert_int_equal(ticks.taken, 1);
    assert_int_equal(ticks.last, 0);
    for (size_t size = 0; size < record.size; size++)
        spool_record_ticks(record.data, size, &ticks);
    buffer_fini(&record);
    free(samples);
}

/* No row, and no column to add it to: UBSan sees what is done with those. */
static void test_samples_of_no_rows(void **state)
{
    struct series series = {0};
    (void)state;
    assert_int_equal(spool_record_rows("\x1a\0", 2, &series, NULL), 0);
    assert_int_equal(series.count, 0);
    series_fini(&series);
}

/* What the run is about, of a hundred thousand machines of two bytes each. */
static void test_a_prepare_does_not_unpack_to_a_hundredfold(void **state)
{
    struct buffer record = {0}, about = {0}, prepare = {0};
    (void)state;
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(buffer_append(&about, "\x42\0", 2), 0);
    const uint8_t head[] = {0xc2, 2, (uint8_t)(about.size | 0x80),
                            (uint8_t)(about.size >> 7 | 0x80), (uint8_t)(about.size >> 14)};
    assert_int_equal(buffer_append(&prepare, head, sizeof head), 0);
    assert_int_equal(buffer_append(&prepare, about.data, about.size), 0);
    const uint8_t outer[] = {0xa2, 1, (uint8_t)(prepare.size | 0x80),
                             (uint8_t)(prepare.size >> 7 | 0x80), (uint8_t)(prepare.size >> 14)};
    assert_int_equal(buffer_append(&record, outer, sizeof outer), 0);
    assert_int_equal(buffer_append(&record, prepare.data, prepare.size), 0);
    assert_null(spool_record_prepared(record.data, record.size));
    buffer_fini(&record);
    buffer_fini(&about);
    buffer_fini(&prepare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_have_the_fields_names),
        cmocka_unit_test(test_samples_come_back),
        cmocka_unit_test(test_another_length_starts_another_series),
        cmocka_unit_test(test_the_most_rows_fit_a_record),
        cmocka_unit_test(test_events_come_back),
        cmocka_unit_test(test_a_report_comes_back),
        cmocka_unit_test(test_unequal_columns_are_refused),
        cmocka_unit_test(test_too_many_rows_are_refused),
        cmocka_unit_test(test_many_tiny_fields_are_refused),
        cmocka_unit_test(test_damaged_records_do_no_harm),
        cmocka_unit_test(test_what_was_prepared_comes_back_without_secrets),
        cmocka_unit_test(test_many_tiny_ends_are_refused),
        cmocka_unit_test(test_an_axis_comes_back),
        cmocka_unit_test(test_ticks_are_counted),
        cmocka_unit_test(test_samples_of_no_rows),
        cmocka_unit_test(test_a_prepare_does_not_unpack_to_a_hundredfold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
