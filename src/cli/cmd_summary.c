/* `tcp-flowgen summary`: the figures of a result file. */
#include <stddef.h>
#include <stdio.h>

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
    int status = EXIT_FINE;
    if (summary_load(&summary, given->results, &err))
        return say_error(given->results, &err);
    if (!given->json) {
        summary_text(&summary, stdout, 0);
    } else if (summary_json(&summary, stdout)) {
        error_set(&err, ERROR_SYSTEM, NULL, "cannot write the summary");
        status = say_error("summary", &err);
    }
    summary_fini(&summary);
    return status;
}

#define PLACE(field) offsetof(struct summary_arguments, field)

static const struct option_row rows[] = {
    {"json", 0, false, OPTION_FLAG, NULL, PLACE(json), 0, 0, "print the summary as JSON"},
};

const struct command command_summary = {
    .name = "summary",
    .summary = "summarise a result file",
    .about = "Prints the figures of the result file RESULTS (- is standard input), which may\n"
             "be gzipped.\n",
    .operand = "RESULTS",
    .operand_place = PLACE(results),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .run = run,
};
