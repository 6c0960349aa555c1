/* Who took part in a run, put together from what each spool says: hosts and agents have places
 * among all of the run, and a spool has but those that its own ends name. */
#ifndef RECOVER_PARTIES_H
#define RECOVER_PARTIES_H

#include "proto/agent.pb-c.h"
#include "recover/spools.h"

/* Adds those that a Prepare names; of their clocks only the master knows.  0, or ERROR_SYSTEM. */
int parties_take(struct recovered *r, const Tcpflowgen__PrepareRequest *prepare, bool of_master,
                 struct error *err);

/* When all files were read: hosts that no file names have no place any more, and agents that none
 * does are told as unknown.  0, or ERROR_SYSTEM. */
int parties_settle(struct recovered *r, struct error *err);

#endif
