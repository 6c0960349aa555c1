/* Congestion control algorithms of this network namespace. */
#ifndef ENGINE_ALGORITHMS_H
#define ENGINE_ALGORITHMS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/flow.h"
#include "util/error.h"

/* net.ipv4.tcp_available_congestion_control as names.  Returns how many. */
#define ALGORITHMS_MAX 64
int algorithms_available(char out[ALGORITHMS_MAX][CCALG_MAX]);

/* Whether a socket here can be given `name` (tried on a socket, which may load its module).
 * 0, or ERROR_AGENT: unknown (which there are), or forbidden (CAP_NET_ADMIN, or
 * net.ipv4.tcp_allowed_congestion_control). */
int algorithm_check(const char *name, struct error *err);

#endif
