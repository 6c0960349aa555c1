/* Where an agent keeps its spools, and how much of that disk they may take. */
#ifndef AGENT_SPOOL_PLACE_H
#define AGENT_SPOOL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/agent.h"
#include "util/error.h"

#define SPOOL_PLACE_MAX 4096 /* bytes of its path */

/* The directory: the one that was asked for, or that systemd made (STATE_DIRECTORY), as it is; else
 * one of its own, which is made (mode 0700) and must be this user's alone: /var/lib/tcp-flowgen for
 * root, $XDG_STATE_HOME/tcp-flowgen or ~/.local/state/tcp-flowgen for others, and
 * /var/tmp/tcp-flowgen-UID where that cannot be made.  0, or ERROR_INPUT. */
int spool_place_settle(const char *asked_for, char path[SPOOL_PLACE_MAX], struct error *err);

/* 0, or ERROR_INPUT if no file can be made in the agent's settled directory. */
int spool_place_check(const struct agent_options *agent, struct error *err);

/* Whether it takes a spool more: the disk has room for its bytes (see below), and for files.  0, or
 * ERROR_INPUT or ERROR_AGENT. */
int spool_place_admit(const struct agent_options *agent, struct error *err);

/* The spools there, whose ever; of more entries than those the directory is not looked at. */
struct spool_stock {
    uint64_t spools, bytes;
    bool cut; /* there may be others */
};
struct spool_stock spool_place_stock(const char *directory, uint64_t entries_max);

/* What spools may take. */
struct spool_bounds {
    const char *directory;
    uint64_t max; /* bytes of all in the directory, also of runs long over; 0: any */
};
struct spool_bounds spool_place_bounds(const struct agent_options *agent);

/* Bytes that spools may still take there: the disk must keep 5 % free, 10 GB at most.  What bounds
 * them, and the cure, is in err (ERROR_AGENT), for a caller who needs more. */
uint64_t spool_place_room(const struct spool_bounds *bounds, struct error *err);

#endif
