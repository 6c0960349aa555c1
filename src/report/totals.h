/* What the flows of a run moved, all together. */
#ifndef REPORT_TOTALS_H
#define REPORT_TOTALS_H

#include "report/summary.h"

/* Goodputs of flows are not added up: those that follow one another would make a rate that there
 * never was. */
struct totals {
    bool has_goodput; /* of any flow */
    bool whole;       /* of all flows that moved data */
    uint64_t bytes;   /* that the flows' goodputs are of */
    int64_t time_ns;  /* from where the first of these begins to where the last ends */
    double bps;       /* bytes by time */
    uint64_t payload_bytes, retransmits, ce_marks;
};

struct totals totals_of(const struct run_summary *run);

#endif
