/* `tcp-flowgen schema`: what a scenario may say, as the program itself has it. */
#include <stddef.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/say.h"
#include "format/scenario_schema.h"
#include "util/cleanup.h"

static int run(const union arguments *arguments)
{
    struct error err = {0};

    if (arguments->schema.markdown)
        scenario_schema_markdown(stdout);
    else if (scenario_schema_json(stdout, &err))
        return say_error("schema", &err);
    return EXIT_FINE;
}

#define PLACE(field) offsetof(struct schema_arguments, field)

static const struct option_row rows[] = {
    {"markdown", 0, false, OPTION_FLAG, NULL, PLACE(markdown), 0, 0,
     "print tables for people instead"},
};

const struct command command_schema = {
    .name = "schema",
    .summary = "print the keys of a scenario, as a JSON Schema",
    .about = "Prints the JSON Schema (draft 2020-12) of a scenario, with which editors\n"
             "complete and check its keys: {\"$schema\": \"scenario.schema.json\", ...}.\n",
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .run = run,
};
