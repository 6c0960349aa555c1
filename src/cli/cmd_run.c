/* `tcp-flowgen run`: plan, run, summary, exit status. */
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bounds.h"
#include "cli/clock_network.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/load.h"
#include "cli/output.h"
#include "cli/repeats.h"
#include "cli/results.h"
#include "cli/say.h"
#include "cli/temporary.h"
#include "format/results_file.h"
#include "util/cleanup.h"
#include "util/duration.h"
#include "util/log.h"
#include "util/random.h"

/* Runs may have been written also where the last one failed. */
static int report(const struct run_arguments *given, const char *output,
                  const struct repeats_outcome *outcome, struct said *said, int status)
{
    struct error err = {0};
    if (outcome->file_count == 0)
        return status;
    said->answered = true;
    if (results_file_in_place(output)) {
        results_counts(outcome->complete, outcome->partial, outcome->failed);
    } else if (results_summary((const char *const *)outcome->files, outcome->file_count,
                               given->output != NULL, given->json, &err)) {
        say_error("", &err);
        return EXIT_FLOWS;
    }
    return status;
}

static uint64_t seed_of(const struct run_arguments *given)
{
    uint64_t seed = given->seed.value;
    if (!given->seed.given)
        random_bytes(&seed, sizeof seed);
    return seed;
}

static int run_plan(const struct run_arguments *given, const struct plan *plan, const char *output,
                    struct said *said)
{
    bool clock_on_test = false;
    clock_network_read(given->clock_network, &clock_on_test, NULL); /* it was checked */
    struct repeats repeats = {
        .plan = plan,
        .master =
            {
                .trusted = given->trust_user,
                .lead_ns = given->lead_ns,
                .agent_timeout_ns = CLI_AGENT_TIMEOUT_NS,
                .best_effort = given->best_effort,
                .local = given->local,
                .clock_on_test = clock_on_test,
                .progress = !given->quiet && isatty(STDERR_FILENO),
                .captures = given->captures,
                .flush_metrics = given->flush_metrics,
            },
        .count = (uint32_t)given->repeat,
        .pause_ns = given->pause_ns,
        .warmup_ns = given->warmup_ns,
        .seed = seed_of(given),
        .output = output,
        .separate = given->separate,
        .tell_replaced = !given->silent_replace,
        .shutdown_agents = given->shutdown,
        .said = said,
    };
    users_add_own(&repeats.master.trusted);
    struct repeats_outcome outcome;
    int status = repeats_run(&repeats, &outcome);
    status = report(given, output, &outcome, said, status);
    repeats_outcome_fini(&outcome);
    return status;
}

/* Without --output the results live as long as it takes to summarise them. */
static int run_temporary(const struct run_arguments *given, const struct plan *plan,
                         struct said *said)
{
    struct temporary temporary = {0};
    struct error err = {0};
    if (temporary_create(&temporary, &err))
        return said_error(said, "", &err);
    if (!given->json)
        log_info("the results will not be kept: --output FILE keeps them");
    int status = run_plan(given, plan, temporary.file, said);
    bool ran = access(temporary.file, F_OK) == 0;
    temporary_remove(&temporary);
    if (ran && !given->quiet)
        fputs("tcp-flowgen: the results were not kept; --output FILE keeps them\n", stderr);
    return status;
}

static int check_options(const struct run_arguments *given, struct error *err)
{
    bool clock_on_test;
    bool to_stdout = given->output && results_to_stdout(given->output);
    if (given->json && to_stdout) {
        error_set(err, ERROR_INPUT, NULL, "--json and --output - both want standard output");
        return error_cure(err, "write the results to a file");
    }
    if (given->separate && (!given->output || to_stdout)) {
        error_set(err, ERROR_INPUT, NULL, "--separate needs the name of a file");
        return error_cure(err, "give one with --output");
    }
    return clock_network_read(given->clock_network, &clock_on_test, err);
}

