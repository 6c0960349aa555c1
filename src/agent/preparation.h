/* A PrepareRequest as the engine wants it, and the engine's answers as a PrepareReply. */
#ifndef AGENT_PREPARATION_H
#define AGENT_PREPARATION_H

#include <stddef.h>

#include "engine/engine.h"
#include "model/flow.h"
#include "proto/agent.pb-c.h"
#include "util/error.h"

struct preparation {
    size_t count;
    size_t refused; /* their answers stand behind those of the count */
    struct end_spec *specs;
    struct end_ready *answers; /* for the engine to fill */
    Tcpflowgen__PrepareReply reply;
    Tcpflowgen__EndReady *messages;
    Tcpflowgen__EndReady **pointers;
};

/* Checks and takes the ends over.  0, or an error; preparation_fini() in either case. */
int preparation_init(struct preparation *p, const Tcpflowgen__PrepareRequest *request,
                     struct error *err);

/* Takes out the ends that may(arg, ...) refuses: their answers say why.  p->count ends are left. */
void preparation_sift(struct preparation *p,
                      int (*may)(void *arg, const struct end_spec *spec, struct error *err),
                      void *arg);

/* The answers as a message, which lives as long as p. */
Tcpflowgen__PrepareReply *preparation_reply(struct preparation *p, int64_t interval_ns);

void preparation_fini(struct preparation *p); /* a zeroed one is fine */

#endif
