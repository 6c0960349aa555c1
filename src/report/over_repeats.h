/* What several runs of one scenario have in common, flow by flow. */
#ifndef REPORT_OVER_REPEATS_H
#define REPORT_OVER_REPEATS_H

#include "report/summary.h"

/* Fills what summary has of several runs.  0, or -1 when out of memory. */
int over_repeats_build(struct summary *summary);

#endif
