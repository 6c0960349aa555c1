/* The order of life of a run: hello, clock, prepare, ready, start, watch, finish, clock, write,
 * forget. Any problem known before t0 starts nothing. */
#include "master/master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "master/addresses.h"
#include "master/clock_points.h"
#include "master/clock_sync.h"
#include "master/compare.h"
#include "master/hello.h"
#include "master/local_agents.h"
#include "master/output.h"
#include "master/part_clocks.h"
#include "master/prepare.h"
#include "master/progress.h"
#include "master/roster.h"
#include "master/session.h"
#include "master/watch.h"
#include "util/clock.h"
#include "util/duration.h"
#include "util/log.h"
#include "util/signals.h"

#define READY_NS   (10 * NS_PER_S) /* for the connections before t0, and more for many flows */
#define PER_FLOW   (2 * NS_PER_MS)
#define REFRESH_NS (1 * NS_PER_S)  /* between clock bursts while flows run */
#define LATE_NS    (15 * NS_PER_S) /* an end that is not over so long after its time is stopped */
#define FINISH_NS  (15 * NS_PER_S) /* for the last samples after flows were stopped, */
#define STALL_NS   (3 * NS_PER_S)  /* and of an agent that brings nothing, after an interrupt */
#define NICE       5               /* while flows run */
#define TRIES      3               /* to start a run whose agents take the order too late */

/* ---- signals ---- */

/* It and its loop are never freed: the signal thread posts to them until the process ends. */
struct interrupts {
    struct session *session; /* in the loop's thread; NULL: no run */
    struct rpc_loop *loop;
};

static void count_interrupt(void *arg)
{
    struct interrupts *interrupts = arg;
    if (interrupts->session)
        interrupts->session->interrupts++;
}

static void on_signal(void *arg)
{
    struct interrupts *interrupts = arg;
    rpc_loop_post(interrupts->loop, count_interrupt, interrupts);
}

/* ---- stages ---- */

static bool in_order(const struct session *session)
{
    return session->problems->count == 0 && session->interrupts == 0;
}

static void tell_agents(const struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        if (!session_usable(agent))
            continue;
        struct clock_fit fit = clock_points_fit(agent);
        log_info("%s: %s, Linux %s, ends: %zu, clock within %.1f us (%s)", agent->title,
                 agent->info.hostname, agent->info.kernel, agent->end_count,
                 (double)fit.error_ns / (double)NS_PER_US, clock_method_name(fit.method));
    }
}

/* Figures of a sender and a receiver that share a CPU are figures of that CPU.  The run's summary
 * tells it, so that only a check has to. */
static void warn_of(struct session *session, size_t count, const char *what)
{
    char text[256];
    if (!count)
        return;
    snprintf(text, sizeof text, "%zu of %zu flows %s", count, session->plan->flow_count, what);
    if (session->options->check_only)
        session_warn(session, text);
    else
        run_info_add_warning(&session->run, text);
}

static void warn_shared(struct session *session)
{
    size_t machine = 0, loopback = 0;
    for (uint32_t i = 0; i < session->plan->flow_count; i++) {
        const struct master_agent *src = session_agent(session, i, END_SRC);
        const struct master_agent *dst = session_agent(session, i, END_DST);
        if (session->flows[i].refused || !src->boot[0] || strcmp(src->boot, dst->boot) != 0)
            continue;
        if (strcmp(src->netns, dst->netns) == 0)
            loopback++;
        else
            machine++;
    }
    warn_of(session, machine, "have both hosts on one machine: they share its CPUs");
    warn_of(session, loopback,
            "stay within one machine: they share its CPUs, and loopback is not a network");
}

static void look_at_failures(struct session *session)
{
    for (uint32_t i = 0; i < session->plan->flow_count; i++)
        for (int end = 0; end < 2; end++) {
            const struct end_report *report = session->flows[i].report[end];
            if (report && report->status == END_FAILED)
                session_flow_problem(session, i, "%s", report->error);
        }
    for (size_t i = 0; i < session->agent_count; i++)
        if (session->agents[i].info.lost)
            session_agent_problem(&session->agents[i], "%s", session->agents[i].info.lost);
}

static bool names_device(const struct session *session, size_t flow)
{
    const struct plan *plan = session->plan;
    return plan->hosts[plan->flows[flow].src].device[0] ||
           plan->hosts[plan->flows[flow].dst].device[0];
}

