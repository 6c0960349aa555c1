#include "cli/temporary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int temporary_create(struct temporary *temporary, struct error *err)
{
    const char *parent = getenv("TMPDIR");
    if (!parent || !*parent)
        parent = "/var/tmp";
    int size = snprintf(temporary->directory, sizeof temporary->directory, "%s/tcp-flowgen-XXXXXX",
                        parent);
    if ((size_t)size >= sizeof temporary->directory - sizeof "/results")
        return error_set(err, ERROR_SYSTEM, "$TMPDIR", "the path is too long");
    if (!mkdtemp(temporary->directory)) {
        error_set_errno(err, ERROR_SYSTEM, errno, parent, "cannot make a directory");
        return error_cure(err, "set TMPDIR, or name a file with --output");
    }
    /* The check above leaves room for it. */
    if (snprintf(temporary->file, sizeof temporary->file, "%s/results", temporary->directory) < 0)
        return error_set(err, ERROR_SYSTEM, NULL, "cannot build a path");
    return 0;
}

void temporary_remove(const struct temporary *temporary)
{
    unlink(temporary->file);
    rmdir(temporary->directory);
}
