/* Picks each flow's addresses out of those that the agents said their hosts have. */
#ifndef MASTER_ADDRESSES_H
#define MASTER_ADDRESSES_H

#include "master/session.h"

/* Problems are added to the session. */
void addresses_settle(struct session *session);

#endif
