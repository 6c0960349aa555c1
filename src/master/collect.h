/* The master's part file: every record as it came from an agent, chained by end, so that a flow's
 * samples are found without an index that would grow with time. */
#ifndef MASTER_COLLECT_H
#define MASTER_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/spool_record.h"
#include "model/clock_fit.h"
#include "model/series.h"
#include "util/error.h"

struct collect; /* opaque */

/* The file stands beside output ("results.pb.gz.part"), or in $TMPDIR or /tmp if that is standard
 * output, a device or a pipe.  ERROR_INPUT if neither it nor output can be made. */
int collect_create(struct collect **out, const char *output, size_t flows, struct error *err);

/* Keeps one record of an agent, by its number in the result.  head is what spool_record_head() said
 * of it; its flow is in range. */
int collect_add(struct collect *collect, uint32_t agent, const struct spool_head *head,
                const void *data, size_t size, struct error *err);

/* Records of samples kept so far for an end. */
uint64_t collect_count(const struct collect *collect, uint32_t flow, enum flow_end end);

/* Reads one end's samples back in order, in pieces of about 1024 rows, times on the run's axis. */
struct collect_cursor {
    struct collect *collect;
    const struct clock_fit *fit;
    int64_t t0_ns;     /* on the master's clock */
    uint64_t *offsets; /* of the end's records, last first */
    size_t left;
    struct series series;
    struct buffer record;
    bool pending; /* record holds one that did not fit the last piece */
};
int collect_open(struct collect_cursor *cursor, struct collect *collect, uint32_t flow,
                 enum flow_end end, const struct clock_fit *fit, int64_t t0_ns, struct error *err);
/* 1 and *piece (valid until the next call), 0 at the end, or negative. */
int collect_next(struct collect_cursor *cursor, const struct series **piece, struct error *err);
void collect_close(struct collect_cursor *cursor); /* a zeroed one is fine */

/* Calls take(arg) with each record of captured packets of an end, in order, until it returns other
 * than 0, which is then returned. */
typedef int collect_taker(void *arg, const void *data, size_t size, struct error *err);
int collect_each_packets(struct collect *collect, uint32_t flow, enum flow_end end,
                         collect_taker *take, void *arg, struct error *err);

/* Gives the file a name that is in no later run's way: tcp-flowgen-RUN.part beside its old one. */
int collect_keep(struct collect *collect, const char *run, struct error *err);
const char *collect_path(const struct collect *collect);
void collect_destroy(struct collect *collect, bool remove_file); /* NULL is fine */

#endif
