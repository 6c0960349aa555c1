#include "format/spool_record.h"

#include <stdlib.h>
#include <string.h>

#include "format/columns.h"
#include "format/host_message.h"
#include "format/message.h"
#include "format/report_message.h"
#include "format/unpack.h"
#include "format/utf8.h"
#include "format/wire.h"
#include "proto/agent.pb-c.h"

#define SMALL_MAX (64u << 10) /* a record without samples, or of host samples, which are few */
/* Bytes of heap: of such a record, and of a Prepare. */
#define SMALL_UNPACKED_MAX   (2u << 20)
#define PREPARE_UNPACKED_MAX (16u << 20)

_Static_assert(SPOOL_ROWS_MAX == COLUMNS_ROWS_MAX, "a record holds one message of columns");

/* ---- encoding ---- */

int spool_record_samples(struct buffer *out, const struct sample *const *rows, size_t count)
{
    struct columns columns;
    int failed = columns_from_samples(&columns, rows, count);
    if (!failed) {
        Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
        record.flow = rows[0]->flow;
        record.end = rows[0]->end;
        record.samples = &columns.message;
        failed = wire_pack(out, &record.base);
    }
    columns_fini(&columns);
    return failed;
}

int spool_record_ready(struct buffer *out, uint32_t flow, enum flow_end end, int64_t t_ns)
{
    Tcpflowgen__EndEvent event = TCPFLOWGEN__END_EVENT__INIT;
    event.kind = TCPFLOWGEN__END_EVENT__KIND__READY;
    event.t_ns = t_ns;
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.flow = flow;
    record.end = end;
    record.event = &event;
    return wire_pack(out, &record.base);
}

int spool_record_report(struct buffer *out, const struct end_report *report)
{
    struct report_message message;
    report_to_message(&message, report);
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.flow = report->flow;
    record.end = report->end;
    record.report = &message.report;
    return wire_pack(out, &record.base);
}

int spool_record_run_end(struct buffer *out, int64_t t_ns, uint32_t other_runs, const char *problem)
{
    Tcpflowgen__RunEnd end = TCPFLOWGEN__RUN_END__INIT;
    end.t_ns = t_ns;
    end.problem = (char *)problem;
    end.other_runs = other_runs;
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.run_end = &end;
    return wire_pack(out, &record.base);
}

int spool_record_prepare(struct buffer *out, const Tcpflowgen__PrepareRequest *request)
{
    uint8_t zeros[TOKEN_SIZE] = {0};
    Tcpflowgen__EndSpec *copies = calloc(request->n_ends + 1, sizeof *copies);
    Tcpflowgen__EndSpec **pointers = calloc(request->n_ends + 1, sizeof(*pointers));
    int failed = copies && pointers ? 0 : -1;
    for (size_t i = 0; !failed && i < request->n_ends; i++) {
        copies[i] = *request->ends[i];
        if (copies[i].token.len)
            copies[i].token = (ProtobufCBinaryData){.len = TOKEN_SIZE, .data = zeros};
        pointers[i] = &copies[i];
    }
    if (!failed) {
        Tcpflowgen__PrepareRequest prepare = *request;
        Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
        prepare.ends = pointers;
        prepare.flow_key = (ProtobufCBinaryData){0};
        record.prepare = &prepare;
        failed = wire_pack(out, &record.base);
    }
    free(copies);
    free(pointers);
    return failed;
}

int spool_record_axis(struct buffer *out, uint32_t agent, const struct axis *axis,
                      int64_t t0_unix_ns)
{
    Tcpflowgen__Axis message;
    message_from_axis(&message, axis);
    Tcpflowgen__SpoolAxis spool_axis = TCPFLOWGEN__SPOOL_AXIS__INIT;
    spool_axis.agent = agent;
    spool_axis.axis = &message;
    spool_axis.t0_unix_ns = t0_unix_ns;
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.axis = &spool_axis;
    return wire_pack(out, &record.base);
}

int spool_record_host(struct buffer *out, const struct host_series *series)
{
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.host_samples = host_samples_to_message(series);
    if (!record.host_samples)
        return -1;
    int failed = wire_pack(out, &record.base);
    tcpflowgen__host_samples__free_unpacked(record.host_samples, NULL);
    return failed;
}

/* ---- decoding ---- */

static int broken(struct error *err)
{
    return error_set(err, ERROR_INPUT, NULL, "a broken spool record");
}

