/* `tcp-flowgen recover`: results from the spools that agents left. */
#include <stddef.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/say.h"
#include "recover/recover.h"
#include "report/summary.h"
#include "util/cleanup.h"

static int run(const union arguments *arguments)
{
    const struct recover_arguments *given = &arguments->recover;
    const char *const *spools = (const char *const *)given->spools.words;
    const size_t count = given->spools.count;
    struct recover_outcome outcome;
    char old[OUTPUT_OLD_MAX];
    struct error err = {0};
    if (!given->output) {
        error_set(&err, ERROR_INPUT, NULL, "--output is missing: the results' file");
        return say_error("recover", &err);
    }
    if (output_check(given->output, spools, count, &err))
        return say_error("recover", &err);
    output_old(given->output, old);
    if (recover_run(spools, count, given->output, &outcome, &err))
        return say_error("recover", &err);
    output_tell(given->output, old);
    fprintf(stderr,
            "tcp-flowgen: flows complete: %llu, partial: %llu, failed: %llu; agents whose spools "
            "are missing or have no end: %zu; warnings in the results: %zu\n",
            (unsigned long long)outcome.complete, (unsigned long long)outcome.partial,
            (unsigned long long)outcome.failed, outcome.lost, outcome.warnings);
    return outcome.partial || outcome.failed || outcome.lost ? EXIT_FLOWS : EXIT_FINE;
}

#define PLACE(field) offsetof(struct recover_arguments, field)

static const struct option_row rows[] = {
    {"output", 'o', false, OPTION_TEXT, "FILE", PLACE(output), 1, 0,
     "write the results to FILE; gzip if it ends in\n.gz, - is standard output"},
};

const struct command command_recover = {
    .name = "recover",
    .summary = "make results of spools that agents left",
    .about = "Reads the spools SPOOL of one run, which its agents left because no master took\n"
             "their samples, and writes a result file of what they hold.  The part file of a\n"
             "master that was killed may be one of them.  The spools stay.\n"
             "\n"
             "Exit status: 0 all flows ran to their end, 1 some did not or a spool is missing,\n"
             "2 wrong usage, or no spools of one run.\n",
    .operand = "SPOOL...",
    .operand_place = PLACE(spools),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .run = run,
};
