/* The kernel's figures of one socket, and when they were true. */
#ifndef ENGINE_SAMPLE_READ_H
#define ENGINE_SAMPLE_READ_H

#include <stdint.h>

#include "model/sample.h"

/* Reads TCP_INFO and TCP_CC_INFO of a socket that the calling thread owns (from another it would
 * wait for the socket's lock, for milliseconds while data moves).  t_ns is at most 100 us later
 * than TCP_INFO's values, unless the thread was held up three times in a row. */
void sample_read(int fd, struct sample *sample);
/* TCP_INFO alone, once.  Returns how long it took: the values are of some moment in that time
 * before t_ns. */
int64_t sample_read_info(int fd, struct sample *sample);

#endif
