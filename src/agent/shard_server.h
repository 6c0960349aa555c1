/* A shard's side: the process that an agent started for a part of a run's ends. */
#ifndef AGENT_SHARD_SERVER_H
#define AGENT_SHARD_SERVER_H

#include "util/error.h"

/* Serves the agent at the other side of SELF_SPAWN_FD until that closes it or ends; the samples
 * taken by then are handed over.  Takes over the process.  0, or ERROR_INPUT if nobody is there. */
int shard_serve(struct error *err);

#endif
