/* SpoolRecord of agent.proto <-> model: the unit of the agent's spool, of the watch stream and
 * of the master's part file. */
#ifndef FORMAT_SPOOL_RECORD_H
#define FORMAT_SPOOL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "model/axis.h"
#include "model/flow.h"
#include "model/host_series.h"
#include "model/packet.h"
#include "model/sample.h"
#include "model/series.h"
#include "util/buffer.h"
#include "util/error.h"

enum spool_kind {
    SPOOL_SAMPLES,
    SPOOL_READY,
    SPOOL_REPORT,
    SPOOL_RUN_END,
    SPOOL_PACKETS, /* see packets_record.h */
    SPOOL_CAPTURED,
    SPOOL_PREPARE, /* of no end: what was prepared */
    SPOOL_AXIS,    /* of no end */
    SPOOL_HOST,    /* of no flow */
    SPOOL_OTHER
};

/* A larger record is refused unread: one has room in a message of a stream, which has 4 MiB. */
#define SPOOL_RECORD_MAX ((4u << 20) - 1024)
#define SPOOL_ROWS_MAX   8192u /* rows in one record of samples; so many always fit */

/* In a master's part file, in place of an agent's number: the record is the master's own. */
#define SPOOL_OF_MASTER (UINT32_MAX - 1)

/* Encoders: append one record's bytes to out; 0, or -1 when out of memory. */

/* rows[0..count) are of one end, of one info_length and cc_length, in order of time; count is
 * 1..SPOOL_ROWS_MAX. */
int spool_record_samples(struct buffer *out, const struct sample *const *rows, size_t count);
int spool_record_ready(struct buffer *out, uint32_t flow, enum flow_end end, int64_t t_ns);
int spool_record_report(struct buffer *out, const struct end_report *report);
/* problem: what went wrong with the spool; "": nothing. */
int spool_record_run_end(struct buffer *out, int64_t t_ns, uint32_t other_runs,
                         const char *problem);

struct Tcpflowgen__PrepareRequest;
/* Its tokens, which are secret, are left out. */
int spool_record_prepare(struct buffer *out, const struct Tcpflowgen__PrepareRequest *request);
int spool_record_axis(struct buffer *out, uint32_t agent, const struct axis *axis,
                      int64_t t0_unix_ns);
/* All rows of the series. */
int spool_record_host(struct buffer *out, const struct host_series *series);

/* What a record is about, without unpacking its columns (record_check() looks at all of it).  0, or
 * ERROR_INPUT. */
struct spool_head {
    enum spool_kind kind;
    uint32_t flow;
    enum flow_end end;
    uint32_t rows;                  /* SPOOL_SAMPLES, SPOOL_HOST */
    int64_t t_ns;                   /* SPOOL_READY, SPOOL_RUN_END */
    struct end_report report;       /* SPOOL_REPORT */
    struct capture_report captured; /* SPOOL_CAPTURED */
    char problem[512];              /* SPOOL_RUN_END */
    uint32_t other_runs;            /* likewise */
    uint32_t agent;                 /* SPOOL_AXIS */
    struct axis axis;               /* SPOOL_AXIS */
    int64_t t0_unix_ns;             /* SPOOL_AXIS */
};
int spool_record_head(const void *data, size_t size, struct spool_head *out, struct error *err);

/* What a SPOOL_PREPARE record holds, to be freed with
 * tcpflowgen__prepare_request__free_unpacked(); NULL if it is broken, or out of memory. */
struct Tcpflowgen__PrepareRequest *spool_record_prepared(const void *data, size_t size);

/* The message of columns in a record of samples; NULL if there is none. */
const uint8_t *spool_record_samples_in(const void *data, size_t size, size_t *samples_size);

/* The samples on ticks of some records of one end; zero-initialised is none. */
struct spool_ticks {
    uint64_t taken;
    int64_t first, last;
};

/* Adds those of a SPOOL_SAMPLES record, without unpacking the other columns.  0, or -1 if it is
 * broken; some may count then. */
int spool_record_ticks(const void *data, size_t size, struct spool_ticks *ticks);

/* As if nothing was due but from the first to the last of them. */
void spool_ticks_report(const struct spool_ticks *ticks, struct end_report *report);

/* Appends the rows of a SPOOL_SAMPLES record to series.  Returns 0; 1 if its info_length or
 * cc_length differs from that of a non-empty series (nothing is appended: start another); or
 * ERROR_INPUT. */
int spool_record_rows(const void *data, size_t size, struct series *series, struct error *err);

/* Appends the rows of a SPOOL_HOST record to series, which keeps `limit` of them (see
 * host_series_add()).  0, ERROR_INPUT or ERROR_SYSTEM. */
int spool_record_host_rows(const void *data, size_t size, struct host_series *series, size_t limit,
                           struct error *err);

#endif
