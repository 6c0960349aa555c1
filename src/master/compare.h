/* Settings that differ between the machines of agents that have flows. */
#ifndef MASTER_COMPARE_H
#define MASTER_COMPARE_H

#include "master/session.h"

/* Adds a warning to the run for each setting that differs, with the values; returns how many there
 * are. */
size_t compare_machines(struct session *session);

#endif
