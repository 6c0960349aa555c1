/* Writes a result file as messages.proto has it.  The file appears under its name when it is
 * whole: until then it is NAME.tmp (same directory).  Memory does not grow with a flow's samples.
 */
#ifndef FORMAT_RESULTS_WRITER_H
#define FORMAT_RESULTS_WRITER_H

#include <stddef.h>

#include "model/result.h"
#include "model/series.h"
#include "util/error.h"

struct results_writer; /* opaque */

#define RESULTS_PART_MAX \
    (UINT64_C(1) << 30) /* bytes of a record; past it a flow goes on in another */

/* gzip if path ends in ".gz"; "-" is standard output (then nothing is renamed).
 * part_max 0: RESULTS_PART_MAX. */
int results_writer_open(struct results_writer **out, const char *path, uint64_t part_max,
                        struct error *err);

/* Gives the next piece of an end's samples, times on the axis; *piece stays the source's.
 * 1: a piece, 0: no more, negative: failed. */
typedef int series_source(void *arg, enum flow_end end, const struct series **piece,
                          struct error *err);

/* Writes one flow.  run is given with the first flow of each run, NULL with the others. */
int results_writer_flow(struct results_writer *writer, const struct flow_result *flow,
                        const struct run_info *run, series_source *source, void *arg,
                        struct error *err);

/* All that was written is on the disk of NAME.tmp: its sources may go. */
int results_writer_sync(struct results_writer *writer, struct error *err);

/* Flushes, syncs, renames.  Frees the writer in every case; on failure NAME.tmp is left, and it is
 * one if a write had failed before: what was written whole can be read there. */
int results_writer_close(struct results_writer *writer, struct error *err);
void results_writer_abort(struct results_writer *writer); /* removes NAME.tmp; NULL is fine */

#endif
