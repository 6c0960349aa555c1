#include "agent/batch.h"

#include "format/spool_record.h"

#define BYTES_USUAL (256u << 10) /* a batch ends with the record that passes this */
#define BYTES_MAX   (2u << 20)   /* but before one that passes this, unless it is the first */

_Static_assert(BYTES_MAX + 16 * BATCH_RECORDS < SPOOL_RECORD_MAX,
               "one record is the largest batch");

int batch_read(struct batch *batch, struct segment *spool, uint64_t offset, struct error *err)
{
    struct buffer record = {0};
    uint64_t next;
    int got = 1;
    batch->next_offset = offset;
    while (batch->count < BATCH_RECORDS && batch->bytes.size < BYTES_USUAL) {
        got = segment_read(spool, batch->next_offset, &record, &next, err);
        if (got <= 0 || (batch->count && batch->bytes.size + record.size > BYTES_MAX))
            break;
        if (buffer_append(&batch->bytes, record.data, record.size)) {
            got = error_set(err, ERROR_SYSTEM, NULL, "out of memory");
            break;
        }
        batch->start[++batch->count] = batch->bytes.size;
        batch->next_offset = next;
    }
    buffer_fini(&record);
    return got < 0 ? got : 0;
}
