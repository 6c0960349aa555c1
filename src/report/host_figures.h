/* What a machine did beside the flows of a run, in a few figures. */
#ifndef REPORT_HOST_FIGURES_H
#define REPORT_HOST_FIGURES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/host_series.h"

/* Means over the rows on the run's ticks, from t0 on. */
struct host_cpu {
    bool agent_known; /* also of a run so short that the machine's are not */
    double agent;     /* of one CPU: 1.5 is one and a half */
    bool known;
    double busy, softirq, steal; /* of all CPUs together, 0 to 1; busy is all but idle */
};
struct host_cpu host_cpu(const struct host_series *series);

/* By how much a counter grew over all rows; HOST_UNKNOWN: it is not known, or began anew. */
int64_t host_growth(const struct host_series *series, enum host_field field);
int64_t host_interface_growth(const struct host_series *series, size_t interface,
                              enum interface_field field);

/* Packets that the machine is known to have dropped: at its interfaces, their queues, and full
 * backlogs of CPUs. */
int64_t host_drops(const struct host_series *series);

/* A sentence: what a reader of the flows' figures must know.  To be freed; NULL: no memory. */
char *host_text(const struct host_series *series);
/* NULL: there are no rows, or no memory. */
json_t *host_json(const struct host_series *series);

#endif