static void take_capture(struct spool_head *out, const Tcpflowgen__CaptureReport *message)
{
    out->captured = (struct capture_report){
        .flow = out->flow,
        .end = out->end,
        .packets = message->packets,
        .dropped = message->dropped,
        .lost = message->lost,
        .error_ns = message->error_ns > 0 ? message->error_ns : 0,
    };
    utf8_copy(out->captured.device, sizeof out->captured.device, message->device);
    utf8_copy(out->captured.error, sizeof out->captured.error, message->error);
}

static void take_message(struct spool_head *out, const Tcpflowgen__SpoolRecord *record)
{
    if (record->event && record->event->kind == TCPFLOWGEN__END_EVENT__KIND__READY) {
        out->kind = SPOOL_READY;
        out->t_ns = record->event->t_ns;
    } else if (record->report) {
        out->kind = SPOOL_REPORT;
        report_from_message(&out->report, record->report);
        out->report.flow = out->flow;
        out->report.end = out->end;
    } else if (record->run_end) {
        out->kind = SPOOL_RUN_END;
        out->t_ns = record->run_end->t_ns;
        out->other_runs = record->run_end->other_runs;
        utf8_copy(out->problem, sizeof out->problem, record->run_end->problem);
    } else if (record->captured) {
        out->kind = SPOOL_CAPTURED;
        take_capture(out, record->captured);
    } else if (record->axis && record->axis->axis &&
               message_to_axis(&out->axis, record->axis->axis, NULL) == 0) {
        out->kind = SPOOL_AXIS;
        out->agent = record->axis->agent;
        out->t0_unix_ns = record->axis->t0_unix_ns;
    }
}

/* Of a message of columns: the first field, as it is written. */
static uint32_t count_rows(const struct wire_field *columns)
{
    struct wire wire = {.at = columns->data, .left = (size_t)columns->value};
    struct wire_field field;
    bool counted = wire_next(&wire, &field) > 0 && field.number == 1 && field.type == WIRE_VARINT;
    return counted ? (uint32_t)field.value : 0;
}

static Tcpflowgen__SpoolRecord *unpack_small(const void *data, size_t size)
{
    if (size > SMALL_MAX)
        return NULL;
    return (Tcpflowgen__SpoolRecord *)unpack_message(&tcpflowgen__spool_record__descriptor, data,
                                                     size, SMALL_UNPACKED_MAX);
}

/* Whether the field is what a record is about, of which it has one. */
static bool is_content(uint32_t number)
{
    static const uint8_t contents[] = {3, 4, 5, 6, 10, 12, 13, 20, 21};
    return memchr(contents, (int)number, sizeof contents) && number <= UINT8_MAX;
}

static bool take_field(struct spool_head *out, const struct wire_field *field)
{
    switch (field->number) {
    case 1:
        out->flow = (uint32_t)field->value;
        return field->type == WIRE_VARINT && field->value <= UINT32_MAX;
    case 2:
        out->end = (enum flow_end)(field->value & 1);
        return field->type == WIRE_VARINT && field->value <= END_DST;
    case 3:
        out->kind = SPOOL_SAMPLES;
        break;
    case 10:
        out->kind = SPOOL_HOST;
        break;
    case 12:
        out->kind = SPOOL_PACKETS;
        break;
    case 20:
        out->kind = SPOOL_PREPARE;
        break;
    default:
        return !is_content(field->number) || field->type == WIRE_BYTES;
    }
    if (field->type == WIRE_BYTES && (field->number == 3 || field->number == 10))
        out->rows = count_rows(field);
    return field->type == WIRE_BYTES;
}

/* Samples and packets, which are most records, are recognised by their tags alone. */
int spool_record_head(const void *data, size_t size, struct spool_head *out, struct error *err)
{
    struct wire wire = {.at = data, .left = size};
    struct wire_field field;
    unsigned contents = 0;
    int got;
    *out = (struct spool_head){.kind = SPOOL_OTHER};
    if (size > SPOOL_RECORD_MAX)
        return broken(err);
    while ((got = wire_next(&wire, &field)) > 0) {
        if (!take_field(out, &field))
            return broken(err);
        contents += is_content(field.number);
    }
    if (got < 0 || contents > 1)
        return broken(err);
    if (out->kind != SPOOL_OTHER)
        return 0;
    Tcpflowgen__SpoolRecord *record = unpack_small(data, size);
    if (!record)
        return broken(err);
    take_message(out, record);
    tcpflowgen__spool_record__free_unpacked(record, NULL);
    return 0;
}

