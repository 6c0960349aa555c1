#include "master/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/machine_message.h"
#include "format/message.h"
#include "format/result_message.h"
#include "master/clock_points.h"
#include "master/output.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"

#define PIECE_ENDS    2000 /* in one call: well under 1 MiB */
#define PREPARE_MS    60000
#define ORDER_NS      (400 * NS_PER_MS) /* for the order to start, and more for slow agents */
#define ORDER_FLOW_NS (20 * NS_PER_US)
#define RECALL_NS     (150 * NS_PER_MS) /* between that and t0: to call it off everywhere */

#define SCENARIO_MAX (512u << 10) /* bytes of it that spools keep: a piece must stay small */

/* One piece for one agent: what goes over the wire, and the model it points into. */
struct piece {
    Tcpflowgen__PrepareRequest request;
    Tcpflowgen__EndSpec messages[PIECE_ENDS];
    Tcpflowgen__EndSpec *pointers[PIECE_ENDS];
    struct end_spec specs[PIECE_ENDS];
    Tcpflowgen__Run *about; /* owned; NULL: no memory, and the spools do without */
};

/* A spool tells the settings of its own agent: those of all would make a piece too large where
 * there are many.  Has the run tell those of the machine, which may have none. */
static void tell_settings(Tcpflowgen__Run *about, uint32_t place, const struct machine *machine)
{
    Tcpflowgen__RunAgent *agent = about->agents[place];
    bool failed = false; /* the spool does without */
    settings_free(agent->settings, agent->n_settings);
    agent->settings = settings_to_messages(machine, &agent->n_settings, &failed);
}

/* Whether an agent may say it. */
static bool is_sound(const struct master_agent *agent, const Tcpflowgen__EndReady *ready)
{
    const struct session *session = agent->session;
    if (ready->flow >= session->plan->flow_count || ready->end > END_DST ||
        session_agent(session, ready->flow, (enum flow_end)ready->end) != agent)
        return false;
    bool listens = ready->end == END_DST && !ready->error[0];
    return listens ? ready->port >= 1 && ready->port <= UINT16_MAX : true;
}

static void warn_of_metrics(struct master_agent *agent, const struct cached_metrics *metrics,
                            size_t others)
{
    char more[48] = "", text[768];
    if (others)
        snprintf(more, sizeof more, " and %zu more like it", others);
    snprintf(text, sizeof text,
             "%s remembers its peer %s (reordering %u, ssthresh %u)%s from earlier "
             "connections, and flows start with that: --flush-metrics empties the cache, sysctl "
             "net.ipv4.tcp_no_metrics_save=1 keeps it empty",
             agent->title, metrics->peer, metrics->reordering, metrics->ssthresh, more);
    session_warn(agent->session, text);
}

/* An answer's lines. */
static void tell_problems(const struct master_agent *agent, uint32_t flow, const char *lines)
{
    for (size_t size; *lines; lines += size + (lines[size] == '\n')) {
        size = strcspn(lines, "\n");
        session_flow_problem(agent->session, flow, "%s: %.*s", agent->title,
                             (int)(size < PROBLEMS_MAX ? size : PROBLEMS_MAX), lines);
    }
}

/* What a kernel remembers of earlier connections is no figure of this run's network. */
static void take_metrics(struct master_agent *agent, const Tcpflowgen__PrepareReply *reply)
{
    struct machine *about = &agent->info.about;
    const struct cached_metrics *first = NULL;
    size_t count = 0;
    const size_t known = about->metrics_count;
    if (metrics_from_messages(about, reply->metrics, reply->n_metrics))
        session_agent_problem(agent, "out of memory");
    about->metrics_flushed |= reply->metrics_flushed;
    for (size_t i = known; i < about->metrics_count && !about->metrics_flushed; i++) {
        if (!about->metrics[i].matters)
            continue;
        if (!first)
            first = &about->metrics[i];
        count++;
    }
    if (first && !agent->session->options->flush_metrics)
        warn_of_metrics(agent, first, count - 1);
}

