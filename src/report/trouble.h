/* Why flows are partial or failed: each reason once, with the flows that have it. */
#ifndef REPORT_TROUBLE_H
#define REPORT_TROUBLE_H

#include <stdio.h>

#include "report/summary.h"

/* A paragraph a reason, over all runs.  What agents were lost of is left to the warnings. */
void trouble_text(const struct summary *summary, FILE *out);

#endif
