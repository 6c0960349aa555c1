/* What an agent's own process has room for, beside the control port: a shard has none. */
#ifndef AGENT_OWN_PROCESS_H
#define AGENT_OWN_PROCESS_H

#include <stddef.h>

/* Descriptors that are kept for connections to the control port: for all that it takes, but where
 * the limit of descriptors is low, for as many as for ends. */
size_t own_process_reserve(void);
/* Ends that can be open here. */
size_t own_process_ends_max(void);
/* The limit of descriptors with which so many can be. */
size_t own_process_descriptors(size_t ends);

#endif
