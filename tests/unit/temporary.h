/* A directory of a test's own.  Should the test be killed, nothing of it stands where it was begun.
 */
#ifndef TESTS_UNIT_TEMPORARY_H
#define TESTS_UNIT_TEMPORARY_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define TEMPORARY_MAX      128
#define TEMPORARY_PATH_MAX 192 /* of what is in it */

/* Makes one in TMPDIR, or in /tmp. */
static inline bool temporary_directory(char out[TEMPORARY_MAX], const char *name)
{
    const char *where = getenv("TMPDIR");
    const int size =
        snprintf(out, TEMPORARY_MAX, "%s/%s.XXXXXX", where && *where ? where : "/tmp", name);
    return size < TEMPORARY_MAX && mkdtemp(out);
}

#endif