void prepare_take(struct master_agent *agent, const ProtobufCMessage *message)
{
    const Tcpflowgen__PrepareReply *reply = (const Tcpflowgen__PrepareReply *)message;
    struct session *session = agent->session;
    agent->info.interval_ns = reply->interval_ns;
    take_metrics(agent, reply);
    for (size_t i = 0; i < reply->n_ends; i++) {
        const Tcpflowgen__EndReady *ready = reply->ends[i];
        if (!is_sound(agent, ready)) {
            session_agent_problem(agent, "it answers for flows that are not its own, or with ports "
                                         "that are none");
            return;
        }
        if (ready->error[0])
            tell_problems(agent, ready->flow, ready->error);
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
        .capture = plan->capture,
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
    piece->messages[n].src_host = session->plan->flows[index].src;
    piece->messages[n].dst_host = session->plan->flows[index].dst;
    piece->pointers[n] = &piece->messages[n];
}

/* Of a flow that was refused, the source is checked all the same: all that is wrong is told at
 * once. */
static bool is_due(const struct master_flow *flow, enum flow_end end)
{
    return !flow->refused || (end == END_SRC && *flow->address[END_DST] && flow->port == 0);
}

/* Sends the agent's next ends from *next on; false if there is none. */
static bool send_piece(struct master_agent *agent, struct piece *piece, enum flow_end end,
                       size_t *next)
{
    struct session *session = agent->session;
    const struct plan *plan = session->plan;
    char *interfaces[HOST_INTERFACES_MAX];
    tcpflowgen__prepare_request__init(&piece->request);
    piece->request.run = session->id;
    piece->request.secret = session_secret(session);
    piece->request.interval_ns = plan->interval_ns;
    piece->request.read_size = plan->read_size;
    piece->request.write_size = plan->write_size;
    piece->request.lead_ns = session->options->lead_ns;
    piece->request.flow_key = (ProtobufCBinaryData){FLOW_KEY_SIZE, session->flow_key};
    piece->request.ends = piece->pointers;
    piece->request.ends_total = agent->end_count;
    piece->request.until_stop = agent->sampled;
    /* Not for a run that will not be. */
    piece->request.flush_metrics = session->options->flush_metrics && session->problems->count == 0;
    piece->request.interfaces = interfaces;
    piece->request.n_interfaces = agent->interface_count;
    for (size_t i = 0; i < agent->interface_count; i++)
        interfaces[i] = agent->interfaces[i];
    for (; *next < plan->flow_count && piece->request.n_ends < PIECE_ENDS; ++*next) {
        const struct plan_flow *flow = &plan->flows[*next];
        const struct master_host *host = &session->hosts[end == END_SRC ? flow->src : flow->dst];
        if (host->agent == agent && is_due(&session->flows[*next], end))
            add_end(piece, session, (uint32_t)*next, end);
    }
    bool first = agent->sampled && !agent->prepared; /* a run of its own, also without ends */
    if (piece->request.n_ends == 0 && !first)
        return false;
    Tcpflowgen__Run *about = agent->prepared ? NULL : piece->about;
    piece->request.about = about;
    piece->request.agent = output_place(agent);
    agent->first_piece = !agent->prepared;
    agent->prepared = true; /* whatever the answer: it may come too late */
    if (about)
        tell_settings(about, piece->request.agent, &agent->info.about);
    session_call(agent, AGENT_PREPARE, &piece->request.base, PREPARE_MS, prepare_take);
    if (about)
        tell_settings(about, piece->request.agent, &(struct machine){0});
    return true;
}

/* The run, for the agents' spools, without the agents' settings; NULL: no memory. */
static Tcpflowgen__Run *describe(const struct session *session)
{
    struct run_info run = {.warnings = session->run.warnings,
                           .warning_count = session->run.warning_count};
    Tcpflowgen__Run *about = NULL;
    const bool told = output_describe(session, &run, NULL) == 0;
    for (size_t i = 0; i < run.agent_count; i++)
        run.agents[i].about = (struct machine){0}; /* a copy: the session has it */
    if (told)
        about = run_to_message(&run);
    if (about && strlen(about->scenario) > SCENARIO_MAX)
        about->scenario[0] = '\0';
    output_disown(&run);
    run.warnings = NULL;
    run.warning_count = 0;
    run_info_fini(&run);
    return about;
}

/* The agent refused it; of a run whose first piece it refused it has nothing to be stopped. */
static void note_refusal(struct master_agent *agent)
{
    const int code = agent->call_code;
    const bool nothing_there = code == RPC_INVALID_ARGUMENT || code == RPC_PERMISSION_DENIED ||
                               code == RPC_FAILED_PRECONDITION;
    if (agent->first_piece && nothing_there)
        agent->prepared = false;
    session_agent_problem(agent, "%s", agent->call_text);
}

/* All agents take a piece at a time, side by side. */
static void prepare_ends(struct session *session, enum flow_end end)
{
    size_t *next = calloc(session->agent_count, sizeof *next);
    struct piece *piece = calloc(1, sizeof *piece);
    bool more = next && piece;
    if (!more)
        session_problem(session, NULL, "out of memory");
    if (more)
        piece->about = describe(session);
    while (more && session->interrupts == 0) {
        more = false;
        for (size_t i = 0; i < session->agent_count; i++)
            if (session_usable(&session->agents[i]))
                more |= send_piece(&session->agents[i], piece, end, &next[i]);
        session_settle_long(session);
        for (size_t i = 0; i < session->agent_count; i++) {
            struct master_agent *agent = &session->agents[i];
            if (session_usable(agent) && agent->call_code != RPC_OK)
                note_refusal(agent);
        }
    }
    if (piece && piece->about)
        tcpflowgen__run__free_unpacked(piece->about, NULL);
    free(piece);
    free(next);
}

void prepare_all(struct session *session)
{
    random_bytes(session->flow_key, FLOW_KEY_SIZE);
    for (size_t i = 0; i < session->plan->flow_count; i++)
        random_bytes(session->flows[i].token, TOKEN_SIZE);
    prepare_ends(session, END_DST);
    prepare_ends(session, END_SRC);
}

/* ---- start ---- */

static int64_t order_ns(const struct session *session)
{
    int64_t slowest = 0;
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->clock.slowest_ns > slowest)
            slowest = agent->clock.slowest_ns;
    }
    /* The order is one round trip; the rest is for busy agents, of which many, or such with many
     * flows, take longer: how busy they may be is told by the slowest exchange. */
    return ORDER_NS + 5 * slowest + (int64_t)session->agent_count * NS_PER_MS +
           (int64_t)session->plan->flow_count * ORDER_FLOW_NS;
}

