/* An agent is called by the scenario's hosts that it serves: "A", "A and B", "A, B and 3 more". */
#ifndef MODEL_HOST_NAMES_H
#define MODEL_HOST_NAMES_H

#include <stddef.h>

#include "model/result.h"

#define HOST_NAMES_MAX 96 /* bytes */

struct host_names {
    const char *first[2]; /* the caller's */
    size_t count;         /* all hosts; zero-initialised there are none */
};

void host_names_add(struct host_names *names, const char *name);

/* "" if there are none.  Names are cut where they are very long.  Returns out. */
char *host_names_text(const struct host_names *names, char out[HOST_NAMES_MAX]);

/* How texts on the run call its agent: by its hosts, or "agent 10.0.0.1:8840" where none is known.
 * Returns out. */
char *host_names_of_agent(const struct run_info *run, size_t agent, char out[HOST_NAMES_MAX]);

#endif
