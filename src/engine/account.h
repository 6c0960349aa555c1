/* An end's readings: what had been counted for it when it began, stopped and closed, for its
 * report; and the times that only the engine knows.  In the thread of the end's worker. */
#ifndef ENGINE_ACCOUNT_H
#define ENGINE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/queue_watch.h"
#include "model/sample.h"

struct end;

/* What a source that waits, waits for. */
enum wait_kind {
    WAIT_NETWORK, /* data waits to be sent */
    WAIT_BUFFER,  /* all is under way, and the send buffer is full of it */
    WAIT_NOTHING, /* all is under way, and there is room: the source was not woken, or comes late */
    WAIT_KINDS
};

struct time_account {
    int64_t wait_since_ns; /* 0: it does not wait */
    int64_t rest_until_ns; /* it waits for that moment; 0: for its socket */
    int64_t waited_ns[WAIT_KINDS];
    int64_t rest_ns, overslept_ns; /* as in struct reading */
    enum wait_kind after, before;  /* a write, as it was when it was last asked */
    int64_t asked_after_ns, asked_before_ns;
    int64_t silent_ns;    /* no data had been sent for so long, at asked_before_ns */
    int segment;          /* bytes of a full one */
    uint32_t send_buffer; /* SO_SNDBUF, when it was last asked */
    struct queue_watch queue;
};

/* Takes the reading READ_BEGIN, READ_STOP or READ_CLOSE, the kernel's figures from a sample that
 * was taken just now. */
void account_take(struct end *end, int which, const struct sample *sample);

/* The source wrote, and waits for its socket; is about to write again.  (tcpi_sndbuf_limited does
 * not tell enough: the kernel looks only in the moments in which it sends, after a write that was
 * cut.)  A socket that would take more wakes the source at once: such a wait is nothing. */
void account_wait(struct end *end);
void account_wake(struct end *end);
/* The wait is for that moment, in which the traffic model has something to send (INT64_MAX: never
 * again); there is no such moment any more.  While data of it is still unsent, the wait is the
 * network's all the same. */
void account_rest(struct end *end, int64_t until_ns);
void account_resume(struct end *end);
/* A sample of a source is there: what fills the peer's window? */
void account_look(struct end *end, const struct sample *sample);

/* Received in order, and not read (SIOCINQ; no FIN in it). */
uint64_t account_unread(int fd);

#endif
