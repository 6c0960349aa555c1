/* A run that is read twice, by its id: from a file and a copy of it, or from a result and what was
 * recovered of the same run.  It counts once. */
#ifndef REPORT_RUN_COPIES_H
#define REPORT_RUN_COPIES_H

#include "report/summary.h"

/* Of runs with one id, that of which most is known stays, and says so in its `copies`; of equal
 * ones the first.  To be called before sets are found.  0, or -1 when out of memory. */
int run_copies_drop(struct summary *summary);

/* Frees what the run owns; its flows are the summary's. */
void run_summary_fini(struct run_summary *run);

#endif
