/* A record may be far larger than memory, so Flow is walked field by field, and a record of many
 * samples is given out in pieces: as soon as both ends' rows have their columns. */
#include "format/results_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/columns.h"
#include "format/result_message.h"
#include "format/results_crc.h"
#include "format/results_stream.h"
#include "format/seed_row.h"
#include "format/unpack.h"
#include "format/wire.h"

#define PIECE_ROWS 16384u /* of an end: a record goes on in another piece after that */
#define BARE_ROWS  65536u /* of an end, without columns: so many wait for them */

/* Numbers of Flow in messages.proto. */
enum {
    FLOW_PARAMS = 1,
    FLOW_SRC_ROW = 2,
    FLOW_DST_ROW = 3,
    FLOW_PART = 4,
    FLOW_LAST = 5,
    FLOW_RESULT = 6,
    FLOW_SRC_COLUMNS = 7,
    FLOW_DST_COLUMNS = 8,
    FLOW_RUN = 9,
    FLOW_CHECKED = 10,
    FLOW_CRC = RESULTS_CRC_FIELD,
};

struct results_reader {
    struct results_stream stream;
    struct results_record record;
    struct run_info run;
    struct buffer field;
    bool in_record;
    bool known; /* a flow's parameters were there: it is a result file */
    /* in the record so far */
    bool last_said, has_params, has_result, has_columns, has_run;
    bool bare; /* there are too many rows to wait for columns: there are none */
    bool checked, has_crc,
        wrong;           /* a checksum was announced; is there; is not that of the record */
    size_t covered[2];   /* rows of the piece that have columns */
    struct error damage; /* to be told behind the last piece; code 0: none is known */
};

int results_reader_open(struct results_reader **out, const char *path, struct error *err)
{
    struct results_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int failed = results_stream_open(&reader->stream, path, err);
    if (failed) {
        free(reader);
        return failed;
    }
    *out = reader;
    return 0;
}

void results_reader_close(struct results_reader *reader)
{
    if (!reader)
        return;
    results_stream_close(&reader->stream);
    run_info_fini(&reader->run);
    series_fini(&reader->record.samples[END_SRC]);
    series_fini(&reader->record.samples[END_DST]);
    buffer_fini(&reader->field);
    free(reader);
}

bool results_reader_take_run(struct results_reader *reader, struct run_info *out)
{
    if (!reader->record.run)
        return false;
    *out = reader->run;
    reader->run = (struct run_info){0};
    reader->record.run = NULL;
    return true;
}

bool results_reader_like_result(const struct results_reader *reader)
{
    return reader->known || results_stream_damaged(&reader->stream);
}

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

static int broken(const struct results_reader *reader, const char *what, struct error *err)
{
    return results_stream_broken(&reader->stream, what, err);
}

/* ---- fields of a Flow; reader->field holds the bytes ---- */

static int take_params(struct results_reader *reader, struct error *err)
{
    Tcpflowgen__FlowParams *params =
        tcpflowgen__flow_params__unpack(NULL, reader->field.size, reader->field.data);
    if (!params)
        return broken(reader, "the flow's parameters are unreadable", err);
    struct flow_result *flow = &reader->record.flow;
    int64_t start_ns = flow->start_ns, duration_ns = flow->duration_ns;
    params_from_message(flow, params);
    if (reader->has_result) { /* which is exact */
        flow->start_ns = start_ns;
        flow->duration_ns = duration_ns;
    }
    tcpflowgen__flow_params__free_unpacked(params, NULL);
    reader->has_params = reader->known = true;
    return 0;
}

static size_t bare_rows(const struct results_reader *reader, enum flow_end end)
{
    return reader->record.samples[end].count - reader->covered[end];
}

static int take_row(struct results_reader *reader, enum flow_end end, struct error *err)
{
    if (reader->has_columns && bare_rows(reader, end) >= BARE_ROWS)
        return broken(reader, "too many rows without columns", err);
    Tcpflowgen__TCPInfo *row =
        tcpflowgen__tcpinfo__unpack(NULL, reader->field.size, reader->field.data);
    if (!row)
        return broken(reader, "a sample is unreadable", err);
    int failed = seed_row_to_series(&reader->record.samples[end], row);
    tcpflowgen__tcpinfo__free_unpacked(row, NULL);
    if (failed > 0)
        return broken(reader, "a sample has values that no sample has", err);
    return failed ? no_memory(err) : 0;
}

/* Where chunks differ in what their kernel returned, only what all have counts as returned. */
static void keep_shorter(struct series *series, const struct series *before)
{
    if (before->info_length < series->info_length)
        series->info_length = before->info_length;
    if (before->cc_length < series->cc_length)
        series->cc_length = before->cc_length;
}

