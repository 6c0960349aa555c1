/* From captured packets, as they were collected, to a pcapng file for each end of a flow. */
#ifndef MASTER_CAPTURES_H
#define MASTER_CAPTURES_H

#include <stdint.h>

#include "master/session.h"

/* Writes the files of all flows that are captured, "RUN-flow0-src.pcapng", in the directory that
 * the options name or OUTPUT.captures.  Times are those of the run's axis, as time since 1970 by
 * the master's wall clock at t0: files of all ends of a run go together.  The agents' clock fits
 * must stand.  What fails is told as the run's trouble. */
void captures_write(struct session *session);

/* What a flow's result says of its captures. */
void captures_tell(const struct session *session, uint32_t index, struct flow_result *flow);

#endif
