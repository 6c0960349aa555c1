/* Records of a spool, as many as one message of a stream has room for. */
#ifndef AGENT_BATCH_H
#define AGENT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "format/segment.h"
#include "util/buffer.h"
#include "util/error.h"

#define BATCH_RECORDS 1024

struct batch {
    struct buffer bytes; /* the records, one after another */
    size_t start[BATCH_RECORDS + 1];
    size_t count;
    uint64_t next_offset; /* into the spool: behind them */
};

/* Reads whole records from offset on, none if there are none.  They fit a message together, as any
 * record does that spool_record.h makes.  batch is zero-initialised, and its bytes are freed by the
 * caller in any case.  0, or ERROR_SYSTEM. */
int batch_read(struct batch *batch, struct segment *spool, uint64_t offset, struct error *err);

#endif
