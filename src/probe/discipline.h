/* How this machine's clocks are kept. */
#ifndef PROBE_DISCIPLINE_H
#define PROBE_DISCIPLINE_H

#include "model/clock_discipline.h"

/* Asks the kernel; needs no privilege.  `known` is false where it does not tell. */
struct clock_discipline discipline_read(void);

#endif
