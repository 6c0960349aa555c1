/* Look-ups of hosts' names for callers that may be strangers: a name server that does not answer
 * holds up nobody but who asked, and him for a while only.
 *
 * getaddrinfo() cannot be called off.  So each look-up of a name has a thread of its own, which is
 * left to itself when nobody waits for it any more; there are so many at most, in all and for one
 * caller.  Any thread; names_find() waits. */
#ifndef AGENT_NAMES_H
#define AGENT_NAMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

#define LOOK_UPS_MAX      64 /* at once, those that were left to themselves included */
#define LOOK_UPS_A_CALLER 8

struct addrinfo;
struct names; /* opaque */

/* On whose behalf names are looked up. */
struct names_caller {
    struct names *names;
    char key[64];     /* equal for callers that share limits */
    int64_t until_ns; /* when waiting is of no use any more */
    atomic_bool gone;
};

/* look_up is host_lookup(), but in tests. */
int names_create(struct names **out,
                 int (*look_up)(const char *host, int flags, struct addrinfo **out),
                 struct error *err);

/* A host_finder: caller is a struct names_caller. */
const char *names_find(void *caller, const char *host, struct addrinfo **out);

/* Nobody waits for its look-ups any more. */
void names_cancel(struct names_caller *caller);

/* When no caller is left.  NULL is fine. */
void names_release(struct names *names);

#endif