static void blame_late(struct master_agent *agent, int64_t order_ns)
{
    session_agent_problem(
        agent, "it did not take the order to start within %lld ms: it hangs, or is too busy",
        (long long)(order_ns / NS_PER_MS));
}

/* Who did not confirm in time has no part in the run, even if the order is on its way. */
static void exclude(struct master_agent *agent, int64_t order_ns)
{
    struct session *session = agent->session;
    agent->late = agent->call_code == RPC_DEADLINE_EXCEEDED;
    if (agent->late && session->may_retry) {
        session->late_ns = order_ns;
        return;
    }
    if (agent->late)
        blame_late(agent, order_ns);
    else
        session_agent_problem(agent, "it could not be started: %s", agent->call_text);
    if (session->options->best_effort)
        session_tell(agent, AGENT_STOP);
}

static void order_start(struct master_agent *agent, int64_t deadline_ms)
{
    struct axis axis = clock_points_axis(agent, 0);
    Tcpflowgen__Axis message;
    message_from_axis(&message, &axis);
    Tcpflowgen__StartRequest request = TCPFLOWGEN__START_REQUEST__INIT;
    request.run = agent->session->id;
    request.secret = session_secret(agent->session);
    request.axis = &message;
    session_call(agent, AGENT_START, &request.base, deadline_ms, NULL);
}

void prepare_start(struct session *session)
{
    const int64_t order = order_ns(session);
    session->t0_ns = clock_now() + order + RECALL_NS;
    session->run.t0_ns = session->t0_ns;
    session->run.started_unix_ns = clock_now_unix() + session->t0_ns - clock_now();
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->prepared)
            order_start(agent, order / NS_PER_MS);
    }
    session_settle(session);
    for (size_t i = 0; i < session->agent_count && !session->interrupts; i++) {
        struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->prepared && agent->call_code != RPC_OK)
            exclude(agent, order);
    }
}

void prepare_judge_late(struct session *session)
{
    const bool others = session->problems->count > 0;
    for (size_t i = 0; session->late_ns && i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (agent->late && (others || agent->call_code != RPC_OK))
            blame_late(agent, session->late_ns);
    }
    if (session->problems->count || session->interrupts)
        session->late_ns = 0;
}
