/* Reads a result file record by record: the seed's own, too, which hold params and rows alone. */
#ifndef FORMAT_RESULTS_READER_H
#define FORMAT_RESULTS_READER_H

#include <stdbool.h>

#include "model/result.h"
#include "model/series.h"
#include "util/error.h"

struct results_reader; /* opaque */

/* One record, or a piece of one: a record of very many samples comes in pieces, as a flow may come
 * in parts; `last` ends both.  Owned by the reader, valid until the next call.
 *
 * Every piece has the flow's parameters; only the last has the rest of flow (status, reports, ...).
 * A file without columns (the seed's) has info_length 0 in its series: there only the fields of
 * TCPInfo hold, all others are 0 and every tick is SAMPLE_OFF_TICK. */
struct results_record {
    struct flow_result flow;
    uint32_t part;
    bool last;                /* the flow has no further part */
    struct series samples[2]; /* by enum flow_end; times on the axis */
    /* In the last piece of a run's first record, else NULL.  This flow and those up to the next
     * run's first are of the run; a file has one run or several, or none (the seed's). */
    const struct run_info *run;
};

int results_reader_open(struct results_reader **out, const char *path,
                        struct error *err); /* "-": stdin */
/* 1 and *record, 0 at the end, ERROR_INPUT for a broken file (place and offset are said).  What can
 * be read before the damage is given out first: of a record's begin perhaps a piece of samples that
 * no further one ends. */
int results_reader_next(struct results_reader *reader, const struct results_record **record,
                        struct error *err);
/* Of a file in which no record could be read: whether it began like a result, or is a gzipped file
 * that is damaged, rather than something else. */
bool results_reader_like_result(const struct results_reader *reader);
/* Hands the record's run over, to be freed by the caller, if it has one that is still there. */
bool results_reader_take_run(struct results_reader *reader, struct run_info *out);
void results_reader_close(struct results_reader *reader); /* NULL is fine */

#endif
