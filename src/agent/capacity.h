/* How many ends of flows this machine has room for. */
#ifndef AGENT_CAPACITY_H
#define AGENT_CAPACITY_H

#include <stddef.h>
#include <stdint.h>

/* The ends that an agent can have open at once; reason says what bounds it, and what would raise
 * it. */
uint64_t capacity_ends(char *reason, size_t size);

#endif
