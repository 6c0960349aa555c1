/* The resolved plan for people and programs. */
#ifndef REPORT_PLAN_REPORT_H
#define REPORT_PLAN_REPORT_H

#include <stdio.h>

#include "model/plan.h"

/* Tables of hosts and flows, then the totals. */
void plan_text(const struct plan *plan, FILE *out);
/* {"label" (null: none), "interval_ns" (null: the agents' own), "end_ns", "hosts": {NAME: {"mgmt",
 * "host", "bind" (null: host), "device" (null: none)}}, "flows": [{"id", "src", "dst", "start_ns",
 * "duration_ns", "ccalg" (null: default), "ecn", "nodelay", "connect", "end",
 * and those of tuning_json()}]}, in the file's
 * order.  0, or ERROR_SYSTEM: memory ran out, or out cannot be written. */
int plan_json(const struct plan *plan, FILE *out, struct error *err);

#endif
