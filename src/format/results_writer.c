/* A record begins with its length, so its samples are put aside, encoded, until the flow's last
 * one is there.  Concatenated protobuf messages are one message: a Flow is written as its head, a
 * small Flow for each chunk of rows, its tail, and the checksum of all that. */
#include "format/results_writer.h"

#include <endian.h>
#include <paths.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "format/columns.h"
#include "format/result_message.h"
#include "format/results_crc.h"
#include "format/results_file.h"
#include "format/scratch.h"
#include "format/seed_row.h"
#include "format/wire.h"
#include "util/buffer.h"

#define CHUNK_ROWS 1024

struct results_writer {
    struct results_file file;
    struct scratch scratch; /* the part's chunks */
    uint64_t part_max;
    uint32_t crc;        /* of the record so far */
    struct buffer chunk; /* reused */
    Tcpflowgen__TCPInfo rows[CHUNK_ROWS];
    Tcpflowgen__TCPInfo *row_list[CHUNK_ROWS];
};

/* The flow that is being written. */
struct flow_writer {
    struct results_writer *writer;
    struct result_message message;
    uint32_t part;
    struct buffer head;   /* reused */
    struct buffer result; /* ends the flow's last part */
    struct buffer run;    /* ends the run's first record */
};

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

int results_writer_open(struct results_writer **out, const char *path, uint64_t part_max,
                        struct error *err)
{
    struct results_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return no_memory(err);
    int failed = results_file_open(&writer->file, path, err);
    if (failed) {
        free(writer);
        return failed;
    }
    writer->part_max = part_max ? part_max : RESULTS_PART_MAX;
    for (size_t i = 0; i < CHUNK_ROWS; i++)
        writer->row_list[i] = &writer->rows[i];
    const char *beside = writer->file.temporary;
    scratch_init(&writer->scratch, beside ? beside : _PATH_TMP "tcp-flowgen");
    *out = writer;
    return 0;
}

static void release(struct results_writer *writer)
{
    scratch_fini(&writer->scratch);
    buffer_fini(&writer->chunk);
    free(writer);
}

int results_writer_sync(struct results_writer *writer, struct error *err)
{
    return results_file_sync(&writer->file, err);
}

int results_writer_close(struct results_writer *writer, struct error *err)
{
    int failed = results_file_publish(&writer->file, err);
    release(writer);
    return failed;
}

void results_writer_abort(struct results_writer *writer)
{
    if (!writer)
        return;
    results_file_discard(&writer->file);
    release(writer);
}

/* ---- one part of a flow: a record ---- */

static int pack_head(struct flow_writer *flow, bool last)
{
    Tcpflowgen__Flow head = TCPFLOWGEN__FLOW__INIT;
    head.params = &flow->message.params;
    head.part = flow->part;
    head.last = last;
    Tcpflowgen__Flow first = TCPFLOWGEN__FLOW__INIT;
    first.checked = true;
    buffer_clear(&flow->head);
    return wire_pack(&flow->head, &first.base) || wire_pack(&flow->head, &head.base);
}

/* A scratch_sink. */
static int put(void *arg, const void *data, size_t size, struct error *err)
{
    struct results_writer *writer = arg;
    writer->crc = results_crc(writer->crc, data, size);
    return results_file_write(&writer->file, data, size, err);
}

static int put_buffer(struct results_writer *writer, const struct buffer *buffer, struct error *err)
{
    return put(writer, buffer->data, buffer->size, err);
}

static int put_length(struct results_writer *writer, uint32_t length, struct error *err)
{
    const uint32_t length_be = htobe32(length);
    writer->crc = 0;
    return put(writer, &length_be, sizeof length_be, err);
}

static int put_crc(struct results_writer *writer, struct error *err)
{
    uint8_t field[RESULTS_CRC_SIZE] = {RESULTS_CRC_TAG};
    const uint32_t crc_le = htole32(writer->crc);
    memcpy(field + 1, &crc_le, sizeof crc_le);
    return put(writer, field, sizeof field, err);
}

