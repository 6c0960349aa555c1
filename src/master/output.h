/* From what was collected to the results. */
#ifndef MASTER_OUTPUT_H
#define MASTER_OUTPUT_H

#include "master/session.h"

/* Appends the run to its results, for good, and counts the flows into outcome.  The session's
 * run_info takes the hosts and agents over from the agents. */
int output_write(struct session *session, struct master_outcome *outcome, struct error *err);

#endif
