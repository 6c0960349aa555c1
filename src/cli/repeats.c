#include "cli/repeats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exit_status.h"
#include "cli/output.h"
#include "util/log.h"

/* ---- names ---- */

/* Where the last extension begins in name[0..size); a dot in front is none. */
static size_t extension(const char *name, size_t size)
{
    for (size_t i = size; i > 1; i--)
        if (name[i - 1] == '.')
            return i - 1;
    return size;
}

char *repeats_path(const char *output, uint32_t number)
{
    const char *slash = strrchr(output, '/');
    const char *name = slash ? slash + 1 : output;
    size_t stem = extension(name, strlen(name));
    if (strcmp(name + stem, ".gz") == 0)
        stem = extension(name, stem);
    char *path = NULL;
    int size = (int)(name - output + (ptrdiff_t)stem);
    return asprintf(&path, "%.*s-%u%s", size, output, number, name + stem) < 0 ? NULL : path;
}

/* ---- files ---- */

/* What is under way. */
struct progress {
    const struct repeats *repeats;
    struct repeats_outcome *outcome;
    struct master *master;
    char *path;                    /* of the file that is written; NULL: none */
    struct results_writer *writer; /* NULL: none */
    size_t in_file;                /* runs of which all was written */
    bool interrupted;
};

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

static int name_file(struct progress *progress, uint32_t number, struct error *err)
{
    const struct repeats *repeats = progress->repeats;
    if (!progress->path)
        progress->path =
            repeats->separate ? repeats_path(repeats->output, number) : strdup(repeats->output);
    return progress->path ? 0 : no_memory(err);
}

static int keep_name(struct repeats_outcome *outcome, const char *path, struct error *err)
{
    char **files = reallocarray(outcome->files, outcome->file_count + 1, sizeof(*files));
    if (!files)
        return no_memory(err);
    outcome->files = files;
    files[outcome->file_count] = strdup(path);
    if (!files[outcome->file_count])
        return no_memory(err);
    outcome->file_count++;
    return 0;
}

static int publish_file(struct progress *progress, struct error *err)
{
    char old[OUTPUT_OLD_MAX];
    output_old(progress->path, old);
    int failed = results_writer_close(progress->writer, err);
    if (failed)
        return failed;
    if (progress->repeats->tell_replaced)
        output_tell(progress->path, old);
    return keep_name(progress->outcome, progress->path, err);
}

/* A file without a run does not come to be. */
static int close_file(struct progress *progress, struct error *err)
{
    int failed = 0;
    if (progress->in_file == 0)
        results_writer_abort(progress->writer);
    else
        failed = publish_file(progress, err);
    free(progress->path);
    progress->path = NULL;
    progress->writer = NULL;
    progress->in_file = 0;
    return failed;
}

/* ---- runs ---- */

static int run_one(struct progress *progress, uint32_t number, struct error *err)
{
    const struct repeats *repeats = progress->repeats;
    struct error_list problems = {0};
    struct master_outcome run = {0};
    int failed = name_file(progress, number, err);
    if (failed)
        return failed;
    const struct master_repeat repeat = {
        .number = number,
        .of = repeats->count,
        .seed = repeats->seed,
        .warmup_ns = repeats->warmup_ns,
        .output = progress->path,
        .results = &progress->writer,
    };
    failed = master_run(progress->master, &repeat, &run, &problems, err);
    say_each(progress->repeats->said, "", &problems);
    progress->interrupted = run.interrupted;
    progress->in_file += run.wrote_result;
    progress->outcome->written += run.wrote_result;
    progress->outcome->complete += run.complete;
    progress->outcome->partial += run.partial;
    progress->outcome->failed += run.failed;
    progress->outcome->troubled |= run.troubled;
    return failed;
}

static int run_all(struct progress *progress, struct error *err)
{
    const struct repeats *repeats = progress->repeats;
    int failed = 0;
    for (uint32_t number = 1; number <= repeats->count && !failed && !progress->interrupted;
         number++) {
        if (number > 1 && !master_pause(progress->master, repeats->pause_ns)) {
            progress->interrupted = true;
            break;
        }
        failed = run_one(progress, number, err);
        if (!failed && repeats->separate)
            failed = close_file(progress, err);
    }
    return failed;
}

/* What was written before a failure or an interrupt is kept. */
static int conclude(struct progress *progress, int failed, const struct error *err)
{
    const struct repeats_outcome *outcome = progress->outcome;
    struct error unwritten = {0};
    int status = failed ? said_error(progress->repeats->said, "", err) : EXIT_FINE;
    if (close_file(progress, &unwritten)) {
        failed = unwritten.code;
        status = said_error(progress->repeats->said, "", &unwritten);
    }
    if (failed)
        return status;
    if (progress->repeats->shutdown_agents)
        master_shutdown_agents(progress->master);
    if (progress->interrupted) {
        if (progress->repeats->count > 1)
            log_warning("interrupted: %zu of %u runs are in the results", outcome->written,
                        progress->repeats->count);
        return EXIT_INTERRUPTED;
    }
    return outcome->partial || outcome->failed || outcome->troubled ? EXIT_FLOWS : EXIT_FINE;
}

int repeats_run(const struct repeats *repeats, struct repeats_outcome *outcome)
{
    struct progress progress = {.repeats = repeats, .outcome = outcome};
    struct error err = {0};
    *outcome = (struct repeats_outcome){0};
    int failed = master_create(&progress.master, repeats->plan, &repeats->master, &err);
    if (!failed)
        failed = run_all(&progress, &err);
    int status = conclude(&progress, failed, &err);
    master_destroy(progress.master);
    return status;
}

void repeats_outcome_fini(struct repeats_outcome *outcome)
{
    for (size_t i = 0; i < outcome->file_count; i++)
        free(outcome->files[i]);
    free(outcome->files);
    *outcome = (struct repeats_outcome){0};
}
