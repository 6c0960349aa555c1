/* Consent before traffic: a run's ends connect only where an agent of the run has proved that it
 * listens (engine/proof.h).  Each way to a place (own address, device, peer's address, port) is
 * asked once in a run. */
#ifndef AGENT_CONSENT_H
#define AGENT_CONSENT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/consent_limit.h"
#include "model/flow.h"
#include "util/error.h"

struct consent;       /* of one run */
struct consent_place; /* opaque: one way to a place */

/* limit is the agent's; caller the run's, who shares it with others of the same key. */
int consent_create(struct consent **out, struct consent_limit *limit, const char *caller,
                   const uint8_t flow_key[FLOW_KEY_SIZE], struct error *err);
void consent_destroy(struct consent *consent); /* NULL is fine */

/* Asks, many places at a time, for opening ends with a port.  An end that may not connect loses its
 * port, so that it is only checked, and has its place in denied[], for consent_explain(); the
 * others NULL.  May take long: not in the main thread.  0, or ERROR_SYSTEM. */
int consent_ask(struct consent *consent, struct end_spec *specs, size_t count,
                const struct consent_place **denied, struct error *err);
/* Adds why the place was denied to what is known to be wrong with an end.  Whether a port there is
 * closed, or open and another program's, is told in the log alone, as the agent would be a port
 * scanner for its callers; but to users of this machine, who may look themselves. */
void consent_explain(const struct consent *consent, const struct consent_place *place,
                     char problems[PROBLEMS_MAX]);
/* The caller is a user of this machine. */
void consent_be_frank(struct consent *consent);

/* Any thread: nobody waits for the answers any more, so consent_ask() returns soon, until
 * consent_resume(). */
void consent_cancel(struct consent *consent);
void consent_resume(struct consent *consent);

#endif
