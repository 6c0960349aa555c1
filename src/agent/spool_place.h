/* Where an agent keeps its spools, and how much of that disk they may take.
 *
 * A spool stays until its run was collected and forgotten, so spools of one caller could take all
 * the room.  Therefore a part of what is left is kept for others: a caller's spools may take no
 * more than three quarters of what they have and what is left, or all of it but 10 GB.  So each
 * caller leaves some to the next, however many there are, and no spool has to go.  A spool's name
 * tells whose it is, so that a count needs no look into it, and those of earlier agents count too.
 * What other users of the machine put beside them does not: files count that are this user's. */
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

/* Whether users beside this one and root may put files there, and so fill its disk at least. */
bool spool_place_is_shared(const char *directory);

#define SPOOL_CALLER_MAX 64   /* bytes of a caller's key, see rpc_caller */
#define SPOOLS_MAX       4096 /* that stand there */

/* Whether it takes a spool more of the caller's: the disk has room for its bytes (see below), and
 * for files, and there are not too many.  0, or ERROR_INPUT or ERROR_AGENT. */
int spool_place_admit(const struct agent_options *agent, const char *caller, struct error *err);

/* The path of a run's spool in that directory.  0, or ERROR_SYSTEM. */
int spool_place_path(const char *directory, const char *run, const char *caller,
                     char path[SPOOL_PLACE_MAX], struct error *err);

/* The spools of this user there, of runs that go on or are long over; of more entries than those
 * the directory is not looked at. */
struct spool_stock {
    uint64_t spools, bytes;         /* that they take of the disk */
    uint64_t own_spools, own_bytes; /* of them of the caller; NULL: nobody */
    bool cut;                       /* there may be others */
};
struct spool_stock spool_place_stock(const char *directory, const char *caller,
                                     uint64_t entries_max);

/* What spools may take. */
struct spool_bounds {
    const char *directory;
    uint64_t max;                  /* bytes of all in the directory; 0: half of its disk */
    char caller[SPOOL_CALLER_MAX]; /* whose spool it is */
};
struct spool_bounds spool_place_bounds(const struct agent_options *agent, const char *caller);

/* Bytes that the caller's spools may still take there: the disk must keep 5 % free, 10 GB at most,
 * and others their part.  What bounds them, and the cure, is in err (ERROR_AGENT), for a caller who
 * needs more. */
uint64_t spool_place_room(const struct spool_bounds *bounds, struct error *err);

#endif
