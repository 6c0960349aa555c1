/* The form without a command word: the flags of the program of the same name that came before this
 * one, read by the rules of Go's flag package, so that its scripts go on working. */
#include <stddef.h>
#include <stdio.h>

#include "cli/bounds.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "util/cleanup.h"
#include "util/version.h"

/* An empty value is the flag's default: none. */
static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* Here the agents go with the run unless -keepalive is given, as they always did. */
static int run_master(const struct seed_arguments *given)
{
    union arguments arguments = command_run.defaults;
    struct run_arguments *run = &arguments.run;
    run->scenario = given->master;
    run->output = text_or_null(given->output);
    run->interval_ns = given->interval_ns;
    run->read_size = given->read_size;
    run->write_size = given->write_size;
    run->shutdown = !given->keepalive;
    run->quiet = given->quiet;
    run->silent_replace = true;
    return command_run.run(&arguments);
}

static int run_agent(const struct seed_arguments *given)
{
    union arguments arguments = command_agent.defaults;
    struct agent_arguments *agent = &arguments.agent;
    agent->listen = given->listen;
    agent->insecure = given->insecure;
    agent->allow_shutdown = true;
    agent->seed_service = true;
    agent->quiet = given->quiet;
    if (given->interval_ns)
        agent->interval_ns = given->interval_ns;
    agent->read_size = given->read_size;
    agent->write_size = given->write_size;
    return command_agent.run(&arguments);
}

static int run(const union arguments *arguments)
{
    const struct seed_arguments *given = &arguments->seed;
    if (given->version) {
        puts("tcp-flowgen " TCP_FLOWGEN_VERSION);
        return EXIT_FINE;
    }
    return text_or_null(given->master) ? run_master(given) : run_agent(given);
}

#define PLACE(field) offsetof(struct seed_arguments, field)

static const struct option_row rows[] = {
    {"listen", 0, false, OPTION_ENDPOINT, "ADDR", PLACE(listen), 0, 0,
     "be an agent at ADDR (localhost:8840), which\na master may tell to exit"},
    {"master", 0, false, OPTION_TEXT, "FILE", PLACE(master), 0, 0, "run the scenario in FILE"},
    {"output", 0, false, OPTION_TEXT, "FILE", PLACE(output), 0, 0,
     "with -master: keep the results in FILE"},
    {"keepalive", 0, false, OPTION_FLAG, NULL, PLACE(keepalive), 0, 0,
     "with -master: let the agents live after it"},
    {"i", 0, false, OPTION_DURATION, "DURATION", PLACE(interval_ns), INTERVAL_MIN_NS,
     CLI_INTERVAL_MAX_NS, "interval of the TCP statistics (250ms)"},
    {"readSize", 0, false, OPTION_NUMBER, "N", PLACE(read_size), 1, CLI_SIZE_MAX, "bytes a read"},
    {"writeSize", 0, false, OPTION_NUMBER, "N", PLACE(write_size), 1, CLI_SIZE_MAX,
     "bytes a write"},
    {"quiet", 0, false, OPTION_FLAG, NULL, PLACE(quiet), 0, 0, "no log"},
    {"insecure", 0, false, OPTION_FLAG, NULL, PLACE(insecure), 0, 0,
     "listen on an address that is not loopback,\nwithout credentials"},
    {"version", 0, false, OPTION_FLAG, NULL, PLACE(version), 0, 0, "show the version and exit"},
};

const struct command command_seed = {
    .name = "",
    .summary = "",
    .about = "Without a command it is an agent, or with -master FILE the master of a run,\n"
             "after which the agents exit.\n",
    .options = {STYLE_GO, rows, COUNT_OF(rows)},
    .defaults.seed = {.listen = {.host = "localhost", .port = CLI_PORT}},
    .run = run,
};
