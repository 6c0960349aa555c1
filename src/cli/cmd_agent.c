/* `tcp-flowgen agent`: checks that it is safe to listen there, then serves. */
#include <stddef.h>

#include "agent/agent.h"
#include "cli/bounds.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/say.h"
#include "util/cleanup.h"
#include "util/log.h"

/* Whoever reaches an agent may use it, so an address that others reach must be asked for by name.
 * 0, or ERROR_INPUT. */
static int check_listen(const struct endpoint *listen, bool insecure, struct error *err)
{
    if (listen->path[0])
        return 0;
    int loopback = listen->host[0] ? host_is_loopback(listen->host, err) : 0;
    if (loopback < 0)
        return err->code = ERROR_INPUT;
    if (loopback || insecure)
        return 0;
    error_set(err, ERROR_INPUT, NULL,
              "listening on %s%s would let everybody who reaches it use this agent",
              listen->host[0] ? "" : "every address", listen->host);
    return error_cure(err,
                      "add --insecure if you trust the network (there are no credentials yet), "
                      "or listen on localhost");
}

static int run(const union arguments *arguments)
{
    const struct agent_arguments *given = &arguments->agent;
    struct error err = {0};
    if (given->quiet)
        log_set_level(LOG_QUIET);
    if (check_listen(&given->listen, given->insecure, &err))
        return say_error("agent", &err);
    struct agent_options options = {
        .listen = given->listen,
        .trusted = given->allow_user,
        .spool_directory = given->spool,
        .spool_max = given->spool_max,
        .interval_ns = given->interval_ns,
        .read_size = (uint32_t)given->read_size,
        .write_size = (uint32_t)given->write_size,
        .data_port_first = given->data_ports.first,
        .data_port_last = given->data_ports.last,
        .workers = (unsigned)given->workers,
        .allow_shutdown = given->allow_shutdown,
        .allow_flush_metrics = given->allow_flush_metrics,
        .orphan_ns = given->orphan_ns,
        .die_with_parent = given->die_with_parent,
        .seed_service = given->seed_service,
        .insecure = given->insecure,
        .announce_fd = (int)given->announce_fd,
    };
    users_add_own(&options.trusted);
    return agent_run(&options, &err) ? say_error("agent", &err) : EXIT_FINE;
}

#define PLACE(field) offsetof(struct agent_arguments, field)

static const struct option_row rows[] = {
    {"listen", 0, false, OPTION_ENDPOINT, "ADDR", PLACE(listen), 0, 0,
     "HOST:PORT for masters to connect to\n(localhost:8840), :8840 is every address; or\nunix:PATH"},
    {"insecure", 0, false, OPTION_FLAG, NULL, PLACE(insecure), 0, 0,
     "listen on an address that is not loopback,\nwithout credentials"},
    {"allow-user", 0, false, OPTION_USERS, "USERS", PLACE(allow_user), 0, 0,
     "serve these users of this machine, too: names\nor numbers, with commas"},
    {"interval", 'i', false, OPTION_DURATION, "DUR", PLACE(interval_ns), INTERVAL_MIN_NS,
     CLI_INTERVAL_MAX_NS, "interval of the TCP statistics (250ms), for\nruns that name none"},
    {"read-size", 0, false, OPTION_NUMBER, "N", PLACE(read_size), 1, CLI_SIZE_MAX,
     "bytes a read, for runs that name none"},
    {"write-size", 0, false, OPTION_NUMBER, "N", PLACE(write_size), 1, CLI_SIZE_MAX,
     "bytes a write, for runs that name none"},
    {"data-ports", 0, false, OPTION_PORTS, "FIRST-LAST", PLACE(data_ports), 0, 0,
     "accept flows on these ports (the kernel\nchooses)"},
    {"workers", 0, false, OPTION_NUMBER, "N", PLACE(workers), 1, CLI_WORKERS_MAX,
     "threads that move data (one a core)"},
    {"spool", 0, false, OPTION_TEXT, "DIR", PLACE(spool), 1, 0,
     "keep samples here until a master has them\n(/var/lib/tcp-flowgen for root, else\n~/.local/state/tcp-flowgen)"},
    {"spool-max", 0, false, OPTION_BYTES, "SIZE", PLACE(spool_max), CLI_SPOOL_MIN, 0,
     "keep so much there at most, such as 500MB (1MB\nor more; half of the disk).  The disk keeps 5 %\nfree in any case, and a caller leaves a quarter\nof the room to others"},
    {"allow-shutdown", 0, false, OPTION_FLAG, NULL, PLACE(allow_shutdown), 0, 0,
     "exit when a master says so after its run"},
    {"allow-flush-metrics", 0, false, OPTION_FLAG, NULL, PLACE(allow_flush_metrics), 0, 0,
     "have the kernel forget what it remembers of\npeers (TCP metrics) when a master says so"},
    {"quiet", 'q', false, OPTION_FLAG, NULL, PLACE(quiet), 0, 0, "no log"},
    {"announce-fd", 0, true, OPTION_NUMBER, "N", PLACE(announce_fd), 0, INT32_MAX,
     "write the port to this descriptor"},
    {"orphan-after", 0, true, OPTION_DURATION, "DUR", PLACE(orphan_ns), NS_PER_S, 0,
     "stop a run that has no master for so long"},
    {"die-with-parent", 0, true, OPTION_FLAG, NULL, PLACE(die_with_parent), 0, 0,
     "exit with the process that started it"},
};

const struct command command_agent = {
    .name = "agent",
    .summary = "run flows for masters, until interrupted",
    .about = "Serves masters at ADDR: opens, accepts, fills and samples the flows that they\n"
             "ask for.  Start one on each host of an experiment, then `tcp-flowgen run`\n"
             "somewhere.\n",
    .options = {STYLE_GNU, rows, COUNT_OF(rows)},
    .defaults.agent =
        {
            .listen = {.host = "localhost", .port = CLI_PORT},
            .interval_ns = INTERVAL_NS,
            .orphan_ns = CLI_ORPHAN_NS,
            .announce_fd = -1,
        },
    .run = run,
};
