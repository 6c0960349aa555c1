/* Samples the machine beside a run's flows, on a thread of its own: CPU, interfaces, queues.
 * Rows are taken on those of the run's ticks that are HOST_SPACING_NS or more apart, and one each
 * at the begin and at the end. */
#ifndef AGENT_HOST_SAMPLER_H
#define AGENT_HOST_SAMPLER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/spool.h"
#include "model/axis.h"
#include "model/host_series.h"
#include "util/error.h"

#define HOST_PROCESSES_MAX 65 /* the agent, and a run's shards */

struct host_sampler; /* opaque */

struct host_sampler_options {
    int64_t interval_ns; /* of the run */
    char interfaces[HOST_INTERFACES_MAX][DEVICE_MAX];
    size_t interface_count;
    pid_t processes[HOST_PROCESSES_MAX]; /* whose CPU time is the agent's */
    size_t process_count;
};

/* Takes the first row and starts the thread; records go to spool.  What cannot be read is
 * HOST_UNKNOWN in the rows. */
int host_sampler_start(struct host_sampler **out, const struct host_sampler_options *options,
                       const struct axis *axis, struct spool *spool, struct error *err);

/* As the engine's: the ticks follow the axis without a step. */
void host_sampler_adjust(struct host_sampler *sampler, const struct axis *axis);

/* Takes the last row, puts out what is left, ends the thread, frees.  NULL is fine. */
void host_sampler_stop(struct host_sampler *sampler);

#endif
