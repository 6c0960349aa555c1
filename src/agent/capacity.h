/* How many ends of flows this machine has room for. */
#ifndef AGENT_CAPACITY_H
#define AGENT_CAPACITY_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

/* The ends that an agent can have open at once; reason says what bounds it, and what would let it
 * have `wanted`. */
uint64_t capacity_ends(uint64_t wanted, char *reason, size_t size);

/* Whether there is room for `wanted` more, where `taken` ends have their place already, of which
 * `open` are.  0, or ERROR_AGENT with the cure. */
int capacity_check(uint64_t wanted, uint64_t taken, uint64_t open, struct error *err);

#endif
