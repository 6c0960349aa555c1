/* What an agent tells of its machine: settings, test interfaces, and what the kernel remembers of
 * the run's peers.  What cannot be known is left empty.  Any thread. */
#ifndef AGENT_PROVENANCE_H
#define AGENT_PROVENANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/flow.h"
#include "model/machine.h"
#include "util/error.h"

/* Settings, then those of the interfaces, named "interface.mtu", "interface2.mtu" and so on in
 * their order.  0, or -1 when out of memory. */
int provenance_read(struct machine *machine, char *const *interfaces, size_t interface_count);

/* Adds what the kernel remembers of the ends' peers, and has it forget that if `flush`.  0, or
 * ERROR_AGENT if it cannot. */
int provenance_metrics(struct machine *machine, const struct end_spec *specs, size_t count,
                       bool flush, struct error *err);
/* Whether it could, and the agent's owner allows it: 0, or ERROR_AGENT with the cure. */
int provenance_may_flush(bool allowed, struct error *err);

#endif
