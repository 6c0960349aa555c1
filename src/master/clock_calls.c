#include "master/clock_calls.h"

#include <stdio.h>

#include "format/message.h"
#include "master/clock_points.h"
#include "proto/agent.pb-c.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define EXCHANGE_MS 1000

static void exchange(struct master_agent *agent);

static void end_burst(struct master_agent *agent)
{
    struct clock_sync *sync = &agent->clock;
    if (sync->made && sync->probe != PROBE_READY)
        clock_points_add(agent, sync->burst, sync->made);
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
        const int64_t took = session_now(agent->session) - sync->asked_ns;
        if (took > sync->slowest_ns)
            sync->slowest_ns = took;
        if (reply->discipline)
            agent->info.clock_after = message_to_discipline(reply->discipline);
        agent->heard_ns = session_now(agent->session);
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
        struct axis axis = clock_points_axis(agent, clock_now() - session->t0_ns);
        message_from_axis(&message, &axis);
        request.axis = &message;
        request.secret = session_secret(session);
    }
    sync->asked_ns = session_now(session);
    sync->burst[sync->made] = (struct clock_exchange){.t1 = clock_now(), .method = CLOCK_RPC};
    if (!rpc_start(agent->peer, &agent_methods[AGENT_CLOCK], &request.base, EXCHANGE_MS, false,
                   on_clock, agent))
        fail_burst(agent,
                   &(struct rpc_status){RPC_RESOURCE_EXHAUSTED, "out of memory", false, false});
}

void clock_calls_start(struct master_agent *agent, size_t count)
{
    if (agent->clock.wanted || !session_usable(agent))
        return;
    agent->clock.wanted = count;
    agent->clock.failure[0] = '\0';
    exchange(agent);
}
