/* The agent's side of one shard: a child process that has an engine for a part of a run's ends and
 * sends what that puts out.
 *
 * All functions on the agent's main thread, or on that of the errand that has the run; a thread for
 * each shard starts the process and moves its records into the spool. */
#ifndef AGENT_SHARD_H
#define AGENT_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/spool.h"
#include "engine/engine.h"
#include "util/error.h"

struct shard; /* opaque */

/* Starts the process.  Whether its engine stands is told when ends are prepared. */
int shard_create(struct shard **out, const struct engine_options *options, struct spool *spool,
                 struct error *err);

/* engine_prepare() in two steps, so that several shards work at once.  Fails if the shard ended. */
int shard_ask(struct shard *shard, struct end_spec *const *specs, size_t count, struct error *err);
int shard_answer(struct shard *shard, struct end_ready *const *answers, size_t count,
                 struct error *err);

/* As the engine's.  A shard that has ended takes no notice. */
void shard_start(struct shard *shard, const struct axis *axis);
void shard_adjust(struct shard *shard, const struct axis *axis);
void shard_stop(struct shard *shard);
struct engine_totals shard_totals(struct shard *shard);

pid_t shard_pid(const struct shard *shard);

/* Whether no record of it follows: all its ends are over, or it ended itself, and then the spool
 * has a report of each end that it left. */
bool shard_is_over(struct shard *shard);

/* Tells it to end what runs, to put out what is left, and to go. */
void shard_dismiss(struct shard *shard);
/* Waits for one that was dismissed, a while at most; frees.  NULL is fine. */
void shard_destroy(struct shard *shard);

#endif
