/* How fast a flow was, by what its file says. */
#ifndef REPORT_FLOW_GOODPUT_H
#define REPORT_FLOW_GOODPUT_H

#include "report/summary.h"

/* Sets begin_ns, basis, goodput and receive of a flow that is read whole, its same_agent set.  With
 * from_ns set, they are of what is behind it. */
void flow_goodput_set(struct flow_summary *flow, const struct run_info *run);

#endif
