/* The shards of a run: its ends spread over child processes, where one process cannot have
 * descriptors enough for them.  A process is started when the first flow comes that it is to have:
 * ends that are only announced cost nothing.  Main thread, or that of the errand that has the run;
 * shards_totals() and shards_are_over() meanwhile, too. */
#ifndef AGENT_SHARDS_H
#define AGENT_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/spool.h"
#include "engine/engine.h"
#include "util/error.h"

struct shards; /* opaque */

/* How many shards a run with so many ends wants, where this process has others already; 0: none,
 * one engine will do. */
unsigned shards_wanted(uint64_t ends, uint64_t others);
/* How many ends a run can have at most, with shards or without. */
uint64_t shards_ends_max(void);
/* The limit of descriptors that so many ends need. */
uint64_t shards_descriptors(uint64_t ends);

/* At most count of them, for so many ends; none is started yet.  options as for one engine that had
 * all workers and ports. */
int shards_create(struct shards **out, unsigned count, uint64_t ends,
                  const struct engine_options *options, struct spool *spool, struct error *err);

/* As the engine's, which see. */
int shards_prepare(struct shards *shards, const struct end_spec *specs, size_t count,
                   struct end_ready *answers, struct error *err);
void shards_start(struct shards *shards, const struct axis *axis);
void shards_adjust(struct shards *shards, const struct axis *axis);
void shards_stop(struct shards *shards);
struct engine_totals shards_totals(const struct shards *shards);

/* The processes' ids into out; returns how many there are, at most max. */
size_t shards_pids(const struct shards *shards, pid_t *out, size_t max);

/* Whether the spool has the report of every end. */
bool shards_are_over(const struct shards *shards);

/* Ends what still runs, with its reports.  NULL is fine. */
void shards_destroy(struct shards *shards);

#endif