/* No result file of the run may be its scenario. */
static int check_output(const struct run_arguments *given, struct error *err)
{
    int failed = 0;
    if (!given->output)
        return 0;
    if (!given->separate)
        return output_check(given->output, &given->scenario, 1, err);
    for (uint32_t number = 1; !failed && number <= given->repeat; number++) {
        CLEANUP_FREE char *path = repeats_path(given->output, number);
        failed = path ? output_check(path, &given->scenario, 1, err)
                      : error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    return failed;
}

/* Beside a result that is not kept no file could be kept either. */
static int check_captures(const struct run_arguments *given, const struct plan *plan,
                          struct error *err)
{
    const bool kept = given->output && !results_to_stdout(given->output);
    for (size_t i = 0; !kept && !given->captures && i < plan->flow_count; i++)
        if (plan->flows[i].capture != CAPTURE_NONE) {
            error_set(err, ERROR_INPUT, NULL, "flow %d is captured, but nothing says where to",
                      plan->flows[i].id);
            return error_cure(err, "name a directory with --captures, or an --output file");
        }
    return 0;
}

/* Of a flow that is no longer than the warm-up nothing counts: better known before the run. */
static void warn_of_warmup(const struct run_arguments *given, const struct plan *plan)
{
    const struct plan_flow *first = NULL;
    size_t count = 0;
    char warmup[DURATION_TEXT_MAX], duration[DURATION_TEXT_MAX], more[64] = "";
    for (size_t i = 0; i < plan->flow_count; i++) {
        const bool none = plan->flows[i].duration_ns <= given->warmup_ns;
        count += none;
        first = none && !first ? &plan->flows[i] : first;
    }
    if (!first)
        return;
    if (count > 1)
        snprintf(more, sizeof more, ", nor of %zu more flow%s", count - 1, count == 2 ? "" : "s");
    log_warning("--warmup %s leaves nothing of flow %d (%s)%s: no goodput will be known of that "
                "(summary --warmup takes another warm-up)",
                duration_format(given->warmup_ns, warmup), first->id,
                duration_format(first->duration_ns, duration), more);
}

static int run_scenario(const struct run_arguments *given, struct said *said)
{
    struct error err = {0};
    if (check_options(given, &err) || check_output(given, &err))
        return said_error(said, "run", &err);
    const struct scenario_overrides overrides = {
        .interval_ns = given->interval_ns,
        .read_size = (uint32_t)given->read_size,
        .write_size = (uint32_t)given->write_size,
        .label = given->label,
    };
    struct plan *plan = load_plan(given->scenario, &overrides, said);
    if (!plan)
        return EXIT_USAGE;
    if (check_captures(given, plan, &err)) {
        plan_free(plan);
        return said_error(said, "run", &err);
    }
    warn_of_warmup(given, plan);
    int status = given->output ? run_plan(given, plan, given->output, said)
                               : run_temporary(given, plan, said);
    plan_free(plan);
    return status;
}

static int run(const union arguments *arguments)
{
    const struct run_arguments *given = &arguments->run;
    struct said said = {0};
    if (given->quiet)
        log_set_level(LOG_QUIET);
    int status = run_scenario(given, &said);
    if (given->json)
        status = said_json(&said, status);
    said_fini(&said);
    return status;
}

#define PLACE(field) offsetof(struct run_arguments, field)

static const struct option_row rows[] = {
    {"output", 'o', false, OPTION_TEXT, "FILE", PLACE(output), 1, 0,
     "keep the results in FILE; gzip if it ends in\n.gz, - is standard output"},
    {"captures", 0, false, OPTION_TEXT, "DIR", PLACE(captures), 1, 0,
     "keep captured packets in DIR (OUTPUT.captures)"},
    {"local", 0, false, OPTION_FLAG, NULL, PLACE(local), 0, 0,
     "start the agents here, whatever the hosts'\nmgmt says"},
    {"best-effort", 0, false, OPTION_FLAG, NULL, PLACE(best_effort), 0, 0,
     "run the flows that can run, without those\nwhose agents cannot"},
    {"trust-user", 0, false, OPTION_USERS, "USERS", PLACE(trust_user), 0, 0,
     "use agents of these users of this machine, too:\nnames or numbers, with commas"},
    {"flush-metrics", 0, false, OPTION_FLAG, NULL, PLACE(flush_metrics), 0, 0,
     "before the run the agents' kernels forget what\nthey remember of the peers (TCP metrics)"},
    {"interval", 'i', false, OPTION_DURATION, "DUR", PLACE(interval_ns), INTERVAL_MIN_NS,
     CLI_INTERVAL_MAX_NS, "interval of the TCP statistics"},
    {"read-size", 0, false, OPTION_NUMBER, "N", PLACE(read_size), 1, CLI_SIZE_MAX, "bytes a read"},
    {"write-size", 0, false, OPTION_NUMBER, "N", PLACE(write_size), 1, CLI_SIZE_MAX,
     "bytes a write"},
    {"lead", 0, false, OPTION_DURATION, "DUR", PLACE(lead_ns), 0, CLI_LEAD_MAX_NS,
     "connect flows so long before their start (2s)"},
    {"clock-network", 0, false, OPTION_TEXT, "NET", PLACE(clock_network), 1, 0,
     "compare clocks over the network mgmt or test\n(mgmt)"},
    {"repeat", 0, false, OPTION_NUMBER, "N", PLACE(repeat), 1, CLI_REPEAT_MAX,
     "run it N times, one after another"},
    {"pause", 0, false, OPTION_DURATION, "DUR", PLACE(pause_ns), 0, CLI_PAUSE_MAX_NS,
     "wait so long between repeats (1s)"},
    {"separate", 0, false, OPTION_FLAG, NULL, PLACE(separate), 0, 0,
     "a result file for each repeat, its number\nbefore the extension: results-1.pb.gz"},
    {"warmup", 0, false, OPTION_DURATION, "DUR", PLACE(warmup_ns), 0, CLI_WARMUP_MAX_NS,
     "leave the first part of each flow out of\nthe summary's figures, not of the results"},
    /* Nothing in the traffic is random yet. */
    {"seed", 0, true, OPTION_UINT64, "N", PLACE(seed), 0, 0,
     "of what is random in the traffic, the same for\nall repeats (default: random)"},
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
             "With --repeat the summary has medians and spreads, and the exit status is that\n"
             "of the worst repeat; an agent that cannot be used, or an interrupt, ends them.\n"
             "\n"
             "Exit status: 0 all flows ran to their end, 1 some did not, 2 wrong usage or\n"
             "scenario, 3 an agent cannot be used, 130 interrupted.\n",
    .operand = "SCENARIO",
    .operand_place = PLACE(scenario),
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .defaults.run = {.lead_ns = LEAD_NS, .repeat = 1, .pause_ns = CLI_PAUSE_NS},
    .run = run,
};
