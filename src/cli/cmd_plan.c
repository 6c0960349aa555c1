/* `tcp-flowgen plan`: a scenario checked and resolved, without a run. */
#include <stddef.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/load.h"
#include "cli/say.h"
#include "report/plan_report.h"
#include "util/cleanup.h"

static int run(const union arguments *arguments)
{
    const struct plan_arguments *given = &arguments->plan;
    int status = EXIT_FINE;
    struct said said = {0};
    struct error err = {0};
    struct plan *plan = load_plan(given->scenario, &(struct scenario_overrides){0}, &said);
    if (!plan)
        status = given->json ? said_json(&said, EXIT_USAGE) : EXIT_USAGE;
    else if (!given->json)
        plan_text(plan, stdout);
    else if (plan_json(plan, stdout, &err))
        status = say_error("plan", &err);
    plan_free(plan);
    said_fini(&said);
    return status;
}

#define PLACE(field) offsetof(struct plan_arguments, field)

static const struct option_row rows[] = {
    {"json", 0, false, OPTION_FLAG, NULL, PLACE(json), 0, 0, "print the plan as JSON"},
};

const struct command command_plan = {
    .name = "plan",
    .summary = "check a scenario and show what a run would do",
    .about = "Checks the scenario in the file SCENARIO (- is standard input) and prints it\n"
             "with names, times and defaults resolved.  No agent is asked.\n"
             "\n"
             "Exit status: 0, or 2 when something is wrong with it; all of it is told.\n",
    .operand = "SCENARIO",
    .operand_place = PLACE(scenario),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .run = run,
};
