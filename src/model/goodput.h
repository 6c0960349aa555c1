/* Rates from counts: of payload, by the time that really passed, whatever interval was meant. */
#ifndef MODEL_GOODPUT_H
#define MODEL_GOODPUT_H

#include <stdint.h>

/* bit/s of bytes that were counted from one moment to another, ns on one clock.  -1: no time passed
 * between them. */
double goodput_between(uint64_t bytes, int64_t from_ns, int64_t to_ns);

#endif
