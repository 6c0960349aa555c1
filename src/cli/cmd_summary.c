/* `tcp-flowgen summary`: the figures of result files. */
#include <stddef.h>
#include <stdio.h>

#include "cli/bounds.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/say.h"
#include "report/summary.h"
#include "util/cleanup.h"

static int run(const union arguments *arguments)
{
    const struct summary_arguments *given = &arguments->summary;
    struct summary summary = {0};
    struct error err = {0};
    const struct operands *results = &given->results;
    struct said said = {0};
    if (summary_load(&summary, (const char *const *)results->words, results->count,
                     given->warmup_ns, &err)) {
        const int status =
            said_error(&said, results->count == 1 ? results->words[0] : "summary", &err);
        return given->json ? said_json(&said, status) : status;
    }
    int status = summary.damaged ? EXIT_FLOWS : EXIT_FINE;
    int failed = given->pool ? summary_pool(&summary, &err) : 0;
    if (!failed && given->json)
        failed = summary_json(&summary, stdout, &err);
    else if (!failed)
        summary_text(&summary, stdout, 0, "");
    if (failed)
        status = say_error("summary", &err);
    summary_fini(&summary);
    return status;
}

#define PLACE(field) offsetof(struct summary_arguments, field)

static const struct option_row rows[] = {
    {"warmup", 0, false, OPTION_DURATION, "DUR", PLACE(warmup_ns), 0, CLI_WARMUP_MAX_NS,
     "leave the first part of each flow out of the\nfigures (default: as the run says)"},
    {"pool", 0, false, OPTION_FLAG, NULL, PLACE(pool), 0, 0,
     "join runs that were made under different\nconditions: scenario, label, machines"},
    {"json", 0, false, OPTION_FLAG, NULL, PLACE(json), 0, 0, "print the summary as JSON"},
};

const struct command command_summary = {
    .name = "summary",
    .summary = "summarise result files",
    .about = "Prints the figures of the result files RESULTS (- is standard input), which may\n"
             "be gzipped.  Of several runs, in one file or several, it prints medians and\n"
             "spreads, flow by flow.  Runs whose scenario, label or machines differ are sets\n"
             "of their own.\n"
             "\n"
             "Exit status: 0, 1 where a file is cut or damaged and the summary is of what\n"
             "could be read, 2 when it is no result.\n",
    .operand = "RESULTS...",
    .operand_place = PLACE(results),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .defaults.summary = {.warmup_ns = -1},
    .run = run,
};
