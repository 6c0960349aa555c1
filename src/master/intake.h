/* What an agent may send of a run, by the plan and the time: so that a broken or hostile one fills
 * no disk.  Runs of the master's thread alone.
 *
 * An end has samples for the ticks of its duration, and of INTAKE_AHEAD_NS: as long as that it may
 * overrun, and so far may the agent be ahead of a master whose machine was suspended. */
#ifndef MASTER_INTAKE_H
#define MASTER_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "format/spool_record.h"
#include "util/clock.h"
#include "util/error.h"

#define INTAKE_AHEAD_NS     (60 * NS_PER_S)
#define INTAKE_PACKETS_RATE 1000000 /* a second, captured at one end: more than a thread reads */

struct master_agent;

/* What was kept of an end. */
struct intake {
    uint64_t rows, packets;
    unsigned told; /* bits, by enum spool_kind: what is told once */
};

/* How much may have come of what comes `rate` times in `per_ns` from start_ns on, for duration_ns,
 * at the moment now_ns of the axis. */
uint64_t intake_due(int64_t start_ns, int64_t duration_ns, int64_t now_ns, uint64_t rate,
                    int64_t per_ns);

/* Whether the agent may send this record of `size` bytes, which is of a flow of its own, beside
 * what was kept.  now_ns: the master's clock.  0, or ERROR_AGENT with why not. */
int intake_admit(const struct master_agent *agent, const struct spool_head *head, size_t size,
                 int64_t now_ns, struct error *err);

/* Counts one that was kept. */
void intake_count(struct master_agent *agent, const struct spool_head *head, size_t size);

#endif
