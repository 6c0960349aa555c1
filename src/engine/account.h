/* An end's readings: what had been counted for it when it began, stopped and closed, for its
 * report; and the times that only the engine knows.  In the thread of the end's worker. */
#ifndef ENGINE_ACCOUNT_H
#define ENGINE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/sample.h"

struct end;

/* What a source that waits for its socket waits for. */
enum wait_kind {
    WAIT_NETWORK, /* data waits to be sent */
    WAIT_BUFFER,  /* all is under way, and the send buffer is full of it */
    WAIT_NOTHING, /* all is under way, and there is room: the source was not woken, or comes late */
    WAIT_KINDS
};

/* "since": 0 when it is not so. */
struct time_account {
    int64_t rest_since_ns, rest_ns; /* the traffic model has nothing to send */
    int64_t wait_since_ns;
    int64_t waited_ns[WAIT_KINDS];
    enum wait_kind after, before; /* a write, as it was when it was last asked */
    int64_t asked_after_ns, asked_before_ns;
    int64_t silent_ns; /* no data had been sent for so long, at asked_before_ns */
    int segment;       /* bytes of a full one */
};

/* Takes the reading READ_BEGIN, READ_STOP or READ_CLOSE, the kernel's figures from a sample that
 * was taken just now. */
void account_take(struct end *end, int which, const struct sample *sample);

/* The source wrote, and waits for its socket; is about to write again.  (tcpi_sndbuf_limited does
 * not tell enough: the kernel looks only in the moments in which it sends, after a write that was
 * cut.)  A socket that would take more wakes the source at once: such a wait is nothing. */
void account_wait(struct end *end);
void account_wake(struct end *end);
/* The source has nothing to send by its traffic model, from now on; has again.  What stays in the
 * send buffer does not matter. */
void account_rest(struct end *end);
void account_resume(struct end *end);

/* Received in order, and not read (SIOCINQ; no FIN in it). */
uint64_t account_unread(int fd);

#endif
