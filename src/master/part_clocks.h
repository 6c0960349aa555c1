/* What the master found of the agents' clocks, kept in its part file for `tcp-flowgen recover`. */
#ifndef MASTER_PART_CLOCKS_H
#define MASTER_PART_CLOCKS_H

#include "master/session.h"

/* After the last exchange.  0, or ERROR_SYSTEM. */
int part_clocks_keep(struct session *session, struct error *err);

#endif
