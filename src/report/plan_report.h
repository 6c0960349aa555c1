/* The resolved plan for people and programs. */
#ifndef REPORT_PLAN_REPORT_H
#define REPORT_PLAN_REPORT_H

#include <stdio.h>

#include "model/plan.h"

void plan_text(const struct plan *plan, FILE *out);
/* {"label", "interval_ns", "hosts": {...}, "flows": [{"id", "src", "dst", "start_ns",
 * "duration_ns", "ccalg" (null: default), "ecn", "nodelay", "connect", "end"}]}, in the file's
 * order. */
int plan_json(const struct plan *plan, FILE *out);

#endif
