#include "master/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/message.h"
#include "master/clock_sync.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"

#define PIECE_ENDS     2000 /* in one call: well under 1 MiB */
#define PREPARE_MS     60000
#define START_MS       5000
#define MARGIN_NS      (400 * NS_PER_MS) /* from the order to start to t0, and more for slow agents */
#define MARGIN_FLOW_NS (20 * NS_PER_US)

/* One piece for one agent: what goes over the wire, and the model it points into. */
struct piece {
    Tcpflowgen__PrepareRequest request;
    Tcpflowgen__EndSpec messages[PIECE_ENDS];
    Tcpflowgen__EndSpec *pointers[PIECE_ENDS];
    struct end_spec specs[PIECE_ENDS];
};

static void on_prepared(struct master_agent *agent, const ProtobufCMessage *message)
{
    const Tcpflowgen__PrepareReply *reply = (const Tcpflowgen__PrepareReply *)message;
    struct session *session = agent->session;
    agent->info.interval_ns = reply->interval_ns;
    for (size_t i = 0; i < reply->n_ends; i++) {
        const Tcpflowgen__EndReady *ready = reply->ends[i];
        if (ready->flow >= session->plan->flow_count)
            continue;
        if (ready->error[0])
            session_flow_problem(session, ready->flow, "agent %s: %s", agent->mgmt, ready->error);
        else if (ready->end == END_DST)
            session->flows[ready->flow].port = (uint16_t)ready->port;
    }
}

static void fill_spec(struct end_spec *spec, const struct session *session, uint32_t index,
                      enum flow_end end)
{
    const struct plan_flow *plan = &session->plan->flows[index];
    const struct master_flow *flow = &session->flows[index];
    enum flow_end other = end == END_SRC ? END_DST : END_SRC;
    uint32_t host = end == END_SRC ? plan->src : plan->dst;
    *spec = (struct end_spec){
        .flow = index,
        .id = plan->id,
        .end = end,
        .source = end == END_SRC,
        .sink = end == END_DST,
        .start_ns = plan->start_ns,
        .duration_ns = plan->duration_ns,
        .peer_port = end == END_SRC ? flow->port : 0,
        .ecn = plan->ecn,
        .nodelay = plan->nodelay,
        .tuning = plan->tuning,
        .connect = plan->connect,
        .finish = plan->finish,
    };
    strcpy(spec->local_address, flow->bind[end]);
    strcpy(spec->peer_address, flow->address[other]);
    strcpy(spec->ccalg, plan->ccalg);
    snprintf(spec->device, sizeof spec->device, "%s", session->plan->hosts[host].device);
    memcpy(spec->token, flow->token, TOKEN_SIZE);
}

static void add_end(struct piece *piece, const struct session *session, uint32_t index,
                    enum flow_end end)
{
    size_t n = piece->request.n_ends++;
    fill_spec(&piece->specs[n], session, index, end);
    message_from_end_spec(&piece->messages[n], &piece->specs[n]);
    piece->pointers[n] = &piece->messages[n];
}

/* Sends the agent's next ends from *next on; false if there is none. */
static bool send_piece(struct master_agent *agent, struct piece *piece, enum flow_end end,
                       size_t *next)
{
    struct session *session = agent->session;
    const struct plan *plan = session->plan;
    tcpflowgen__prepare_request__init(&piece->request);
    piece->request.run = session->id;
    piece->request.interval_ns = plan->interval_ns;
    piece->request.read_size = plan->read_size;
    piece->request.write_size = plan->write_size;
    piece->request.lead_ns = session->options->lead_ns;
    piece->request.ends = piece->pointers;
    piece->request.ends_total = agent->end_count;
    for (; *next < plan->flow_count && piece->request.n_ends < PIECE_ENDS; ++*next) {
        const struct plan_flow *flow = &plan->flows[*next];
        const struct master_host *host = &session->hosts[end == END_SRC ? flow->src : flow->dst];
        if (host->agent == agent && !session->flows[*next].refused)
            add_end(piece, session, (uint32_t)*next, end);
    }
    if (piece->request.n_ends == 0)
        return false;
    agent->prepared = true; /* whatever the answer: it may come too late */
    session_call(agent, AGENT_PREPARE, &piece->request.base, PREPARE_MS, on_prepared);
    return true;
}

/* All agents take a piece at a time, side by side. */
static void prepare_ends(struct session *session, enum flow_end end)
{
    size_t *next = calloc(session->agent_count, sizeof *next);
    struct piece *piece = malloc(sizeof *piece);
    bool more = next && piece;
    if (!more)
        session_problem(session, NULL, "out of memory");
    while (more && session->interrupts == 0) {
        more = false;
        for (size_t i = 0; i < session->agent_count; i++)
            if (session_usable(&session->agents[i]))
                more |= send_piece(&session->agents[i], piece, end, &next[i]);
        session_settle(session);
        for (size_t i = 0; i < session->agent_count; i++) {
            struct master_agent *agent = &session->agents[i];
            if (session_usable(agent) && agent->call_code != RPC_OK)
                session_agent_problem(agent, "%s", agent->call_text);
        }
    }
    free(piece);
    free(next);
}

void prepare_all(struct session *session)
{
    for (size_t i = 0; i < session->plan->flow_count; i++)
        random_bytes(session->flows[i].token, TOKEN_SIZE);
    prepare_ends(session, END_DST);
    prepare_ends(session, END_SRC);
}

/* ---- start ---- */

static int64_t margin_ns(const struct session *session)
{
    int64_t slowest = 0;
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->clock.slowest_ns > slowest)
            slowest = agent->clock.slowest_ns;
    }
    /* The order is one round trip; the rest is for busy agents, of which many, or such with many
     * flows, take longer: how busy they may be is told by the slowest exchange. */
    return MARGIN_NS + 5 * slowest + (int64_t)session->agent_count * NS_PER_MS +
           (int64_t)session->plan->flow_count * MARGIN_FLOW_NS;
}

void prepare_start(struct session *session)
{
    session->t0_ns = clock_now() + margin_ns(session);
    session->run.t0_ns = session->t0_ns;
    session->run.started_unix_ns = clock_now_unix() + session->t0_ns - clock_now();
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (!session_usable(agent) || !agent->prepared)
            continue;
        struct axis axis = clock_sync_axis(agent, 0);
        Tcpflowgen__Axis message;
        message_from_axis(&message, &axis);
        Tcpflowgen__StartRequest request = TCPFLOWGEN__START_REQUEST__INIT;
        request.run = session->id;
        request.axis = &message;
        session_call(agent, AGENT_START, &request.base, START_MS, NULL);
    }
    session_settle(session);
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->prepared && agent->call_code != RPC_OK)
            session_agent_problem(agent, "it could not be started: %s", agent->call_text);
    }
    if (session->problems->count == 0 && !session->interrupts && clock_now() >= session->t0_ns)
        session_problem(session, NULL, "the agents took too long to take the order to start");
}
