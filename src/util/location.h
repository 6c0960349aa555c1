/* Where a process is: machine and network namespace.  A namespace's number alone is unique only on
 * its machine, until that is booted anew. */
#ifndef UTIL_LOCATION_H
#define UTIL_LOCATION_H

struct location {
    char boot[64], netns[32]; /* empty: not known */
};

void location_here(struct location *out);

#endif
