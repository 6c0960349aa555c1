#include "master/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/agent.pb-c.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/waking.h"

#define TURN_MS        50 /* an interrupt is seen at least so soon */
#define TELL_MS        5000
#define TELL_SILENT_MS 1000
#define PING_NS        (1 * NS_PER_S) /* so long an agent may be silent before it is asked */

#define FORMAT(text, what)                             \
    do {                                               \
        va_list args;                                  \
        va_start(args, what);                          \
        vsnprintf((text), sizeof(text), (what), args); \
        va_end(args);                                  \
    } while (0)

void session_problem(struct session *session, const char *where, const char *what, ...)
{
    char text[384];
    FORMAT(text, what);
    struct error err = {0};
    error_set(&err, ERROR_AGENT, where, "%s", text);
    error_list_add(session->problems, &err);
}

static void refuse(struct session *session, uint32_t index, const char *why)
{
    struct master_flow *flow = &session->flows[index];
    if (!flow->refused)
        snprintf(flow->error, sizeof flow->error, "%.*s", (int)sizeof flow->error - 1, why);
    flow->refused = true;
}

/* Told once: as a problem that keeps the run from starting, or as what best_effort goes on without.
 */
static void tell(struct session *session, const struct error *err)
{
    char text[sizeof *err];
    if (session->options->best_effort)
        log_warning("%s", error_text(err, text, sizeof text));
    else
        error_list_add(session->problems, err);
}

void session_flow_error(struct session *session, uint32_t flow, const struct error *why)
{
    struct error err = *why;
    char text[sizeof err];
    err.where[0] = '\0';
    error_text(&err, text, sizeof text);
    error_where(&err, "flows[%u] (id %d)", flow, session->plan->flows[flow].id);
    tell(session, &err);
    refuse(session, flow, text);
}

void session_flow_problem(struct session *session, uint32_t flow, const char *what, ...)
{
    char text[384];
    struct error err = {0};
    FORMAT(text, what);
    error_set(&err, ERROR_AGENT, NULL, "%s", text);
    session_flow_error(session, flow, &err);
}

void session_agent_error(struct master_agent *agent, const struct error *why)
{
    struct session *session = agent->session;
    struct error err = *why;
    char text[sizeof err];
    err.where[0] = '\0';
    error_text(&err, text, sizeof text);
    error_where(&err, "%s", agent->title);
    tell(session, &err);
    agent->refused = true;
    for (uint32_t i = 0; i < session->plan->flow_count; i++)
        if (session_agent(session, i, END_SRC) == agent ||
            session_agent(session, i, END_DST) == agent)
            refuse(session, i, text);
}

void session_agent_problem(struct master_agent *agent, const char *what, ...)
{
    char text[384];
    struct error err = {0};
    FORMAT(text, what);
    error_set(&err, ERROR_AGENT, NULL, "%s", text);
    session_agent_error(agent, &err);
}

void session_warn(struct session *session, const char *text)
{
    log_warning("%s", text);
    run_info_add_warning(&session->run, text);
}

void session_trouble(struct session *session, const char *text)
{
    log_error("%s", text);
    run_info_add_event(&session->run, session->t0_ns ? clock_now() - session->t0_ns : 0, text);
    session->troubled = true;
}

bool session_usable(const struct master_agent *agent)
{
    return agent->peer && !agent->refused && !agent->info.lost;
}

struct master_agent *session_agent(const struct session *session, uint32_t flow, enum flow_end end)
{
    const struct plan_flow *plan = &session->plan->flows[flow];
    return session->hosts[end == END_SRC ? plan->src : plan->dst].agent;
}

ProtobufCBinaryData session_secret(struct session *session)
{
    return (ProtobufCBinaryData){.len = SECRET_SIZE, .data = session->secret};
}

static void on_reply(struct rpc_call *call, const ProtobufCMessage *message,
                     const struct rpc_status *status, void *arg)
{
    struct master_agent *agent = arg;
    bool current = agent->call == call; /* else it was cancelled, and another one came after it */
    if (message) {
        agent->heard_ns = session_now(agent->session);
        agent->silent = false;
        if (current && agent->reply)
            agent->reply(agent, message);
        return;
    }
    agent->session->outstanding--;
    if (!current)
        return;
    agent->call = NULL;
    if (agent->call_code != RPC_OK) /* it was given up */
        return;
    agent->call_code = status->code;
    agent->foreign = status->foreign;
    agent->silent |= status->code == RPC_DEADLINE_EXCEEDED;
    snprintf(agent->call_text, sizeof agent->call_text, "%s", status->text);
}

void session_call(struct master_agent *agent, enum agent_method method,
                  const ProtobufCMessage *request, int64_t deadline_ms, agent_reply *reply)
{
    agent->reply = reply;
    agent->call_code = RPC_OK;
    agent->asked_ns = session_now(agent->session);
    agent->session->outstanding++;
    agent->call = rpc_start(agent->peer, &agent_methods[method], request, deadline_ms, false,
                            on_reply, agent);
    if (!agent->call) {
        agent->call_code = RPC_RESOURCE_EXHAUSTED;
        snprintf(agent->call_text, sizeof agent->call_text, "out of memory");
        agent->session->outstanding--;
    }
}

