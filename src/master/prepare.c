#include "master/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/machine_message.h"
#include "format/message.h"
#include "master/clock_points.h"
#include "master/prepare_piece.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"

#define PREPARE_MS    60000
#define LINES_MAX     16                /* of an end's answer */
#define ORDER_NS      (400 * NS_PER_MS) /* for the order to start, and more for slow agents */
#define ORDER_FLOW_NS (20 * NS_PER_US)
#define RECALL_NS     (150 * NS_PER_MS) /* between that and t0: to call it off everywhere */

/* Whether an agent may say it, once. */
static bool is_sound(const struct master_agent *agent, const Tcpflowgen__EndReady *ready)
{
    const struct session *session = agent->session;
    if (ready->flow >= session->plan->flow_count || ready->end > END_DST ||
        session_agent(session, ready->flow, (enum flow_end)ready->end) != agent ||
        session->flows[ready->flow].answered[ready->end])
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

/* The cure in a line, as far as the agent's Hello said the same, and what its cure is; "": none. */
static const char *cure_of(const struct master_agent *agent, const char *line)
{
    const struct error_list *told = agent->session->problems;
    char text[sizeof(struct error)];
    for (size_t i = 0; i < told->count; i++) {
        struct error same = told->items[i];
        if (strcmp(same.where, agent->title) != 0)
            continue;
        same.where[0] = '\0';
        if (strcmp(error_text(&same, text, sizeof text), line) == 0)
            return told->items[i].cure;
    }
    return "";
}

static void tell_line(const struct master_agent *agent, uint32_t flow, const char *line)
{
    const char *cure = cure_of(agent, line);
    const size_t size = strlen(line) - (*cure ? strlen(cure) + strlen(" ()") : 0);
    struct error err = {0};
    error_set(&err, ERROR_AGENT, NULL, "%s: %.*s", agent->title, (int)size, line);
    error_cure(&err, "%s", cure);
    session_flow_error(agent->session, flow, &err);
}

/* An answer's lines, of which no agent has more. */
static void tell_problems(const struct master_agent *agent, uint32_t flow, const char *lines)
{
    size_t size;
    char line[PROBLEMS_MAX];
    for (int i = 0; *lines && i < LINES_MAX; i++, lines += size + (lines[size] == '\n')) {
        size = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(size < PROBLEMS_MAX ? size : PROBLEMS_MAX),
                 lines);
        tell_line(agent, flow, line);
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

static bool is_interval(const struct session *session, int64_t interval_ns)
{
    const int64_t asked = session->plan->interval_ns;
    return asked ? interval_ns == asked
                 : interval_ns >= INTERVAL_MIN_NS && interval_ns <= INTERVAL_MAX_NS;
}

void prepare_take(struct master_agent *agent, const ProtobufCMessage *message)
{
    const Tcpflowgen__PrepareReply *reply = (const Tcpflowgen__PrepareReply *)message;
    struct session *session = agent->session;
    if (!is_interval(session, reply->interval_ns)) {
        session_agent_problem(agent, "it would sample at an interval that it was not asked for");
        return;
    }
    agent->info.interval_ns = reply->interval_ns;
    take_metrics(agent, reply);
    for (size_t i = 0; i < reply->n_ends; i++) {
        const Tcpflowgen__EndReady *ready = reply->ends[i];
        if (!is_sound(agent, ready)) {
            session_agent_problem(agent, "it answers for flows that are not its own, twice, or "
                                         "with ports that are none");
            return;
        }
        session->flows[ready->flow].answered[ready->end] = true;
        if (ready->error[0])
            tell_problems(agent, ready->flow, ready->error);
        else if (ready->end == END_DST)
            session->flows[ready->flow].port = (uint16_t)ready->port;
    }
}

/* Ends of one kind. */
struct preparing {
    struct prepare_piece *piece;
    enum flow_end end;
};

static bool send_piece(struct master_agent *agent, size_t *next, void *arg)
{
    const struct preparing *this = arg;
    const Tcpflowgen__PrepareRequest *request =
        prepare_piece_next(this->piece, agent, this->end, next);
    if (!request)
        return false;
    agent->first_piece = !agent->prepared;
    agent->prepared = true; /* whatever the answer: it may come too late */
    session_call(agent, AGENT_PREPARE, &request->base, PREPARE_MS, prepare_take);
    agent->told_bytes += protobuf_c_message_get_packed_size(&request->base);
    return true;
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

static void prepare_ends(struct session *session, enum flow_end end)
{
    struct preparing this = {prepare_piece_create(session), end};
    const struct session_pieces pieces = {send_piece, &this, session_settle_long, note_refusal};
    if (this.piece)
        session_send_pieces(session, &pieces);
    else
        session_problem(session, NULL, "out of memory");
    prepare_piece_free(this.piece);
}

static void check_answers(struct session *session, enum flow_end end)
{
    for (uint32_t i = 0; i < session->plan->flow_count && !session->interrupts; i++) {
        struct master_agent *agent = session_agent(session, i, end);
        if (!session->flows[i].refused && !session->flows[i].answered[end] && session_usable(agent))
            session_agent_problem(agent, "it did not answer for flow %d, which it was to prepare",
                                  session->plan->flows[i].id);
    }
}

void prepare_all(struct session *session)
{
    random_bytes(session->flow_key, FLOW_KEY_SIZE);
    for (size_t i = 0; i < session->plan->flow_count; i++)
        random_bytes(session->flows[i].token, TOKEN_SIZE);
    prepare_ends(session, END_DST);
    check_answers(session, END_DST);
    prepare_ends(session, END_SRC);
    check_answers(session, END_SRC);
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
