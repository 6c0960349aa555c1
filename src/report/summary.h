/* The figures of a run that people ask for first, from a result file. */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "model/result.h"
#include "util/error.h"

struct flow_summary {
    struct flow_result flow;
    bool has_goodput;
    double goodput_bps; /* bit/s: payload received from the receiver's first data byte to start +
                           duration */
    int64_t goodput_ns; /* the time that it was divided by */
    bool has_rtt;
    double rtt_mean_ns; /* over the src end's samples between which bytes were acknowledged */
    int64_t rtt_min_ns;
    bool has_retransmits;
    uint64_t retransmits;   /* segments: the sender's last total_retrans */
    uint64_t drained_bytes; /* received after start + duration */
    size_t samples[2];      /* rows in the file, by enum flow_end */
    bool same_agent;        /* both ends on one agent */
};

struct summary {
    struct run_info run; /* empty for a file without it */
    bool has_run;
    struct flow_summary *flows;
    size_t flow_count;
    size_t complete, partial, failed;
};

/* Reads the whole file; memory grows with flows, not with samples. */
int summary_load(struct summary *out, const char *path, struct error *err);
void summary_fini(struct summary *summary);

/* A table, then totals, clock bounds and warnings.  max_flows: rows printed, then a line that says
 * how many more; 0: all. */
void summary_text(const struct summary *summary, FILE *out, size_t max_flows);
/* One JSON object, stable keys with units. */
int summary_json(const struct summary *summary, FILE *out);

#endif
