/* What the flows of a run moved, all together. */
#ifndef REPORT_TOTALS_H
#define REPORT_TOTALS_H

#include "report/summary.h"

/* Goodputs of flows are not added up: those that follow one another would make a rate that there
 * never was. */
struct totals {
    /* The bytes that the flows' goodputs are of, from where the first of these begins to where the
     * last ends.  Flows whose own bytes are too few for a figure are among them. */
    struct goodput goodput;
    bool whole; /* of all flows that moved data */
    /* Of all flows; known if they are of each flow that began. */
    struct counted payload_bytes, retransmits, ce_marks;
    uint64_t echoes; /* of ce_marks, those of flows whose echoes go on until they are answered */
};

struct totals totals_of(const struct run_summary *run);

/* Of the flows from one host to another. */
struct pair {
    const char *src, *dst; /* the run's */
    struct totals totals;
};

/* Fills in the pairs of hosts that have flows, in the order of these.  Returns how many; 0: more
 * than max. */
size_t totals_of_pairs(const struct run_summary *run, struct pair *pairs, size_t max);

#endif
