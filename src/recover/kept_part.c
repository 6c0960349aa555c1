#include "recover/kept_part.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/results_reader.h"
#include "recover/survey.h"
#include "util/cleanup.h"

/* An id comes from a file, and is to be part of a path. */
static bool is_plain(const char *id)
{
    return *id && strspn(id, "0123456789abcdef") == strlen(id);
}

static char *part_beside(const char *path, const char *id)
{
    CLEANUP_FREE char *copy = strdup(path);
    char *part = NULL;
    if (!copy || asprintf(&part, "%s/tcp-flowgen-%s.part", dirname(copy), id) < 0)
        return NULL;
    if (access(part, F_OK) == 0)
        return part;
    free(part);
    return NULL;
}

char *kept_part_of(const char *path)
{
    struct results_reader *reader = NULL;
    const struct results_record *record;
    struct error err;
    char *part = NULL;
    if (survey_is_kept(path) || results_reader_open(&reader, path, &err))
        return NULL;
    while (!part && results_reader_next(reader, &record, &err) > 0)
        if (record->run && record->run->id && is_plain(record->run->id))
            part = part_beside(path, record->run->id);
    results_reader_close(reader);
    return part;
}
