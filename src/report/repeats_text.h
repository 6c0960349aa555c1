/* The summary of several runs for people. */
#ifndef REPORT_REPEATS_TEXT_H
#define REPORT_REPEATS_TEXT_H

#include "report/summary.h"

/* max_flows as for summary_text(). */
void repeats_text(const struct summary *summary, FILE *out, size_t max_flows, const char *how);

#endif