/* One problem, for all will have the same cause. */
static void tell_unconnected(struct session *session, int64_t waited_ns)
{
    size_t count = 0, first = 0;
    for (size_t i = session->plan->flow_count; i-- > 0;) {
        if (!watch_flow_awaited(session, i))
            continue;
        first = i;
        count++;
    }
    char where[64];
    snprintf(where, sizeof where, "flows[%zu] (id %d)", first, session->plan->flows[first].id);
    session_problem(
        session, where,
        "its connection to %s port %u does not stand after %lld s, as %zu of %zu do not: "
        "does a firewall drop it? Agents have --data-ports for that%s",
        session->flows[first].address[END_DST], session->flows[first].port,
        (long long)(waited_ns / NS_PER_S), count, session->plan->flow_count,
        names_device(session, first)
            ? "; or can the peer not be reached by the \"device\" of a host?"
            : "");
}

static bool ready_or_hopeless(struct session *session)
{
    watch_tend(session);
    return session->stuck || watch_all_ready(session);
}

/* Waits until the flows that connect before t0 have. */
static void await_ready(struct session *session)
{
    int64_t limit = READY_NS + (int64_t)session->plan->flow_count * PER_FLOW;
    bool ready = session_wait(session, ready_or_hopeless, session_now(session) + limit);
    if (session->stuck)
        session_problem(session, collect_path(session->collect), "it cannot be written");
    if (session->options->best_effort || session->interrupts)
        return;
    look_at_failures(session);
    if (!ready)
        tell_unconnected(session, limit);
    if (in_order(session))
        log_info("all flows are ready: %zu", session->plan->flow_count);
}

/* Everything before t0.  A problem takes its flow or agent out; what is left goes on, so that all
 * problems are found. */
static void get_ready(struct session *session)
{
    hello_all(session);
    roster_merge(session);
    addresses_settle(session);
    if (session->interrupts)
        return;
    clock_sync_all(session, true);
    tell_agents(session);
    warn_shared(session);
    compare_machines(session);
    prepare_all(session);
    watch_start(session);
    if (!session->interrupts)
        await_ready(session);
}

static bool started_well(struct session *session)
{
    get_ready(session);
    if (in_order(session))
        prepare_start(session);
    return in_order(session) && !session->late_ns;
}

static void stop(struct session *session)
{
    if (session->stopping)
        return;
    session->stopping = true;
    session_tell_all(session, AGENT_STOP);
}

/* Whether an agent waits for the other end of a flow that was refused there. */
static bool awaits_refused(const struct session *session)
{
    for (uint32_t i = 0; i < session->plan->flow_count; i++)
        if (session->flows[i].refused && !session_agent(session, i, END_DST)->ended)
            return true;
    return false;
}

/* Agents that would go on, to sample or in vain, are told that the whole run is over. */
static void release_waiting(struct session *session)
{
    bool waiting = false;
    if (session->released)
        return;
    for (size_t i = 0; i < session->agent_count; i++)
        waiting |= session->agents[i].sampled && !session->agents[i].ended;
    waiting = waiting || awaits_refused(session);
    if (!waiting || !watch_flows_over(session))
        return;
    session->released = true;
    session_tell_all(session, AGENT_STOP);
}

static void tell_of_stop(struct session *session)
{
    if (session->interrupts)
        log_warning("interrupted: the flows are stopped; once more to leave without their last "
                    "samples");
    else
        session_warn(session, "flows were not over long after their time, and were stopped");
}