int64_t session_now(const struct session *session)
{
    return rpc_loop_now(session->loop);
}

void session_turn(struct session *session)
{
    const int64_t missed = rpc_loop_missed(session->loop);
    rpc_loop_run(session->loop, TURN_MS);
    const int64_t pause = rpc_loop_missed(session->loop) - missed;
    char text[192];
    if (pause < WAKING_PAUSE_NS)
        return;
    snprintf(text, sizeof text,
             "the master did not run for %.1f s (stopped, suspended, or without CPU), and gave its "
             "agents that much longer",
             (double)pause / (double)NS_PER_S);
    session_warn(session, text);
}

bool session_wait(struct session *session, bool (*done)(struct session *session),
                  int64_t deadline_ns)
{
    int interrupts = session->interrupts;
    session_now(session); /* what the master did before is no pause */
    while (!done(session)) {
        if (session->interrupts > interrupts || session_now(session) >= deadline_ns)
            return false;
        session_turn(session);
    }
    return true;
}

static bool all_answered(struct session *session)
{
    return session->outstanding == 0;
}

static void settle(struct session *session, bool (*done)(struct session *session))
{
    if (session_wait(session, done, INT64_MAX))
        return;
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (!agent->call)
            continue;
        agent->silent = true;
        rpc_cancel(agent->call);
    }
}

void session_settle(struct session *session)
{
    settle(session, all_answered);
}

/* ---- calls that take long ---- */

static void on_ping(struct rpc_call *call, const ProtobufCMessage *message,
                    const struct rpc_status *status, void *arg)
{
    struct master_agent *agent = arg;
    (void)call;
    (void)status;
    if (message)
        agent->heard_ns = session_now(agent->session);
    else
        agent->ping = NULL;
}

static void ping(struct master_agent *agent)
{
    Tcpflowgen__ClockRequest request = TCPFLOWGEN__CLOCK_REQUEST__INIT;
    int64_t deadline_ms = agent->session->options->agent_timeout_ns / NS_PER_MS;
    agent->ping = rpc_start(agent->peer, &agent_methods[AGENT_CLOCK], &request.base, deadline_ms,
                            false, on_ping, agent);
}

static void give_up(struct master_agent *agent, int64_t quiet_ns)
{
    agent->silent = true;
    agent->call_code = RPC_DEADLINE_EXCEEDED;
    snprintf(agent->call_text, sizeof agent->call_text, "nothing heard from it for %lld s",
             (long long)(quiet_ns / NS_PER_S));
    rpc_cancel(agent->call);
}

static bool all_answered_or_given_up(struct session *session)
{
    int64_t now = session_now(session);
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (!agent->call || agent->call_code != RPC_OK)
            continue;
        int64_t heard = agent->heard_ns > agent->asked_ns ? agent->heard_ns : agent->asked_ns;
        if (now - heard > session->options->agent_timeout_ns)
            give_up(agent, now - heard);
        else if (now - heard > PING_NS && !agent->ping)
            ping(agent);
    }
    return all_answered(session);
}

void session_settle_long(struct session *session)
{
    settle(session, all_answered_or_given_up);
}

static bool send_a_piece(struct session *session, const struct session_pieces *pieces, size_t *next)
{
    bool sent = false;
    for (size_t i = 0; i < session->agent_count; i++)
        if (session_usable(&session->agents[i]))
            sent |= pieces->send(&session->agents[i], &next[i], pieces->arg);
    pieces->settle(session);
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && agent->call_code != RPC_OK)
            pieces->failed(agent);
    }
    return sent;
}

void session_send_pieces(struct session *session, const struct session_pieces *pieces)
{
    CLEANUP_FREE size_t *next = calloc(session->agent_count, sizeof *next);
    if (!next)
        session_problem(session, NULL, "out of memory");
    while (next && session->interrupts == 0 && send_a_piece(session, pieces, next))
        ;
}

void session_tell(struct master_agent *agent, enum agent_method method)
{
    Tcpflowgen__RunRequest request = TCPFLOWGEN__RUN_REQUEST__INIT;
    request.run = agent->session->id;
    request.secret = session_secret(agent->session);
    session_call(agent, method, &request.base, agent->silent ? TELL_SILENT_MS : TELL_MS, NULL);
}

void session_tell_all(struct session *session, enum agent_method method)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        /* One that was refused later may hold the run all the same. */
        bool concerned = method == AGENT_SHUTDOWN ? !agent->refused : agent->prepared;
        concerned |= method == AGENT_FORGET && agent->clock.target; /* the probe ends, too */
        if (concerned && agent->peer && !agent->info.lost)
            session_tell(agent, method);
    }
    session_wait(session, all_answered, INT64_MAX); /* each call has its deadline */
}
