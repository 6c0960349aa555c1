/* Bursts of several agents are not mixed before and after the run, so that the master's own queue
 * adds no asymmetry. */
#include "master/clock_sync.h"

#include <math.h>
#include <stdio.h>

#include "master/clock_calls.h"
#include "master/clock_points.h"
#include "master/clock_probe.h"
#include "probe/discipline.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define BURST          PROBE_BURST_MAX /* exchanges before and after the run */
#define BURST_SHORT    32              /* and during it */
#define CALLS_BEFORE   CLOCK_CALLS_MAX /* calls beside the probe, which tell how busy an agent is */
#define CALLS_SHORT    8               /* without it, during the run */
#define FIRST_CONTACT  2
#define BURST_LEAST    8
#define BURST_NS       (100 * NS_PER_MS) /* half of what a burst may take, if that is no fewer */
#define ENDS_BURSTS    4                 /* before and after the run, until one is as good as any */
#define ERROR_MAX_NS   NS_PER_S
#define ALONE_MAX      16 /* up to so many agents each is measured alone */
#define GROUP          8
#define PROBE_FAILURES 3 /* in a row: datagrams do not get through any more */

/* ---- bursts ---- */

/* The calls that go with a burst of the probe; in place of one that failed they count. */
static void after_probe(struct master_agent *agent)
{
    struct clock_sync *sync = &agent->clock;
    if (!session_usable(agent))
        return;
    if (!sync->probe_failure[0]) {
        sync->probe_failures = 0;
    } else if (sync->point_count == 0 || ++sync->probe_failures == PROBE_FAILURES) {
        clock_probe_off(agent, sync->probe_failure);
    } else {
        clock_probe_open(agent); /* the agent may have forgotten it */
    }
    if (sync->calls)
        clock_calls_start(agent, sync->calls);
}

static void take_bursts(void *arg)
{
    clock_probe_take(arg, after_probe);
}

/* The prober's. */
static void on_burst_over(void *arg)
{
    struct session *session = arg;
    rpc_loop_post(session->loop, take_bursts, session); /* else the next look will find it */
}

static bool is_quiet(const struct clock_sync *sync)
{
    return !sync->wanted && !sync->probing && sync->probe != PROBE_ASKED;
}

/* Fewer where each takes long, or nobody knows yet how long. */
static size_t burst_size(const struct clock_sync *sync, size_t most)
{
    const int64_t bound = clock_points_least_bound(sync);
    const int64_t fit = bound < BURST_NS ? BURST_NS / (bound + 1) : 0;
    if (fit >= (int64_t)most || most <= BURST_LEAST)
        return most;
    return fit > BURST_LEAST ? (size_t)fit : BURST_LEAST;
}

/* Exchanges by the probe and, after them, calls; without it `instead` calls, while the agent may be
 * asked for it once more. */
static void start_burst(struct master_agent *agent, size_t probes, size_t calls, size_t instead)
{
    struct clock_sync *sync = &agent->clock;
    if (!session_usable(agent) || !is_quiet(sync))
        return;
    sync->calls = calls;
    if (sync->probe == PROBE_READY) {
        clock_probe_start(agent, burst_size(sync, probes));
        return;
    }
    if (sync->probe == PROBE_NEW)
        clock_probe_open(agent);
    if (instead)
        clock_calls_start(agent, instead);
}

static bool all_quiet(struct session *session)
{
    clock_probe_take(session, after_probe);
    for (size_t i = 0; i < session->agent_count; i++)
        if (!is_quiet(&session->agents[i].clock))
            return false;
    return true;
}

/* Finds out, with all at once, who can be probed: where datagrams get lost that takes its time. */
static void open_probes(struct session *session)
{
    struct error err = {0};
    bool failed =
        !session->prober && prober_create(&session->prober, on_burst_over, session, &err) != 0;
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (!session_usable(agent) || agent->clock.probe != PROBE_NEW)
            continue;
        if (failed)
            clock_probe_off(agent, err.what);
        else
            clock_probe_open(agent);
    }
    session_wait(session, all_quiet, INT64_MAX); /* each call and exchange has its deadline */
    for (size_t i = 0; i < session->agent_count; i++)
        if (session->agents[i].clock.point_count == 0)
            start_burst(&session->agents[i], FIRST_CONTACT, 0, 0);
    session_wait(session, all_quiet, INT64_MAX);
}

/* Some agents side by side, with calls beside the probe; once more those whose burst was poor. */
static void measure(struct session *session, size_t first, size_t count, size_t calls)
{
    for (unsigned bursts = 0; bursts < ENDS_BURSTS; bursts++) {
        for (size_t i = first; i < first + count && i < session->agent_count; i++) {
            struct master_agent *agent = &session->agents[i];
            if (bursts == 0)
                start_burst(agent, BURST, calls, CLOCK_CALLS_MAX);
            else if (bursts == 1 || clock_points_last_is_poor(&agent->clock))
                start_burst(agent, BURST, 0, 0);
        }
        if (!session_wait(session, all_quiet, INT64_MAX))
            return;
    }
}

void clock_sync_all(struct session *session, bool must)
{
    size_t group = session->agent_count <= ALONE_MAX ? 1 : GROUP;
    session_wait(session, all_quiet, INT64_MAX);
    open_probes(session);
    if (!session->run.clock_before.known)
        session->run.clock_before = discipline_read();
    for (size_t first = 0; first < session->agent_count; first += group)
        measure(session, first, group, must ? CALLS_BEFORE : 1);
    clock_probe_warn(session);
    for (size_t i = 0; must && i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->clock.failure[0])
            session_agent_problem(agent, "its clock cannot be compared: %s", agent->clock.failure);
        else if (session_usable(agent) && clock_points_fit(agent).error_ns > ERROR_MAX_NS)
            session_agent_problem(agent, "its clock cannot be compared: its times make no sense");
    }
}

void clock_sync_refresh(struct session *session)
{
    clock_probe_take(session, after_probe);
    clock_probe_warn(session);
    for (size_t i = 0; i < session->agent_count; i++)
        start_burst(&session->agents[i], BURST_SHORT, 1, CALLS_SHORT);
}

void clock_sync_fini(struct session *session)
{
    clock_probe_fini(session);
}

/* ---- what comes of them ---- */

static void warn_of(struct session *session, const char *whose,
                    const struct clock_discipline *before, const struct clock_discipline *after)
{
    char text[512];
    double change = clock_discipline_change(before, after);
    if (change == 0)
        return;
    snprintf(
        text, sizeof text,
        "%s clock was made to run %.2f ppm %s during the run (NTP does that): the bound of its "
        "times says what is left of it",
        whose, fabs(change), change > 0 ? "faster" : "slower");
    session_warn(session, text);
}

void clock_sync_warn(struct session *session)
{
    clock_probe_warn(session);
    session->run.clock_after = discipline_read();
    warn_of(session, "the master's", &session->run.clock_before, &session->run.clock_after);
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        char whose[sizeof agent->title + 8];
        snprintf(whose, sizeof whose, "%s: its", agent->title);
        warn_of(session, whose, &agent->info.clock_before, &agent->info.clock_after);
    }
}
