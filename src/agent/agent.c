#include "agent/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/errand.h"
#include "agent/own_process.h"
#include "agent/refusals.h"
#include "agent/seed_service.h"
#include "agent/service.h"
#include "agent/spare_memory.h"
#include "agent/spool_place.h"
#include "engine/ecn_guardian.h"
#include "rpc/rpc.h"
#include "util/log.h"
#include "util/signals.h"
#include "util/units.h"
#include "util/waking.h"
#include "util/watchdog.h"

#define GRACE_MS 500 /* for calls in progress when the agent exits */

#define STOCK_ENTRIES 4096 /* of the spools' directory are looked at */

#define WATCH_NS (3 * NS_PER_S) /* the main thread comes round so soon, or the watchdog tells */

struct agent {
    struct rpc_loop *loop;
    struct watchdog *watchdog;
    struct spare_memory spare;
    bool quit;
    char spools[SPOOL_PLACE_MAX];
    struct agent_options options; /* with that */
    struct spool_stock stock;
};

static void tell(void *arg, const struct watchdog_news *news)
{
    (void)arg;
    const double seconds = (double)news->for_ns / NS_PER_S;
    if (news->came_round)
        log_warning("%s has come round, after more than %.0f s in %s", news->name, seconds,
                    news->stage);
    else
        log_warning("%s hangs: it has been in %s for %.0f s", news->name, news->stage, seconds);
}

/* It is never freed, like the loop. */
static int watch(struct agent *agent, struct error *err)
{
    int failed = watchdog_create(&agent->watchdog, tell, NULL, err);
    if (failed)
        return failed;
    rpc_loop_watch(agent->loop, agent->watchdog, "the main thread", WATCH_NS);
    return watchdog_start(agent->watchdog, err);
}

static void quit(void *arg)
{
    ((struct agent *)arg)->quit = true;
}

/* The signal thread's. */
static void on_signal(void *arg)
{
    struct agent *agent = arg;
    rpc_loop_post(agent->loop, quit, agent);
}

/* False: nobody is there to read it. */
static bool announce(int fd, uint16_t port)
{
    char line[16];
    int length = snprintf(line, sizeof line, "%u\n", port);
    ssize_t wrote = write(fd, line, (size_t)length);
    if (wrote != length)
        log_warning("cannot announce the port: the master that started this agent is gone");
    close(fd);
    return wrote == length;
}

/* Before anybody asks what the host's settings are. */
static void repair(void)
{
    char text[256];
    if (ecn_repair(text, sizeof text))
        log_warning("%s", text);
}

static void take_stock(void *arg)
{
    struct agent *agent = arg;
    agent->stock = spool_place_stock(agent->spools, NULL, STOCK_ENTRIES);
}

/* It is its owner's decision. */
static void warn_of_others(const char *directory)
{
    if (spool_place_is_shared(directory))
        log_warning("others may write in %s, where spools are kept: they can fill its disk, and "
                    "delete or replace spools unless it is sticky (make it yours alone, `chmod "
                    "go-w`, or start the agent with another --spool)",
                    directory);
}

/* Nobody else knows of what an agent left that was killed. */
static void tell_stock(void *arg)
{
    const struct agent *agent = arg;
    char bytes[UNITS_TEXT_MAX];
    if (agent->stock.spools)
        log_info("%s has %s%llu spool%s (%s) of runs that nobody collected, or that go on: "
                 "`tcp-flowgen recover %s` lists them",
                 agent->spools, agent->stock.cut ? "over " : "",
                 (unsigned long long)agent->stock.spools, agent->stock.spools == 1 ? "" : "s",
                 units_bytes(agent->stock.bytes, bytes), agent->spools);
}

/* Tells if the agent was stopped meanwhile. */
static void turn(struct agent *agent)
{
    const int64_t missed = rpc_loop_missed(agent->loop);
    rpc_loop_run(agent->loop, -1);
    const int64_t pause = rpc_loop_missed(agent->loop) - missed;
    if (pause >= WAKING_PAUSE_NS)
        log_warning(
            "this agent did not run for %.1f s (stopped, suspended, or without CPU), and its "
            "runs gave their masters that much longer",
            (double)pause / (double)NS_PER_S);
}

static void serve(struct agent *agent, const struct agent_options *options, uint16_t port)
{
    char text[ENDPOINT_TEXT_MAX];
    struct endpoint at = options->listen;
    at.port = port;
    log_info("agent listens on %s", endpoint_text(&at, text));
    warn_of_others(agent->spools);
    /* The parent may have died before this process asked to be told so. */
    if (options->announce_fd >= 0 && !announce(options->announce_fd, port))
        agent->quit = options->die_with_parent;
    errand_try(agent->loop, "a look at spools", take_stock, tell_stock, agent);
    while (!agent->quit)
        turn(agent);
}

static int settle(struct agent *agent, const struct agent_options *given, struct error *err)
{
    agent->options = *given;
    agent->options.spool_directory = agent->spools;
    int failed = spool_place_settle(given->spool_directory, agent->spools, err);
    return failed ? failed : spool_place_check(&agent->options, err);
}

int agent_run(const struct agent_options *given, struct error *err)
{
    /* It and its loop are never freed: the signal thread posts to them until the process ends. */
    struct agent *agent = calloc(1, sizeof *agent);
    if (!agent)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    if (settle(agent, given, err)) {
        free(agent);
        return err->code;
    }
    const struct agent_options *options = &agent->options;
    if (options->die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    repair();
    struct service *service = NULL;
    struct seed_service *seed_service = NULL;
    struct rpc_server *server = NULL;
    uint16_t port = 0;
    struct refusals refusals = {.loop = NULL};
    const struct rpc_listening listening = {&options->listen, &options->trusted, refusals_log,
                                            &refusals, own_process_reserve()};
    signals_block();
    int failed = rpc_loop_create(&agent->loop, err);
    refusals.loop = agent->loop;
    if (!failed)
        failed = signals_watch(on_signal, agent, err);
    if (!failed)
        failed = watch(agent, err);
    if (!failed)
        failed = service_create(&service, agent->loop, options, quit, agent, err);
    if (!failed && options->seed_service)
        failed =
            seed_service_create(&seed_service, agent->loop, options, service, quit, agent, err);
    if (!failed)
        failed = rpc_server_create(&server, agent->loop,
                                   seed_service ? seed_service_table(seed_service)
                                                : service_table(service),
                                   &listening, &port, err);
    if (!failed) {
        spare_memory_watch(&agent->spare, agent->loop, service);
        serve(agent, options, port);
        spare_memory_stop(&agent->spare);
    }
    if (server)
        rpc_server_destroy(server, GRACE_MS);
    refusals_fini(&refusals);
    seed_service_destroy(seed_service);
    service_destroy(service);
    if (!failed)
        log_info("agent exits");
    return failed;
}
