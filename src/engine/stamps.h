/* When the kernel let a source's first byte of payload out, and when that was acknowledged: its own
 * stamps (SO_TIMESTAMPING), which no program that is late can delay.  They are asked for with one
 * byte of a flow, and come by the socket's error queue.  In the thread of the end's worker. */
#ifndef ENGINE_STAMPS_H
#define ENGINE_STAMPS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "util/bracket.h"

struct end;

struct stamps {
    bool awaited;
    struct clock_bracket before; /* stamps are of the wall clock */
};

/* The end is about to send its first payload. */
void stamps_begin(struct end *end);
/* As sendmsg(), the last byte to be stamped. */
ssize_t stamps_send(const struct end *end, struct msghdr *message, int flags);
/* Takes what there is into the report: T_FIRST_LEFT, T_FIRST_ACKED.  False: the error queue is
 * empty. */
bool stamps_take(struct end *end);

#endif
