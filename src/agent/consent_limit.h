/* How much an agent, over all its runs, may ask places that have not proved yet that an agent
 * listens there: what a stranger can make it send to others.  Proofs that succeed soon do not
 * count, as an honest run of many hosts takes thousands.  One caller may ask half of the
 * places at a time; the second half of the failures is for callers who have few, so that nobody
 * uses up what others need.  Any thread. */
#ifndef AGENT_CONSENT_LIMIT_H
#define AGENT_CONSENT_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CONSENT_ASKED_MAX    64  /* at a time */
#define CONSENT_FAILURES_MAX 256 /* within a minute */
#define CONSENT_FEW_FAILURES 8   /* of a caller, for whom the second half of them is kept */
#define CONSENT_CALLER_MAX   64  /* bytes of a caller's key, see rpc_caller */

struct consent_limit {
    pthread_mutex_t lock;
    struct consent_asked {
        bool used;
        char caller[CONSENT_CALLER_MAX];
    } asked[CONSENT_ASKED_MAX];
    struct consent_failure {
        int64_t at_ns; /* 0: none */
        char caller[CONSENT_CALLER_MAX];
    } failures[CONSENT_FAILURES_MAX]; /* a ring */
    unsigned next_failure;
};

/* Initialises one; it needs no end. */
#define CONSENT_LIMIT_NEW                 \
    {                                     \
        .lock = PTHREAD_MUTEX_INITIALIZER \
    }

#define CONSENT_BUSY  (-1) /* too many are asked just now */
#define CONSENT_SPENT (-2) /* too many failed within the last minute */

/* A ticket for asking one place, for consent_limit_give(); or one of the above. */
int consent_limit_take(struct consent_limit *limit, const char *caller, int64_t now_ns);
/* It gave the proof, and soon; or else it failed. */
void consent_limit_give(struct consent_limit *limit, int ticket, bool failed, int64_t now_ns);

#endif