static int end_part(struct flow_writer *flow, bool last, struct error *err)
{
    struct results_writer *writer = flow->writer;
    if (pack_head(flow, last))
        return no_memory(err);
    uint64_t length = flow->head.size + scratch_size(&writer->scratch) + flow->run.size +
                      (last ? flow->result.size : 0) + RESULTS_CRC_SIZE;
    if (length > INT32_MAX) /* no protobuf library reads more */
        return error_set(err, ERROR_SYSTEM, writer->file.path, "a record would be too large");
    int failed = put_length(writer, (uint32_t)length, err);
    if (!failed)
        failed = put_buffer(writer, &flow->head, err);
    if (!failed)
        failed = scratch_drain(&writer->scratch, put, writer, err);
    if (!failed && last)
        failed = put_buffer(writer, &flow->result, err);
    if (!failed)
        failed = put_buffer(writer, &flow->run, err);
    if (!failed)
        failed = put_crc(writer, err);
    buffer_clear(&flow->run);
    flow->part++;
    return failed;
}

/* ---- samples ---- */

static int pack_chunk(struct results_writer *writer, enum flow_end end, const struct series *series,
                      size_t first, size_t count)
{
    struct columns columns;
    Tcpflowgen__Columns *column_list[] = {&columns.message};
    Tcpflowgen__Flow flow = TCPFLOWGEN__FLOW__INIT;
    for (size_t i = 0; i < count; i++)
        seed_row_from_series(&writer->rows[i], series, first + i);
    if (end == END_SRC) {
        flow.n_txtcpinfo = count;
        flow.txtcpinfo = writer->row_list;
        flow.n_src_columns = 1;
        flow.src_columns = column_list;
    } else {
        flow.n_rxtcpinfo = count;
        flow.rxtcpinfo = writer->row_list;
        flow.n_dst_columns = 1;
        flow.dst_columns = column_list;
    }
    buffer_clear(&writer->chunk);
    int failed = columns_from_series(&columns, series, first, count);
    if (!failed)
        failed = wire_pack(&writer->chunk, &flow.base);
    columns_fini(&columns);
    return failed;
}

/* Puts the chunk aside, in another part if it would make this one too large. */
static int add_chunk(struct flow_writer *flow, struct error *err)
{
    struct results_writer *writer = flow->writer;
    uint64_t others = scratch_size(&writer->scratch);
    uint64_t size =
        flow->head.size + others + writer->chunk.size + flow->result.size + flow->run.size;
    int failed = others > 0 && size > writer->part_max ? end_part(flow, false, err) : 0;
    return failed ? failed : scratch_append(&writer->scratch, &writer->chunk, err);
}

static int add_samples(struct flow_writer *flow, enum flow_end end, series_source *source,
                       void *arg, struct error *err)
{
    const struct series *piece;
    int got;
    while ((got = source(arg, end, &piece, err)) > 0) {
        for (size_t first = 0; first < piece->count; first += CHUNK_ROWS) {
            size_t left = piece->count - first;
            size_t count = left < CHUNK_ROWS ? left : CHUNK_ROWS;
            if (pack_chunk(flow->writer, end, piece, first, count))
                return no_memory(err);
            int failed = add_chunk(flow, err);
            if (failed)
                return failed;
        }
    }
    return got;
}

/* ---- one flow ---- */

static int pack_ends(struct flow_writer *flow, const struct run_info *run)
{
    Tcpflowgen__Flow tail = TCPFLOWGEN__FLOW__INIT;
    tail.result = &flow->message.result;
    int failed = pack_head(flow, true) || wire_pack(&flow->result, &tail.base);
    if (failed || !run)
        return failed;
    tail = (Tcpflowgen__Flow)TCPFLOWGEN__FLOW__INIT;
    tail.run = run_to_message(run);
    if (!tail.run)
        return -1;
    failed = wire_pack(&flow->run, &tail.base);
    tcpflowgen__run__free_unpacked(tail.run, NULL);
    return failed;
}

int results_writer_flow(struct results_writer *writer, const struct flow_result *result,
                        const struct run_info *run, series_source *source, void *arg,
                        struct error *err)
{
    struct flow_writer flow = {.writer = writer};
    result_to_message(&flow.message, result);
    int failed = pack_ends(&flow, run) ? no_memory(err) : 0;
    if (!failed)
        failed = add_samples(&flow, END_SRC, source, arg, err);
    if (!failed)
        failed = add_samples(&flow, END_DST, source, arg, err);
    if (!failed)
        failed = end_part(&flow, true, err);
    buffer_fini(&flow.head);
    buffer_fini(&flow.result);
    buffer_fini(&flow.run);
    return failed;
}
