/* `tcp-flowgen run`: plan, run, summary, exit status. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bounds.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/load.h"
#include "cli/say.h"
#include "cli/temporary.h"
#include "master/master.h"
#include "report/summary.h"
#include "util/cleanup.h"
#include "util/log.h"

#define TABLE_FLOWS 40

static bool is_stdout(const char *output)
{
    return strcmp(output, "-") == 0;
}

/* The results went to standard output: they cannot be read again. */
static void print_counts(const struct master_outcome *outcome, FILE *out)
{
    fprintf(out, "flows: %" PRIu64 " complete, %" PRIu64 " partial, %" PRIu64 " failed\n",
            outcome->complete, outcome->partial, outcome->failed);
}

static int print_summary(const char *results, bool json, struct error *err)
{
    struct summary summary = {0};
    int failed = summary_load(&summary, results, err);
    if (failed)
        return failed;
    if (!json)
        summary_text(&summary, stdout, TABLE_FLOWS);
    else if (summary_json(&summary, stdout))
        failed = error_set(err, ERROR_SYSTEM, NULL, "cannot write the summary");
    summary_fini(&summary);
    return failed;
}

static int outcome_status(const struct master_outcome *outcome)
{
    if (outcome->interrupted)
        return EXIT_INTERRUPTED;
    return outcome->partial || outcome->failed || outcome->troubled ? EXIT_FLOWS : EXIT_FINE;
}

/* A run took place, or was interrupted before it did. */
static int report(const struct run_arguments *given, const char *output,
                  const struct master_outcome *outcome)
{
    struct error err = {0};
    if (!outcome->wrote_result)
        return outcome_status(outcome);
    if (is_stdout(output)) {
        print_counts(outcome, stderr);
    } else if (print_summary(output, given->json, &err)) {
        say_error(output, &err);
        return EXIT_FLOWS;
    }
    return outcome_status(outcome);
}

static int run_plan(const struct run_arguments *given, const struct plan *plan, const char *output)
{
    const struct master_options options = {
        .output = output,
        .lead_ns = given->lead_ns,
        .agent_timeout_ns = CLI_AGENT_TIMEOUT_NS,
        .best_effort = given->best_effort,
        .local = given->local,
        .shutdown_agents = given->shutdown,
        .progress = !given->quiet && isatty(STDERR_FILENO),
    };
    struct master_outcome outcome = {0};
    struct error_list problems = {0};
    struct error err = {0};
    int failed = master_run(plan, &options, &outcome, &problems, &err);
    for (size_t i = 0; i < problems.count; i++)
        say_error("", &problems.items[i]);
    int status = failed ? say_error("", &err) : report(given, output, &outcome);
    error_list_fini(&problems);
    return status;
}

/* Without --output the results live as long as it takes to summarise them. */
static int run_temporary(const struct run_arguments *given, const struct plan *plan)
{
    struct temporary temporary = {0};
    struct error err = {0};
    if (temporary_create(&temporary, &err))
        return say_error("", &err);
    int status = run_plan(given, plan, temporary.file);
    bool ran = access(temporary.file, F_OK) == 0;
    temporary_remove(&temporary);
    if (ran && !given->quiet)
        fputs("tcp-flowgen: the results were not kept; --output FILE keeps them\n", stderr);
    return status;
}

static int run(const union arguments *arguments)
{
    const struct run_arguments *given = &arguments->run;
    if (given->quiet)
        log_set_level(LOG_QUIET);
    if (given->json && given->output && is_stdout(given->output)) {
        struct error err = {0};
        error_set(&err, ERROR_INPUT, NULL, "--json and --output - both want standard output");
        error_cure(&err, "write the results to a file");
        return say_error("run", &err);
    }
    const struct scenario_overrides overrides = {
        .interval_ns = given->interval_ns,
        .read_size = (uint32_t)given->read_size,
        .write_size = (uint32_t)given->write_size,
        .label = given->label,
    };
    struct plan *plan = load_plan(given->scenario, &overrides);
    if (!plan)
        return EXIT_USAGE;
    int status = given->output ? run_plan(given, plan, given->output) : run_temporary(given, plan);
    plan_free(plan);
    return status;
}

#define PLACE(field) offsetof(struct run_arguments, field)

static const struct option_row rows[] = {
    {"output", 'o', false, OPTION_TEXT, "FILE", PLACE(output), 1, 0,
     "keep the results in FILE; gzip if it ends in\n.gz, - is standard output"},
    {"local", 0, false, OPTION_FLAG, NULL, PLACE(local), 0, 0,
     "start the agents here, whatever the hosts'\nmgmt says"},
    {"best-effort", 0, false, OPTION_FLAG, NULL, PLACE(best_effort), 0, 0,
     "run the flows that can run, without those\nwhose agents cannot"},
    {"interval", 'i', false, OPTION_DURATION, "DUR", PLACE(interval_ns), INTERVAL_MIN_NS,
     CLI_INTERVAL_MAX_NS, "interval of the TCP statistics"},
    {"read-size", 0, false, OPTION_NUMBER, "N", PLACE(read_size), 1, CLI_SIZE_MAX, "bytes a read"},
    {"write-size", 0, false, OPTION_NUMBER, "N", PLACE(write_size), 1, CLI_SIZE_MAX,
     "bytes a write"},
    {"lead", 0, false, OPTION_DURATION, "DUR", PLACE(lead_ns), 0, CLI_LEAD_MAX_NS,
     "connect flows so long before their start (2s)"},
    {"label", 0, false, OPTION_TEXT, "TEXT", PLACE(label), 1, 0, "a name for the run"},
    {"shutdown", 0, false, OPTION_FLAG, NULL, PLACE(shutdown), 0, 0,
     "tell the agents to exit after the run"},
    {"json", 0, false, OPTION_FLAG, NULL, PLACE(json), 0, 0, "print the summary as JSON"},
    {"quiet", 'q', false, OPTION_FLAG, NULL, PLACE(quiet), 0, 0, "no log, no progress"},
};

const struct command command_run = {
    .name = "run",
    .summary = "run a scenario on its agents and summarise it",
    .about = "Runs the scenario in the file SCENARIO (- is standard input) on the agents that\n"
             "its hosts name, and prints a summary.  Interval and sizes are those given here,\n"
             "else the scenario's, else each agent's own.\n"
             "\n"
             "Exit status: 0 all flows ran to their end, 1 some did not, 2 wrong usage or\n"
             "scenario, 3 an agent cannot be used, 130 interrupted.\n",
    .operand = "SCENARIO",
    .operand_place = PLACE(scenario),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .defaults.run = {.lead_ns = LEAD_NS},
    .run = run,
};
