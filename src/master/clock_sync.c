/* The fastest exchange of a burst gives one point (see clock_fit.h).  Bursts of several agents are
 * not mixed before and after the run, so that the master's own queue adds no asymmetry. */
#include "master/clock_sync.h"

#include <stdio.h>
#include <string.h>

#include "format/message.h"
#include "proto/agent.pb-c.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define BURST        COUNT_OF(((struct clock_sync *)0)->burst)
#define BURST_SHORT  8
#define EXCHANGE_MS  1000
#define ERROR_MAX_NS (EXCHANGE_MS * NS_PER_MS)
#define ALONE_MAX    16 /* up to so many agents each is measured alone */
#define GROUP        8

static void exchange(struct master_agent *agent);

/* Keeps the points' number bounded: every second one goes, but never the first. */
static void thin_out(struct clock_sync *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < sync->point_count; i += 2)
        sync->points[kept++] = sync->points[i];
    sync->point_count = kept;
}

static void end_burst(struct master_agent *agent)
{
    struct clock_sync *sync = &agent->clock;
    if (sync->made) {
        if (sync->point_count == CLOCK_POINTS_MAX)
            thin_out(sync);
        sync->points[sync->point_count++] = clock_best(sync->burst, sync->made);
        sync->exchanges += (uint32_t)sync->made;
    }
    sync->wanted = sync->made = 0;
}

static void fail_burst(struct master_agent *agent, const struct rpc_status *status)
{
    struct clock_sync *sync = &agent->clock;
    if (status->code == RPC_DEADLINE_EXCEEDED)
        snprintf(sync->failure, sizeof sync->failure, "an exchange took over %d ms", EXCHANGE_MS);
    else
        snprintf(sync->failure, sizeof sync->failure, "it does not answer any more (%s)",
                 status->text);
    end_burst(agent);
}

static void on_clock(struct rpc_call *call, const ProtobufCMessage *message,
                     const struct rpc_status *status, void *arg)
{
    int64_t now = clock_now();
    struct master_agent *agent = arg;
    struct clock_sync *sync = &agent->clock;
    (void)call;
    if (message) {
        const Tcpflowgen__ClockReply *reply = (const Tcpflowgen__ClockReply *)message;
        struct clock_exchange *exchange = &sync->burst[sync->made++];
        exchange->t2 = reply->received_ns;
        exchange->t3 = reply->sent_ns;
        exchange->t4 = now;
        if (now - exchange->t1 > sync->slowest_ns)
            sync->slowest_ns = now - exchange->t1;
        agent->heard_ns = now;
    } else if (status->code != RPC_OK) {
        fail_burst(agent, status);
    } else if (sync->made >= sync->wanted) {
        end_burst(agent);
    } else {
        exchange(agent);
    }
}

static void exchange(struct master_agent *agent)
{
    struct clock_sync *sync = &agent->clock;
    struct session *session = agent->session;
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    Tcpflowgen__Axis message;
    request.run = session->id;
    if (session->t0_ns && sync->made == 0 && sync->point_count > 1) {
        struct axis axis = clock_sync_axis(agent, clock_now() - session->t0_ns);
        message_from_axis(&message, &axis);
        request.axis = &message;
    }
    sync->burst[sync->made].t1 = clock_now();
    if (!rpc_start(agent->peer, &agent_methods[AGENT_CLOCK], &request.base, EXCHANGE_MS, false,
                   on_clock, agent))
        fail_burst(agent, &(struct rpc_status){RPC_RESOURCE_EXHAUSTED, "out of memory"});
}

static void start_burst(struct master_agent *agent, size_t count)
{
    if (!session_usable(agent) || agent->clock.wanted)
        return;
    agent->clock.wanted = count;
    agent->clock.failure[0] = '\0';
    exchange(agent);
}

static bool all_quiet(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (session->agents[i].clock.wanted)
            return false;
    return true;
}

void clock_sync_all(struct session *session, bool must)
{
    int64_t deadline = INT64_MAX; /* each exchange has its own */
    size_t group = session->agent_count <= ALONE_MAX ? 1 : GROUP;
    session_wait(session, all_quiet, deadline);
    for (size_t first = 0; first < session->agent_count; first += group) {
        for (size_t i = first; i < first + group && i < session->agent_count; i++)
            start_burst(&session->agents[i], BURST);
        session_wait(session, all_quiet, deadline);
    }
    for (size_t i = 0; must && i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->clock.failure[0])
            session_agent_problem(agent, "its clock cannot be compared: %s", agent->clock.failure);
        else if (session_usable(agent) && clock_sync_fit(agent).error_ns > ERROR_MAX_NS)
            session_agent_problem(agent, "its clock cannot be compared: its times make no sense");
    }
}

void clock_sync_refresh(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        start_burst(&session->agents[i], BURST_SHORT);
}

struct clock_fit clock_sync_fit(const struct master_agent *agent)
{
    const struct clock_sync *sync = &agent->clock;
    if (sync->point_count == 0)
        return (struct clock_fit){0};
    return clock_fit(sync->points, sync->point_count, sync->exchanges);
}

struct axis clock_sync_axis(const struct master_agent *agent, int64_t axis_ns)
{
    struct clock_fit fit = clock_sync_fit(agent);
    return (struct axis){
        .axis_ns = axis_ns,
        .local_ns = clock_fit_to_agent(&fit, agent->session->t0_ns + axis_ns),
        .rate = fit.rate,
    };
}