/* What agents sampled can wait at them: flows of agents that share the machine come first. */
static void yield_to_flows(void)
{
    if (getpriority(PRIO_PROCESS, (id_t)gettid()) < NICE)
        setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

/* Until every agent's spool is here.  An interrupt stops the flows; a second one the collecting. */
static void follow(struct session *session)
{
    struct progress progress = {0};
    const int64_t start = session_now(session) + session->t0_ns - clock_now();
    const int64_t over = start + session->plan->end_ns + DRAIN_NS;
    int64_t late = over + LATE_NS;
    int64_t refresh = 0;
    yield_to_flows();
    while (!watch_all_ended(session) && session->interrupts < 2) {
        session_turn(session);
        const int64_t now = session_now(session);
        watch_tend(session);
        if (now >= refresh) {
            clock_sync_refresh(session);
            refresh = now + REFRESH_NS;
        }
        progress_show(&progress, session, clock_now());
        release_waiting(session);
        if (session->stuck && (session->interrupts || now > over))
            break;
        const bool overdue = now > late && !session->released;
        if (!session->stopping && (session->interrupts || overdue)) {
            progress_end(&progress);
            tell_of_stop(session);
            stop(session);
            late = now + FINISH_NS;
        } else if (now > late) {
            watch_give_up(session, INT64_MAX);
        } else if (session->stopping && session->interrupts && now > late - FINISH_NS + STALL_NS) {
            watch_give_up(session, now - STALL_NS);
        }
    }
    progress_end(&progress);
    if (!watch_all_ended(session))
        stop(session);
}

/* Leaves the agents as they were; what they sampled is of no use without a start. */
static void call_off(struct session *session)
{
    session_tell_all(session, AGENT_STOP);
    prepare_judge_late(session);
    watch_end(session);
    session_tell_all(session, AGENT_FORGET);
}

/* What came of the run, should the spool of an agent that was lost turn up. */
static void keep_part(struct session *session)
{
    struct error err = {0};
    char text[1024];
    size_t lost = 0;
    for (size_t i = 0; i < session->agent_count; i++)
        lost += session->agents[i].info.lost != NULL;
    if (!lost)
        return;
    session->keep_part = true;
    if (part_clocks_keep(session, &err) || collect_keep(session->collect, session->id, &err))
        log_warning("%s", error_text(&err, text, sizeof text)); /* it stays as it is called */
    const char *path = collect_path(session->collect);
    snprintf(text, sizeof text,
             "what came of the run is kept in %s: with the spool%s of the lost agent%s, "
             "`tcp-flowgen recover -o FILE %s SPOOL%s` may add what %s beyond what arrived",
             path, lost == 1 ? "" : "s", lost == 1 ? "" : "s", path, lost == 1 ? "" : "...",
             lost == 1 ? "it has" : "they have");
    session_warn(session, text);
}

static int conclude(struct session *session, struct master_outcome *outcome, struct error *err)
{
    bool whole = watch_all_ended(session);
    watch_tell_failures(session);
    watch_end(session);
    if (session->interrupts < 2)
        clock_sync_all(session, false);
    clock_sync_warn(session);
    if (whole)
        keep_part(session);
    int failed = output_write(session, outcome, err);
    if (failed || !whole) {
        log_warning("the agents keep their samples of this run where their spools are, in "
                    "tcp-flowgen-%s-*.spool: `tcp-flowgen recover` makes results of them",
                    session->id);
        return failed;
    }
    session_tell_all(session, AGENT_FORGET);
    return 0;
}

/* The preflight alone. */
static int check(struct session *session, struct error *err)
{
    get_ready(session);
    call_off(session);
    if (session->problems->count)
        return error_set(err, ERROR_AGENT, NULL, "the scenario cannot be run as it is");
    return 0;
}

static int go(struct session *session, struct master_outcome *outcome, struct error *err)
{
    int failed = 0;
    if (session->options->check_only) {
        failed = check(session, err);
    } else if (started_well(session)) {
        follow(session);
        failed = conclude(session, outcome, err);
    } else {
        call_off(session);
        if (session->problems->count)
            failed = error_set(err, ERROR_AGENT, NULL, "nothing was started");
    }
    outcome->interrupted = session->interrupts > 0;
    outcome->troubled = session->troubled;
    return failed;
}

/* ---- a run ---- */

struct master {
    const struct plan *plan;
    const struct master_options *options;
    struct local_agents local;
    struct interrupts *interrupts;
    struct session session; /* the last run's, until the next */
};

/* Interrupts that come between runs are the next one's. */
static void release_session(struct master *master)
{
    struct session *session = &master->session;
    clock_sync_fini(session);
    roster_fini(session);
    run_info_fini(&session->run);
    *session = (struct session){.interrupts = session->interrupts};
}

static int open_session(struct master *master, const struct master_repeat *repeat,
                        struct error_list *problems, struct error *err)
{
    struct session *session = &master->session;
    release_session(master);
    session->plan = master->plan;
    session->options = master->options;
    session->repeat = repeat;
    session->problems = problems;
    session->loop = master->interrupts->loop;
    random_id(session->id);
    random_bytes(session->secret, sizeof session->secret);
    int failed = roster_build(session, err);
    if (!failed)
        failed = collect_create(&session->collect, repeat->output, session->plan->flow_count, err);
    if (!failed)
        failed = output_open(session, err);
    if (!failed)
        failed = roster_connect(session, master->local.ports, err);
    return failed;
}

/* Why the run is begun anew. */
static void tell_late(const struct session *session, unsigned try, char *text, size_t size)
{
    const char *title = "agents";
    for (size_t i = session->agent_count; i-- > 0;)
        if (session->agents[i].late)
            title = session->agents[i].title;
    snprintf(text, size,
             "the run was begun anew, try %u of %d: %s did not take the order to start "
             "within %lld ms",
             try, TRIES, title, (long long)(session->late_ns / NS_PER_MS));
}

/* Until it was started, or another try is of no use. */
static int try_run(struct master *master, const struct master_repeat *repeat,
                   struct master_outcome *outcome, struct error_list *problems, struct error *err)
{
    struct session *session = &master->session;
    char late[320];
    for (unsigned try = 1;; try++) {
        int failed = open_session(master, repeat, problems, err);
        if (failed)
            return failed;
        if (try > 1)
            session_warn(session, late);
        session->may_retry = try < TRIES && !master->options->best_effort;
        failed = go(session, outcome, err);
        if (failed || !session->late_ns)
            return failed;
        tell_late(session, try + 1, late, sizeof late);
        collect_destroy(session->collect, true);
        session->collect = NULL;
    }
}

int master_run(struct master *master, const struct master_repeat *repeat,
               struct master_outcome *outcome, struct error_list *problems, struct error *err)
{
    struct session *session = &master->session;
    *outcome = (struct master_outcome){0};
    if (repeat->of > 1)
        log_info("run %u of %u", repeat->number, repeat->of);
    int failed = try_run(master, repeat, outcome, problems, err);
    const bool broken = failed == ERROR_SYSTEM && session->t0_ns;
    if (broken)
        log_error("what was collected stays in %s", collect_path(session->collect));
    collect_destroy(session->collect, !broken && !session->keep_part);
    session->collect = NULL;
    return failed;
}

static bool never(struct session *session)
{
    (void)session;
    return false;
}

bool master_pause(struct master *master, int64_t pause_ns)
{
    if (master->session.interrupts == 0)
        session_wait(&master->session, never, session_now(&master->session) + pause_ns);
    return master->session.interrupts == 0;
}

/* One that did not answer may well have ended. */
void master_shutdown_agents(struct master *master)
{
    struct session *session = &master->session;
    session_tell_all(session, AGENT_SHUTDOWN);
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        const bool refuses = agent->call_code == RPC_PERMISSION_DENIED ||
                             agent->call_code == RPC_FAILED_PRECONDITION;
        if (session_usable(agent) && refuses)
            log_warning("%s stays: %s", agent->title, agent->call_text);
    }
}