const uint8_t *spool_record_samples_in(const void *data, size_t size, size_t *samples_size)
{
    struct wire wire = {.at = data, .left = size};
    struct wire_field field;
    const uint8_t *found = NULL;
    int got;
    while ((got = wire_next(&wire, &field)) > 0) {
        if (field.number != 3 || field.type != WIRE_BYTES)
            continue;
        found = field.data;
        *samples_size = (size_t)field.value;
    }
    return got < 0 ? NULL : found;
}

Tcpflowgen__PrepareRequest *spool_record_prepared(const void *data, size_t size)
{
    struct wire wire = {.at = data, .left = size};
    struct wire_field field;
    if (size > SPOOL_RECORD_MAX)
        return NULL;
    while (wire_next(&wire, &field) > 0)
        if (field.number == 20 && field.type == WIRE_BYTES)
            return (Tcpflowgen__PrepareRequest *)unpack_message(
                &tcpflowgen__prepare_request__descriptor, field.data, (size_t)field.value,
                PREPARE_UNPACKED_MAX);
    return NULL;
}

static void add_tick(struct spool_ticks *ticks, int64_t tick)
{
    if (tick < 0)
        return;
    if (!ticks->taken++ || tick < ticks->first)
        ticks->first = tick;
    if (tick > ticks->last)
        ticks->last = tick;
}

static int add_ticks(struct spool_ticks *ticks, const struct wire_field *column)
{
    struct wire packed = {.at = column->data, .left = (size_t)column->value};
    int64_t delta;
    uint64_t tick = 0; /* sums may wrap: they are a stranger's */
    int got;
    while ((got = wire_next_sint64(&packed, &delta)) > 0) {
        tick += (uint64_t)delta;
        add_tick(ticks, (int64_t)tick);
    }
    return got;
}

int spool_record_ticks(const void *data, size_t size, struct spool_ticks *ticks)
{
    size_t samples_size = 0;
    struct wire wire = {.at = spool_record_samples_in(data, size, &samples_size)};
    struct wire_field field, head = {0};
    wire.left = samples_size;
    if (!wire.at)
        return -1;
    int got;
    bool some = false;
    while ((got = wire_next(&wire, &field)) > 0) {
        if (field.number == 1 && field.type == WIRE_VARINT)
            head = field;
        if (field.number != 4 || field.type != WIRE_BYTES)
            continue;
        some = true;
        if (add_ticks(ticks, &field) < 0)
            return -1;
    }
    /* A column of zeros is left out. */
    for (uint64_t row = 0; !some && row < head.value && row < SPOOL_ROWS_MAX; row++)
        add_tick(ticks, 0);
    return got;
}

void spool_ticks_report(const struct spool_ticks *ticks, struct end_report *report)
{
    if (!ticks->taken)
        return;
    report->samples_taken = ticks->taken;
    report->samples_expected = (uint64_t)(ticks->last - ticks->first) + 1;
    if (report->samples_expected < ticks->taken) /* no agent writes a tick twice */
        report->samples_expected = ticks->taken;
    report->samples_missed = report->samples_expected - ticks->taken;
}

int spool_record_rows(const void *data, size_t size, struct series *series, struct error *err)
{
    size_t samples_size;
    const uint8_t *samples =
        size > SPOOL_RECORD_MAX ? NULL : spool_record_samples_in(data, size, &samples_size);
    if (!samples)
        return broken(err);
    Tcpflowgen__Columns *columns;
    int result = columns_unpack(&columns, samples, samples_size, err);
    if (result)
        return result;
    if (series->count &&
        (series->info_length != columns->info_length || series->cc_length != columns->cc_length))
        result = 1;
    else
        result = columns_to_series(columns, series, err);
    tcpflowgen__columns__free_unpacked(columns, NULL);
    return result;
}

int spool_record_host_rows(const void *data, size_t size, struct host_series *series, size_t limit,
                           struct error *err)
{
    Tcpflowgen__SpoolRecord *record = unpack_small(data, size);
    int failed = record && record->host_samples
                     ? host_samples_from_message(series, record->host_samples, limit, err)
                     : broken(err);
    if (record)
        tcpflowgen__spool_record__free_unpacked(record, NULL);
    return failed;
}
