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
/* Before the run: makes the results' file, so that what is in its way is found out at once, and
 * nobody puts anything there meanwhile.  What is written in place, as a pipe whose reader may still
 * be to come, is opened later.  0, ERROR_INPUT or ERROR_SYSTEM. */
int output_open(const struct session *session, struct error *err);

int output_write(struct session *session, struct master_outcome *outcome, struct error *err);

#endif
