/* The figures of runs that people ask for first, from their result files. */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "model/goodput.h"
#include "model/mtu_hole.h"
#include "model/result.h"
#include "model/standstill.h"
#include "model/stats.h"
#include "util/error.h"

/* A counter of the kernel's, by how much it grew. */
struct counted {
    bool known;
    uint64_t value;
};

/* Between two samples that follow one another. */
struct gap {
    int64_t from_ns, ns; /* 0: there were not two */
};

/* A row of an end's: a counter of bytes, raw, at a moment of the axis. */
struct counted_row {
    bool known;
    int64_t t_ns;
    uint64_t bytes;
};

/* What a goodput goes by. */
enum goodput_basis {
    BY_KERNELS, /* as model/goodput.h has it */
    BY_SAMPLES, /* the receiver's report is missing: its samples stand in for it */
    BY_READS /* of an earlier version's file, or the source's report is missing: from the receiver's
                first read, or its first sample with data, on */
};

struct flow_summary {
    struct flow_result flow;
    size_t run;     /* index in summary.runs */
    size_t set;     /* its run's */
    bool has_begin; /* of the counted time; a warm-up begins here, too: */
    int64_t begin_ns;
    bool read_late;  /* BY_READS: data were seen acknowledged before the receiver's program read */
    int64_t from_ns; /* samples before it do not count; INT64_MIN: all do */
    enum goodput_basis basis;
    struct goodput goodput;
    /* From the receiver's first sample with data on, on its clock alone; BY_KERNELS, else none. */
    struct goodput receive;
    /* Rows of the dst end, those from from_ns on: the first, the first with payload, the last with
     * more than the one before.  And of the src end: the first with payload acknowledged. */
    struct counted_row first_row, data_row, last_row, acked_row;
    bool has_rtt;
    double rtt_mean_ns; /* over the src end's samples between which bytes were acknowledged */
    int64_t rtt_min_ns; /* the kernel's own, of the whole connection */
    struct counted
        retransmits;         /* segments: the sender's last total_retrans, SYN and FIN included */
    struct counted ce_marks; /* packets: the sender's last delivered_ce */
    uint64_t drained_bytes;  /* received after start + duration */
    size_t samples[2];       /* rows in the file, by enum flow_end */
    struct gap gap[2];       /* the longest of each end */
    struct standstill standstill; /* the longest, of all samples */
    struct mtu_hole hole;         /* likewise of all */
    bool same_agent;              /* both ends on one agent */
};

struct run_summary {
    struct run_info run; /* empty for a file without it */
    bool has_run;
    size_t set;        /* from 0: see report/run_sets.h */
    int64_t warmup_ns; /* goodput, RTT and retransmits count from the first sample that is so long
                          behind begin_ns */
    size_t first_flow; /* in summary.flows */
    struct flow_summary *flows;
    size_t flow_count;
    size_t complete, partial, failed;
    char *damage; /* where its file is cut or broken: what stood before is here; NULL: it is not */
    char *file;   /* that it is from, as given; NULL: one that is not kept */
    char *copies; /* other files that have this run, "a, b": see report/run_copies.h; NULL: none */
};

/* One flow over all runs of a set that have it: with the same id, hosts, ccalg and ecn, as asked.
 */
struct flow_repeats {
    const struct flow_summary *first; /* of the first run that has it */
    size_t runs, complete, partial, failed;
    size_t limits[LIMITS]; /* runs that its verdict is of */
    size_t doubtful;       /* runs that its goodput is doubtful in */
    struct stats goodput_bps, rtt_mean_ns, retransmits, ce_marks;
};

struct summary {
    struct run_summary *runs; /* in the order of the files; each file has one or more */
    size_t run_count;
    struct flow_summary *flows; /* of all runs, in their order */
    size_t flow_count;
    size_t complete, partial, failed;
    bool damaged; /* some run is */
    /* Of several runs: */
    size_t set_count;
    struct flow_repeats *repeats; /* in the order in which the flows were first seen */
    size_t repeat_count;
    struct stats together_bps; /* of all flows of a run (report/totals.h): a value a run; none if
                                  there is more than one set */
    bool unlike;               /* not all runs are of one scenario */
    bool split;                /* flows of one id are not one flow */
};

/* Reads the files whole, a damaged one as far as it goes if that has any flow; memory grows with
 * flows, not with samples.  A run that several of them have counts once.  warmup_ns < 0: as each
 * run has it.  With a warm-up the files are read twice, which standard input ("-") cannot be. */
int summary_load(struct summary *out, const char *const *paths, size_t path_count,
                 int64_t warmup_ns, struct error *err);
/* Makes one set of all runs.  0, or ERROR_SYSTEM: memory ran out. */
int summary_pool(struct summary *summary, struct error *err);
void summary_fini(struct summary *summary);

/* A table, then totals, clock bounds and warnings; of several runs medians and spreads.  max_flows:
 * rows printed, then a line that says how many more, and `how` to see them; 0: all. */
void summary_text(const struct summary *summary, FILE *out, size_t max_flows, const char *how);
/* One JSON object, stable keys with units. */
int summary_json(const struct summary *summary, FILE *out, struct error *err);

#endif
