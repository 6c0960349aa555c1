/* Hello: asks every agent who it is and whether it can serve what the plan wants of it. */
#ifndef MASTER_HELLO_H
#define MASTER_HELLO_H

#include "master/session.h"

/* Fills agents and hosts of the session.  Problems are added to it. */
void hello_all(struct session *session);

#endif
