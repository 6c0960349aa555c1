/* Who did what to the runs of this agent, for its log: one line an event.  Main thread.
 *
 * No secrets are told, and a stranger's text only as printable characters. */
#ifndef AGENT_AUDIT_H
#define AGENT_AUDIT_H

#include <stdint.h>

#include "rpc/rpc.h"

/* What was told lately: only so many are told one by one, the others by their number.
 * Zero-initialised is none. */
struct audit_window {
    int64_t since_ns;
    unsigned told;
    uint64_t untold;
};

struct audit {
    struct audit_window done, refused;
};

/* "run ID: DONE by CALLER". */
void audit_done(struct audit *audit, struct rpc_call *call, const char *run, const char *done);

/* "refused to CALLER: WHAT of run ID: WHY"; what is a call's name, run as the caller said it. */
void audit_refused(struct audit *audit, struct rpc_call *call, const char *what, const char *run,
                   const char *why);

/* Tells the number of those that were not told. */
void audit_fini(struct audit *audit);

#endif