/* ---- the whole ---- */

static int start_local_agents(struct master *master, struct error *err)
{
    struct session roster = {.plan = master->plan};
    int failed = roster_build(&roster, err);
    if (!failed)
        failed = local_agents_start(&master->local, roster.agent_count, err);
    roster_fini(&roster);
    return failed;
}

/* Interrupts are blocked first: gRPC's threads inherit that, and nothing that is begun from here on
 * is left behind. */
static int open_loop(struct master *master, struct error *err)
{
    struct interrupts *interrupts = calloc(1, sizeof *interrupts);
    if (!interrupts)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    interrupts->session = &master->session;
    master->interrupts = interrupts;
    signals_block();
    int failed = rpc_loop_create(&interrupts->loop, err);
    return failed ? failed : signals_watch(on_signal, interrupts, err);
}

int master_create(struct master **out, const struct plan *plan,
                  const struct master_options *options, struct error *err)
{
    struct master *master = calloc(1, sizeof *master);
    if (!master)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    master->plan = plan;
    master->options = options;
    int failed = options->local ? start_local_agents(master, err) : 0;
    if (!failed)
        failed = open_loop(master, err);
    if (failed)
        master_destroy(master);
    else
        *out = master;
    return failed;
}

void master_destroy(struct master *master)
{
    if (!master)
        return;
    release_session(master);
    if (master->interrupts) {
        master->interrupts->session = NULL;
        if (!master->interrupts->loop) /* nobody posts to it */
            free(master->interrupts);
    }
    local_agents_stop(&master->local);
    free(master);
}
