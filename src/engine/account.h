/* An end's readings: what had been counted for it when it began, stopped and closed, for its
 * report.  In the thread of the end's worker. */
#ifndef ENGINE_ACCOUNT_H
#define ENGINE_ACCOUNT_H

#include <stdint.h>

#include "model/sample.h"

struct end;

/* Takes the reading READ_BEGIN, READ_STOP or READ_CLOSE, the kernel's figures from a sample that
 * was taken just now. */
void account_take(struct end *end, int which, const struct sample *sample);
/* The source has nothing to send by its traffic model, from now on; has again.  What stays in the
 * send buffer does not matter. */
void account_rest(struct end *end, int64_t now_ns);
void account_resume(struct end *end, int64_t now_ns);
/* Received in order, and not read (SIOCINQ; no FIN in it). */
uint64_t account_unread(int fd);

#endif