static int take_columns(struct results_reader *reader, enum flow_end end, struct error *err)
{
    struct series *series = &reader->record.samples[end];
    const struct series before = *series;
    size_t first = reader->covered[end];
    Tcpflowgen__Columns *columns;
    if (reader->bare)
        return broken(reader, "columns stand too far behind their rows", err);
    if (columns_unpack(&columns, reader->field.data, reader->field.size, err))
        return broken(reader, err ? err->what : "", err);
    int failed = 0;
    if (columns->count > series->count - first)
        failed = broken(reader, "columns stand before the rows that they belong to", err);
    else if (columns_fill_series(columns, series, first, err))
        failed = broken(reader, err ? err->what : "", err);
    else if (first > 0)
        keep_shorter(series, &before);
    reader->covered[end] += failed ? 0 : columns->count;
    reader->has_columns = true;
    tcpflowgen__columns__free_unpacked(columns, NULL);
    return failed;
}

static int take_result(struct results_reader *reader, struct error *err)
{
    Tcpflowgen__FlowResult *result =
        tcpflowgen__flow_result__unpack(NULL, reader->field.size, reader->field.data);
    if (!result)
        return broken(reader, "the flow's result is unreadable", err);
    result_from_message(&reader->record.flow, result);
    reader->has_result = true;
    tcpflowgen__flow_result__free_unpacked(result, NULL);
    return 0;
}

static int take_run(struct results_reader *reader, struct error *err)
{
    if (reader->has_run)
        return broken(reader, "the run's data come a second time", err);
    const struct buffer *field = &reader->field;
    Tcpflowgen__Run *run = (Tcpflowgen__Run *)unpack_message(
        &tcpflowgen__run__descriptor, field->data, field->size, UNPACK_USUAL(field->size));
    if (!run)
        return broken(reader, "the run's data are unreadable", err);
    run_info_fini(&reader->run);
    int failed = run_from_message(&reader->run, run);
    tcpflowgen__run__free_unpacked(run, NULL);
    reader->record.run = &reader->run;
    reader->has_run = true;
    return failed ? no_memory(err) : 0;
}

/* ---- the walk ---- */

static int take_bytes(struct results_reader *reader, unsigned number, struct error *err)
{
    switch (number) {
    case FLOW_PARAMS:
        return take_params(reader, err);
    case FLOW_SRC_ROW:
        return take_row(reader, END_SRC, err);
    case FLOW_DST_ROW:
        return take_row(reader, END_DST, err);
    case FLOW_RESULT:
        return take_result(reader, err);
    case FLOW_SRC_COLUMNS:
        return take_columns(reader, END_SRC, err);
    case FLOW_DST_COLUMNS:
        return take_columns(reader, END_DST, err);
    default: /* FLOW_RUN */
        return take_run(reader, err);
    }
}

/* What one sub-message may take: protobuf-c needs a multiple of it while it unpacks. */
static uint64_t size_limit(unsigned number)
{
    switch (number) {
    case FLOW_PARAMS:
        return 64u << 10;
    case FLOW_SRC_ROW:
    case FLOW_DST_ROW:
        return 4u << 10;
    case FLOW_RESULT:
        return 256u << 10;
    case FLOW_SRC_COLUMNS:
    case FLOW_DST_COLUMNS:
        return COLUMNS_SIZE_MAX;
    case FLOW_RUN: /* with the scenario's text */
        return 128u << 20;
    default: /* not of Flow, or not of that type: skipped, as protobuf has it */
        return 0;
    }
}

static void take_number(struct results_reader *reader, unsigned number, uint64_t value)
{
    if (number == FLOW_PART)
        reader->record.part = (uint32_t)value;
    else if (number == FLOW_LAST)
        reader->last_said = value != 0;
    else if (number == FLOW_CHECKED)
        reader->checked = value != 0;
}

/* crc: of all before the field. */
static int take_crc(struct results_reader *reader, uint32_t crc, struct error *err)
{
    uint32_t said;
    int failed = results_stream_fixed32(&reader->stream, &said, err);
    reader->has_crc = true;
    reader->wrong |= !failed && (said != crc || reader->stream.left > 0);
    return failed;
}

