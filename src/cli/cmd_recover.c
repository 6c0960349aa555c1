/* `tcp-flowgen recover`: results from the spools that agents left. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/results.h"
#include "cli/say.h"
#include "format/results_file.h"
#include "recover/kept_part.h"
#include "recover/recover.h"
#include "recover/survey.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

#define LINE_MAX_SIZE (PATH_MAX + 512)

/* "2026-11-20 17:03:12" */
static char *moment(int64_t unix_ns, char out[32])
{
    const time_t seconds = (time_t)(unix_ns / NS_PER_S);
    struct tm when;
    if (!unix_ns || !localtime_r(&seconds, &when) || !strftime(out, 32, "%F %T", &when))
        snprintf(out, 32, "not known");
    return out;
}

/* A line of the answer, or of what goes with an error. */
__attribute__((format(printf, 2, 3))) static void list_line(bool answer, const char *format, ...)
{
    char line[LINE_MAX_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_tame(line);
    if (answer)
        puts(line);
    else
        log_info("%s", line);
}

/* Which of the files are of which run. */
static void list_runs(const char *const *spools, size_t count, bool answer)
{
    struct surveyed *files = NULL;
    if (survey_files(spools, count, &files, NULL))
        return;
    for (size_t i = 0; i < count; i++) {
        const struct surveyed *file = &files[i];
        char when[32];
        if (i > 0 && strcmp(file->run, files[i - 1].run) == 0)
            ; /* a further file of it */
        else if (!file->run[0])
            list_line(answer, "of no known run:");
        else
            list_line(answer, "run %s, label \"%s\", start %s:", file->run, file->label,
                      moment(file->started_unix_ns, when));
        list_line(answer, "  %s%s%s", file->path, file->agent[0] ? ", of agent " : "", file->agent);
    }
    free(files);
}

static int report(const struct recover_arguments *given, const struct recover_outcome *outcome)
{
    struct error err = {0};
    if (results_file_in_place(given->output)) {
        results_counts(outcome->complete, outcome->partial, outcome->failed);
    } else if (results_summary(&given->output, 1, true, given->json, &err)) {
        say_error("", &err);
        return EXIT_FLOWS;
    }
    const bool whole = !outcome->partial && !outcome->failed && !outcome->lost && !outcome->broken;
    return whole ? EXIT_FINE : EXIT_FLOWS;
}

static int check_options(const struct recover_arguments *given, struct error *err)
{
    for (size_t i = 0; i < given->spools.count; i++)
        if (access(given->spools.words[i], F_OK))
            return error_set_errno(err, ERROR_INPUT, errno, given->spools.words[i],
                                   "it cannot be read");
    if (!given->output)
        return error_set(err, ERROR_INPUT, NULL, "--output is missing: the results' file");
    if (given->json && results_to_stdout(given->output)) {
        error_set(err, ERROR_INPUT, NULL, "--json and --output - both want standard output");
        return error_cure(err, "write the results to a file");
    }
    return output_check(given->output, (const char *const *)given->spools.words,
                        given->spools.count, err);
}

/* A result of a run that lost an agent stands for the part file that its master kept of it. */
static void take_parts(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *part = kept_part_of(paths[i]);
        if (!part)
            continue;
        log_info("for the result %s its run's part file is taken: %s", paths[i], part);
        free(paths[i]);
        paths[i] = part;
    }
}

static void free_paths(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}

static char **copy_paths(char *const *from, size_t count)
{
    char **paths = calloc(count + 1, sizeof *paths);
    bool good = paths != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = (paths[i] = strdup(from[i])) != NULL;
    if (good)
        return paths;
    if (paths)
        free_paths(paths, count);
    return NULL;
}

static int recover_from(const struct recover_arguments *given, const char *const *spools,
                        struct said *said)
{
    const size_t count = given->spools.count;
    struct recover_outcome outcome;
    char old[OUTPUT_OLD_MAX];
    struct error err = {0};
    output_old(given->output, old);
    if (recover_run(spools, count, given->output, &outcome, &err)) {
        const int status = said_error(said, "recover", &err);
        if (outcome.mixed)
            list_runs(spools, count, false);
        return status;
    }
    output_tell(given->output, old);
    said->answered = true;
    return report(given, &outcome);
}

static int recover(const struct recover_arguments *given, struct said *said)
{
    struct error err = {0};
    char **paths = copy_paths(given->spools.words, given->spools.count);
    int status;
    if (!paths)
        error_set(&err, ERROR_SYSTEM, NULL, "out of memory");
    if (!paths || check_options(given, &err)) {
        status = said_error(said, "recover", &err);
    } else {
        take_parts(paths, given->spools.count);
        status = recover_from(given, (const char *const *)paths, said);
    }
    if (paths)
        free_paths(paths, given->spools.count);
    return status;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* What an agent may have left there. */
static int list_directory(const char *directory)
{
    char **paths;
    size_t count;
    struct error err = {0};
    if (survey_directory(directory, &paths, &count, &err))
        return say_error("recover", &err);
    list_runs((const char *const *)paths, count, true);
    if (count == 0)
        list_line(true, "%s has no spools", directory);
    else if (count == SURVEY_FILES_MAX)
        printf("and perhaps others: these are the first %d\n", SURVEY_FILES_MAX);
    free_paths(paths, count);
    return EXIT_FINE;
}

static int run(const union arguments *arguments)
{
    const struct recover_arguments *given = &arguments->recover;
    if (!given->output && !given->json && given->spools.count == 1 &&
        is_directory(given->spools.words[0]))
        return list_directory(given->spools.words[0]);
    struct said said = {0};
    const int status = recover(given, &said);
    return given->json ? said_json(&said, status) : status;
}

#define PLACE(field) offsetof(struct recover_arguments, field)

static const struct option_row rows[] = {
    {"output", 'o', false, OPTION_TEXT, "FILE", PLACE(output), 1, 0,
     "write the results to FILE; gzip if it ends in\n.gz, - is standard output"},
    {"json", 0, false, OPTION_FLAG, NULL, PLACE(json), 0, 0, "print the summary as JSON"},
};

const struct command command_recover = {
    .name = "recover",
    .summary = "make results of spools that agents left",
    .about = "Reads the spools SPOOL of one run, which its agents left because no master took\n"
             "their samples, writes a result file of what they hold, and prints a summary.\n"
             "The part file of a master that was killed, or that lost an agent, may be one of\n"
             "them, or in its place the result beside which it lies.  The spools stay.\n"
             "Of a directory, without --output, it lists the spools there by their runs.\n"
             "\n"
             "Exit status: 0 all flows ran to their end, 1 some did not, or a spool is\n"
             "missing or has broken records, 2 wrong usage, or no spools of one run.\n",
    .operand = "SPOOL...",
    .operand_place = PLACE(spools),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .run = run,
};
