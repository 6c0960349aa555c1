/* A place for results that nobody asked to keep. */
#ifndef CLI_TEMPORARY_H
#define CLI_TEMPORARY_H

#include <limits.h>

#include "util/error.h"

struct temporary {
    char directory[PATH_MAX];
    char file[PATH_MAX]; /* does not exist yet */
};

/* Makes a directory of its own under $TMPDIR or /var/tmp.  0, or ERROR_SYSTEM. */
int temporary_create(struct temporary *temporary, struct error *err);
/* Removes the file and the directory, but nothing else that was left there. */
void temporary_remove(const struct temporary *temporary);

#endif