static int read_field(struct results_reader *reader, struct error *err)
{
    struct results_stream *stream = &reader->stream;
    uint64_t tag, value = 0;
    const uint32_t crc = stream->crc;
    int failed = results_stream_varint(stream, &tag, err);
    if (failed)
        return failed;
    if (tag >> 3 == 0 || tag > UINT32_MAX)
        return broken(reader, "this is no field of a protobuf message", err);
    unsigned number = (unsigned)(tag >> 3), type = tag & 7;
    if (tag == RESULTS_CRC_TAG)
        return take_crc(reader, crc, err);
    if (type == WIRE_FIXED64 || type == WIRE_FIXED32)
        return results_stream_skip(stream, type == WIRE_FIXED64 ? 8 : 4, err);
    if (type != WIRE_VARINT && type != WIRE_BYTES)
        return broken(reader, "this is no field of a protobuf message", err);
    failed = results_stream_varint(stream, &value, err);
    if (failed)
        return failed;
    if (type == WIRE_VARINT) {
        take_number(reader, number, value);
        return 0;
    }
    uint64_t limit = size_limit(number);
    if (limit == 0)
        return results_stream_skip(stream, value, err);
    if (value > limit)
        return broken(reader, "a field is too large", err);
    failed = results_stream_bytes(stream, value, &reader->field, err);
    return failed ? failed : take_bytes(reader, number, err);
}

/* ---- records and pieces ---- */

static void begin_record(struct results_reader *reader)
{
    struct results_record *record = &reader->record;
    record->flow = (struct flow_result){.report[END_DST].end = END_DST};
    record->part = 0;
    reader->in_record = true;
    reader->last_said = reader->has_params = reader->has_result = false;
    reader->has_columns = reader->has_run = reader->bare = false;
    reader->checked = reader->has_crc = reader->wrong = false;
}

static void begin_piece(struct results_reader *reader)
{
    reader->record.last = false;
    reader->record.run = NULL;
    for (int end = 0; end < 2; end++) {
        series_clear(&reader->record.samples[end]);
        reader->covered[end] = 0;
    }
}

static bool aligned(const struct results_reader *reader)
{
    return bare_rows(reader, END_SRC) == 0 && bare_rows(reader, END_DST) == 0;
}

/* Also if a record turns out to be one without columns: rows do not wait for ever. */
static bool piece_is_full(struct results_reader *reader)
{
    if (!reader->has_columns &&
        (bare_rows(reader, END_SRC) >= BARE_ROWS || bare_rows(reader, END_DST) >= BARE_ROWS)) {
        reader->bare = true;
        return true;
    }
    return (reader->covered[END_SRC] >= PIECE_ROWS || reader->covered[END_DST] >= PIECE_ROWS) &&
           aligned(reader);
}

/* Nobody knows where in the record. */
static int damaged(const struct results_reader *reader, const char *what, struct error *err)
{
    char text[128];
    snprintf(text, sizeof text, "%s (flow %d): something in it is damaged", what,
             reader->record.flow.id);
    results_stream_bad_record(&reader->stream, text, err);
    return error_cure(err, "the records before it are sound; copy the file again");
}

/* The seed's files know no parts, and have no columns; each part of ours with samples has. */
static int finish_record(struct results_reader *reader, struct error *err)
{
    reader->in_record = false;
    reader->record.last = reader->last_said || !reader->has_columns;
    if (reader->wrong)
        return damaged(reader, "its checksum is not that of what it holds", err);
    if (reader->checked && !reader->has_crc)
        return damaged(reader, "its checksum is missing", err);
    if (!reader->has_params)
        return results_stream_bad_record(&reader->stream, "it is of no flow", err);
    return reader->has_columns && !aligned(reader)
               ? broken(reader, "rows have no columns beside them", err)
               : 0;
}

static int tell_damage(const struct results_reader *reader, struct error *err)
{
    if (err)
        *err = reader->damage;
    return reader->damage.code;
}

/* Samples that stand before the damage are a piece of their own, unless they may be part of it. */
static int give_sound(struct results_reader *reader, struct error *err)
{
    size_t rows = 0;
    if (results_stream_damaged(&reader->stream))
        return tell_damage(reader, err);
    for (int end = 0; end < 2; end++) {
        if (reader->has_columns)
            reader->record.samples[end].count = reader->covered[end];
        rows += reader->record.samples[end].count;
    }
    return reader->damage.code == ERROR_INPUT && rows > 0 ? 1 : tell_damage(reader, err);
}

int results_reader_next(struct results_reader *reader, const struct results_record **record,
                        struct error *err)
{
    begin_piece(reader);
    if (reader->damage.code)
        return tell_damage(reader, err);
    if (!reader->in_record) {
        int got = results_stream_begin(&reader->stream, &reader->damage);
        if (got <= 0)
            return got ? tell_damage(reader, err) : 0;
        begin_record(reader);
    }
    *record = &reader->record;
    while (reader->stream.left > 0) {
        if (piece_is_full(reader))
            return 1;
        int failed = read_field(reader, &reader->damage);
        if (failed)
            return give_sound(reader, err);
    }
    return finish_record(reader, &reader->damage) ? tell_damage(reader, err) : 1;
}
