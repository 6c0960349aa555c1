/* Runs of one set were made under one condition, as far as their results tell: the same scenario,
 * label and warm-up, and hosts whose machines say the same of themselves.  Only what both of two
 * runs know can make them differ. */
#ifndef REPORT_RUN_SETS_H
#define REPORT_RUN_SETS_H

#include "report/summary.h"

/* Gives each run, and each of its flows, its set: by the first run of a set. */
void run_sets_find(struct summary *summary);

/* In what a set differs from the first one: "label (\"old\", here \"new\"), ...".  To be freed;
 * NULL: out of memory. */
char *run_sets_difference(const struct summary *summary, size_t set);

/* Its runs, from 1, and their files where these are known: "runs 1 to 3 (a.pb.gz), 7 (b.pb.gz)".
 * Likewise. */
char *run_sets_runs(const struct summary *summary, size_t set);

#endif
