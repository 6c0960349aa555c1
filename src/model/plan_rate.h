/* The guard on what all flows together may send.  Private to plan_build(). */
#ifndef MODEL_PLAN_RATE_H
#define MODEL_PLAN_RATE_H

#include <stdint.h>

#include "model/scenario.h"
#include "util/error.h"

/* What a flow may offer in bit/s: the lesser of its send_rate and pacing_rate; 0: no limit. */
uint64_t flow_rate(const struct scenario_flow *flow);

/* Reports the flows that have no limit, and the moment at which the flows that run then may offer
 * most, if that is more than the scenario's max_rate (0: all is right).  From start + duration on a
 * flow offers nothing.  0, or ERROR_SYSTEM: memory ran out. */
int plan_check_rate(const struct scenario *scenario, struct error_list *errors);

#endif
