/* Which runs some files are of, found out without reading them whole. */
#ifndef RECOVER_SURVEY_H
#define RECOVER_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

struct surveyed {
    const char *path;        /* the caller's */
    char run[65];            /* id; empty: the file does not say */
    char label[128];         /* of the run, cut; may be empty */
    char agent[128];         /* its mgmt; empty: a master's part file, or it does not say */
    int64_t started_unix_ns; /* wall clock of the master at t0; 0: not known, or never started */
};

/* Whether the file begins as spools and part files do. */
bool survey_is_kept(const char *path);

/* *out has count entries, sorted by run in the order of their first files; to be freed.  What
 * cannot be read has an entry without a run.  0, or ERROR_SYSTEM: out of memory. */
int survey_files(const char *const *paths, size_t count, struct surveyed **out, struct error *err);

/* The paths of the spools, and of the part files of masters (OUTPUT.part, where one was killed), in
 * a directory; so many at most, of those that are there.  The array and its texts are to be freed.
 * 0, or ERROR_INPUT or ERROR_SYSTEM. */
#define SURVEY_FILES_MAX 4096
int survey_directory(const char *directory, char ***out, size_t *count, struct error *err);

#endif
