/* From what was collected to the results. */
#ifndef MASTER_OUTPUT_H
#define MASTER_OUTPUT_H

#include "master/session.h"

/* Fills run, which is empty but for what the session told it, with what is known by now, but for
 * hosts and agents. */
void output_describe_run(const struct session *session, struct run_info *run);

/* The agent's place in the run's agents. */
uint32_t output_place(const struct master_agent *agent);

/* Appends the run to its results, for good, and counts the flows into outcome.  The session's
 * run_info takes the hosts and agents over from the agents. */
int output_write(struct session *session, struct master_outcome *outcome, struct error *err);

#endif
