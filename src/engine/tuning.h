/* Sets what a socket's end is tuned by, and reads back what the kernel made of it. */
#ifndef ENGINE_TUNING_H
#define ENGINE_TUNING_H

#include <stdbool.h>
#include <stdint.h>

#include "model/flow.h"
#include "model/sample.h"
#include "util/error.h"

/* What the handshake fixes, so that a listening socket must have it: the window's scale and the
 * MSS that is announced. */
struct handshake {
    uint32_t receive_buffer, mss; /* bytes; 0: the kernel's own */
};

struct handshake tuning_handshake(const struct end_spec *spec);
bool handshake_equal(const struct handshake *a, const struct handshake *b);

/* 0; or ERROR_FLOW with a cure where the kernel refuses or cuts a value: buffers larger than
 * net.core.rmem_max and wmem_max take CAP_NET_ADMIN. */
int tuning_set_handshake(int fd, const struct handshake *handshake, struct error *err);
/* All of it, on a socket before it connects or after it was accepted. */
int tuning_set(int fd, const struct end_spec *spec, struct error *err);
/* Tries all of it, and adds each value that tuning_set() would stop at. */
void tuning_check(int fd, const struct end_spec *spec, char problems[PROBLEMS_MAX]);

/* Buffers, pacing rate and MSS of a connection, of which this is the last sample.  What cannot be
 * read is 0. */
void tuning_read_back(int fd, const struct sample *last, struct end_report *report);

#endif
