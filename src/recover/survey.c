#include "recover/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/segment.h"
#include "format/spool_record.h"
#include "proto/agent.pb-c.h"
#include "recover/spools.h"

#define RECORDS_MAX 4096 /* of a file: what is looked for stands near its begin */

/* The agent whose spool has the Prepare; NULL: it does not say. */
static const Tcpflowgen__RunAgent *prepared_agent(const Tcpflowgen__PrepareRequest *prepare)
{
    const Tcpflowgen__Run *about = prepare->about;
    for (size_t i = 0; i < prepare->n_agents && i < prepare->n_agent_places; i++)
        if (prepare->agent_places[i] == prepare->agent)
            return prepare->agents[i];
    return about && prepare->agent < about->n_agents ? about->agents[prepare->agent] : NULL;
}

static void take_prepare(struct surveyed *file, const uint8_t *data, size_t size, bool spool)
{
    Tcpflowgen__PrepareRequest *prepare = spool_record_prepared(data, size);
    if (!prepare)
        return;
    const Tcpflowgen__Run *about = prepare->about;
    snprintf(file->run, sizeof file->run, "%s", about ? about->id : prepare->run);
    if (about)
        snprintf(file->label, sizeof file->label, "%s", about->label);
    const Tcpflowgen__RunAgent *own = spool ? prepared_agent(prepare) : NULL;
    if (own)
        snprintf(file->agent, sizeof file->agent, "%s", own->mgmt);
    tcpflowgen__prepare_request__free_unpacked(prepare, NULL);
}

static void survey_file(struct surveyed *file)
{
    struct segment *segment = NULL;
    struct buffer record = {0};
    uint64_t at = 0;
    if (segment_open(&segment, file->path, NULL))
        return;
    for (int i = 0; i < RECORDS_MAX && !(file->run[0] && file->started_unix_ns); i++) {
        struct spool_head head;
        const uint8_t *data;
        size_t size;
        if (segment_read(segment, at, &record, &at, NULL) <= 0)
            break;
        spool_skip_link(&record, &data, &size);
        if (spool_record_head(data, size, &head, NULL))
            continue;
        if (head.kind == SPOOL_PREPARE && !file->run[0])
            take_prepare(file, data, size, data == record.data);
        if (head.kind == SPOOL_AXIS)
            file->started_unix_ns = head.t0_unix_ns;
    }
    buffer_fini(&record);
    segment_close(segment, false);
}

/* Puts those of one run together. */
static void group(struct surveyed *files, size_t count)
{
    for (size_t first = 0; first < count; first++) {
        size_t next = first + 1;
        while (next < count && strcmp(files[next].run, files[first].run) == 0)
            next++;
        for (size_t i = next + 1; i < count; i++) {
            if (strcmp(files[i].run, files[first].run) != 0)
                continue;
            const struct surveyed moved = files[i];
            memmove(&files[next + 1], &files[next], (i - next) * sizeof *files);
            files[next++] = moved;
        }
        first = next - 1;
    }
}

int survey_files(const char *const *paths, size_t count, struct surveyed **out, struct error *err)
{
    struct surveyed *files = calloc(count, sizeof *files);
    if (!files)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        files[i].path = paths[i];
        survey_file(&files[i]);
    }
    group(files, count);
    *out = files;
    return 0;
}

bool survey_is_kept(const char *path)
{
    struct segment *segment = NULL;
    struct buffer record = {0};
    uint64_t next;
    if (segment_open(&segment, path, NULL))
        return false;
    const bool is = segment_read(segment, 0, &record, &next, NULL) > 0;
    buffer_fini(&record);
    segment_close(segment, false);
    return is;
}

/* Also other programs call a file NAME.part. */
static bool is_ours(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    return strncmp(name, "tcp-flowgen-", strlen("tcp-flowgen-")) == 0 || survey_is_kept(path);
}

static void drop_others(char **paths, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (is_ours(paths[i]))
            paths[kept++] = paths[i];
        else
            free(paths[i]);
    }
    for (size_t i = kept; i < *count; i++)
        paths[i] = NULL;
    *count = kept;
}

static int is_kept(const struct dirent *entry)
{
    return fnmatch("tcp-flowgen-*.spool", entry->d_name, 0) == 0 ||
           fnmatch("*.part", entry->d_name, 0) == 0;
}

static bool take_paths(const char *directory, struct dirent **entries, size_t count, char **paths)
{
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        good = asprintf(&paths[i], "%s/%s", directory, entries[i]->d_name) >= 0;
        if (!good)
            paths[i] = NULL;
    }
    return good;
}

int survey_directory(const char *directory, char ***out, size_t *count, struct error *err)
{
    struct dirent **entries;
    const int found = scandir(directory, &entries, is_kept, alphasort);
    if (found < 0)
        return error_set_errno(err, ERROR_INPUT, errno, directory, "it cannot be read");
    *count = found < SURVEY_FILES_MAX ? (size_t)found : SURVEY_FILES_MAX;
    *out = calloc(*count + 1, sizeof(**out));
    const bool good = *out && take_paths(directory, entries, *count, *out);
    for (int i = 0; i < found; i++)
        free(entries[i]);
    free(entries);
    if (good) {
        drop_others(*out, count);
        return 0;
    }
    for (size_t i = 0; *out && i < *count; i++)
        free((*out)[i]);
    free(*out);
    *out = NULL;
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}
