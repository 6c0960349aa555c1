/* Reads a result file record by record: the seed's own, too, which hold params and rows alone. */
#ifndef FORMAT_RESULTS_READER_H
#define FORMAT_RESULTS_READER_H

#include "model/result.h"
#include "model/series.h"
#include "util/error.h"

struct results_reader; /* opaque */

/* One record.  Owned by the reader, valid until the next call. */
struct results_record {
    struct flow_result flow;
    uint32_t part;
    bool last;                  /* the flow has no further part */
    struct series samples[2];   /* by enum flow_end; times on the axis */
    const struct run_info *run; /* first record of a file that has it, else NULL */
};

int results_reader_open(struct results_reader **out, const char *path,
                        struct error *err); /* "-": stdin */
/* 1 and *record, 0 at the end, ERROR_INPUT for a broken file (place and offset are said). */
int results_reader_next(struct results_reader *reader, const struct results_record **record,
                        struct error *err);
void results_reader_close(struct results_reader *reader); /* NULL is fine */

#endif
