/* `tcp-flowgen check`: the preflight against live agents, without a run. */
#include <stddef.h>
#include <stdio.h>

#include "cli/bounds.h"
#include "cli/clock_network.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/load.h"
#include "cli/say.h"
#include "cli/temporary.h"
#include "master/master.h"
#include "util/cleanup.h"
#include "util/log.h"

static int check(const struct check_arguments *given, const struct plan *plan, bool clock_on_test,
                 struct said *said)
{
    struct temporary temporary = {0};
    struct error_list problems = {0};
    struct error err = {0};
    if (temporary_create(&temporary, &err))
        return said_error(said, "", &err);
    struct master_options options = {
        .trusted = given->trust_user,
        .lead_ns = LEAD_NS,
        .agent_timeout_ns = CLI_AGENT_TIMEOUT_NS,
        .local = given->local,
        .clock_on_test = clock_on_test,
        .check_only = true,
    };
    users_add_own(&options.trusted);
    const struct master_repeat once = {.number = 1, .of = 1, .output = temporary.file};
    struct master *master = NULL;
    struct master_outcome outcome = {0};
    int failed = master_create(&master, plan, &options, &err);
    if (!failed)
        failed = master_run(master, &once, &outcome, &problems, &err);
    master_destroy(master);
    temporary_remove(&temporary);
    say_each(said, "", &problems);
    if (failed)
        return said_error(said, "", &err);
    if (outcome.interrupted)
        return EXIT_INTERRUPTED;
    if (!given->json)
        printf("all %zu flows could start now\n", plan->flow_count);
    return EXIT_FINE;
}

static int check_scenario(const struct check_arguments *given, struct said *said)
{
    struct error err = {0};
    bool clock_on_test;
    if (clock_network_read(given->clock_network, &clock_on_test, &err))
        return said_error(said, "check", &err);
    struct plan *plan = load_plan(given->scenario, &(struct scenario_overrides){0}, said);
    if (!plan)
        return EXIT_USAGE;
    int status = check(given, plan, clock_on_test, said);
    plan_free(plan);
    return status;
}

static int run(const union arguments *arguments)
{
    const struct check_arguments *given = &arguments->check;
    struct said said = {0};
    if (given->quiet)
        log_set_level(LOG_QUIET);
    int status = check_scenario(given, &said);
    if (given->json)
        status = said_json(&said, status);
    said_fini(&said);
    return status;
}

#define PLACE(field) offsetof(struct check_arguments, field)

static const struct option_row rows[] = {
    {"local", 0, false, OPTION_FLAG, NULL, PLACE(local), 0, 0,
     "start the agents here, whatever the hosts'\nmgmt says"},
    {"clock-network", 0, false, OPTION_TEXT, "NET", PLACE(clock_network), 1, 0,
     "compare clocks over the network mgmt or test\n(mgmt)"},
    {"trust-user", 0, false, OPTION_USERS, "USERS", PLACE(trust_user), 0, 0,
     "use agents of these users of this machine, too:\nnames or numbers, with commas"},
    {"json", 0, false, OPTION_FLAG, NULL, PLACE(json), 0, 0, "print the problems as JSON"},
    {"quiet", 'q', false, OPTION_FLAG, NULL, PLACE(quiet), 0, 0, "no log"},
};

const struct command command_check = {
    .name = "check",
    .summary = "ask the agents whether a scenario could run",
    .about = "Goes through everything that a run of the file SCENARIO (- is standard input)\n"
             "does before its start: agents and their versions, algorithms, privileges,\n"
             "addresses, routes, ports, descriptors, disk, clocks, the connections of the\n"
             "flows that start first.  All problems are told; settings of the kernel that\n"
             "differ between agents are warnings.  No data is sent.\n"
             "\n"
             "Exit status: 0 it could run, 2 wrong usage or scenario, 3 an agent could not\n"
             "do its part.\n",
    .operand = "SCENARIO",
    .operand_place = PLACE(scenario),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .run = run,
};
