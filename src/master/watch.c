/* A stream that breaks is taken up again where it stopped: the agent's spool keeps everything.
 * An agent from which nothing is heard (streams carry a heartbeat) is lost after
 * agent_timeout_ns, one whose port refuses connections sooner. */
#include "master/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/segment.h"
#include "master/output.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"
#include "util/log.h"

#define RETRY_NS   (250 * NS_PER_MS)
#define REFUSED_NS (3 * NS_PER_S) /* a process that was killed does not come back with its run */

__attribute__((format(printf, 2, 3))) static void lose(struct master_agent *agent, const char *why,
                                                       ...)
{
    struct session *session = agent->session;
    char text[384], event[sizeof agent->title + sizeof agent->spools + 500];
    va_list args;
    va_start(args, why);
    vsnprintf(text, sizeof text, why, args);
    va_end(args);
    agent->ended = true;
    free(agent->info.lost);
    agent->info.lost = strdup(text);
    snprintf(event, sizeof event,
             "%s is lost: %s; its spool stays there%s%s: tcp-flowgen-%s-*.spool", agent->title,
             text, agent->spools[0] ? ", in " : "", agent->spools, session->id);
    session_trouble(session, event);
}

/* ---- records ---- */

static void take_report(struct session *session, const struct end_report *report)
{
    struct master_flow *flow = &session->flows[report->flow];
    if (flow->report[report->end])
        return;
    flow->report[report->end] = malloc(sizeof *report);
    if (!flow->report[report->end])
        return;
    *flow->report[report->end] = *report;
    session->ends_over++;
    if (report->status != END_FAILED)
        return;
    session->ends_failed++;
    const struct plan_flow *plan = &session->plan->flows[report->flow];
    log_warning("flow %d, %s end (%s): %s", plan->id, report->end == END_SRC ? "src" : "dst",
                session->plan->hosts[report->end == END_SRC ? plan->src : plan->dst].name,
                report->error);
}

static void take_capture(struct session *session, const struct capture_report *captured)
{
    struct capture_report **place = &session->flows[captured->flow].captured[captured->end];
    if (!*place)
        *place = malloc(sizeof **place);
    if (*place)
        **place = *captured;
}

static void take_run_end(struct master_agent *agent, const struct spool_head *head)
{
    char event[sizeof agent->title + 640];
    agent->ended = true;
    agent->info.other_runs = head->other_runs;
    if (!head->problem[0])
        return;
    snprintf(event, sizeof event, "%s: %s", agent->title, head->problem);
    session_trouble(agent->session, event);
}

static int take_host_rows(struct master_agent *agent, const struct spool_head *head,
                          const ProtobufCBinaryData *record, struct error *err)
{
    struct session *session = agent->session;
    int failed =
        collect_add(session->collect, output_place(agent), head, record->data, record->len, err);
    if (failed)
        return failed;
    return spool_record_host_rows(record->data, record->len, &agent->info.host,
                                  host_series_limit(session->agent_count), err);
}

/* It comes again if it could not be kept: what it says counts once. */
static int take_record(struct master_agent *agent, const ProtobufCBinaryData *record,
                       struct error *err)
{
    struct session *session = agent->session;
    struct spool_head head;
    int failed = spool_record_head(record->data, record->len, &head, err);
    if (failed)
        return failed;
    if (head.kind == SPOOL_PREPARE || head.kind == SPOOL_AXIS ||
        head.kind == SPOOL_RUN_END) { /* should only the part file be left */
        failed = collect_add(session->collect, output_place(agent), &head, record->data,
                             record->len, err);
        if (!failed && head.kind == SPOOL_RUN_END)
            take_run_end(agent, &head);
        return failed;
    }
    if (head.kind == SPOOL_HOST)
        return take_host_rows(agent, &head, record, err);
    if (head.flow >= session->plan->flow_count ||
        session_agent(session, head.flow, head.end) != agent)
        return error_set(err, ERROR_AGENT, NULL, "a record of a flow that is not its own");
    if (head.kind == SPOOL_READY && !session->flows[head.flow].ready[head.end]) {
        session->flows[head.flow].ready[head.end] = true;
        session->ends_ready++;
    } else if (head.kind == SPOOL_REPORT) {
        take_report(session, &head.report);
    } else if (head.kind == SPOOL_CAPTURED) {
        take_capture(session, &head.captured);
    }
    return collect_add(session->collect, output_place(agent), &head, record->data, record->len,
                       err);
}

/* Our disk is full: the agent's spool keeps what was not taken, and it is asked for again from
 * there on. */
static void get_stuck(struct master_agent *agent, const struct error *err)
{
    struct session *session = agent->session;
    if (!session->stuck) {
        char text[sizeof *err], warning[sizeof text + 64];
        snprintf(warning, sizeof warning, "%s; until then the agents keep their samples",
                 error_text(err, text, sizeof text));
        session_warn(session, warning);
    }
    session->stuck = true;
    rpc_cancel(agent->watch);
}

static void get_going(struct session *session)
{
    if (session->stuck)
        log_info("%s can be written again", collect_path(session->collect));
    session->stuck = false;
}

/* Takes the offset along, record by record.  False if this stream is of no use any more. */
static bool take_records(struct master_agent *agent, const Tcpflowgen__WatchReply *reply)
{
    for (size_t i = 0; i < reply->n_records; i++) {
        struct error err = {0};
        char text[sizeof err];
        int failed = take_record(agent, &reply->records[i], &err);
        if (failed == ERROR_SYSTEM)
            get_stuck(agent, &err);
        else if (failed)
            lose(agent, "%s", error_text(&err, text, sizeof text));
        if (failed)
            return false;
        get_going(agent->session);
        agent->watch_offset += segment_step(reply->records[i].len);
    }
    return true;
}

static void on_watch(struct rpc_call *call, const ProtobufCMessage *message,
                     const struct rpc_status *status, void *arg)
{
    struct master_agent *agent = arg;
    int64_t now = session_now(agent->session);
    (void)call;
    if (!message) {
        agent->watch = NULL;
        agent->retry_ns = now + RETRY_NS;
        /* Not a connection that broke, which a network does that may heal. */
        bool gone = status->nobody && now - agent->heard_ns > REFUSED_NS;
        if (!agent->ended && (status->code == RPC_NOT_FOUND || gone))
            lose(agent, "%s", status->text);
        return;
    }
    const Tcpflowgen__WatchReply *reply = (const Tcpflowgen__WatchReply *)message;
    agent->heard_ns = now;
    agent->received_bytes = reply->received_bytes;
    if (agent->ended || reply->offset != agent->watch_offset)
        return;
    if (take_records(agent, reply))
        agent->watch_offset = reply->next_offset;
}

/* ---- streams ---- */

static void watch(struct master_agent *agent)
{
    Tcpflowgen__WatchRequest request = TCPFLOWGEN__WATCH_REQUEST__INIT;
    request.run = agent->session->id;
    request.secret = session_secret(agent->session);
    request.offset = agent->watch_offset;
    agent->watch = rpc_start(agent->peer, &agent_methods[AGENT_WATCH], &request.base, -1, false,
                             on_watch, agent);
}

void watch_start(struct session *session)
{
    int64_t now = session_now(session);
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        agent->heard_ns = now;
        if (session_usable(agent) && agent->prepared)
            watch(agent);
        else
            agent->ended = true;
    }
}

void watch_tend(struct session *session)
{
    const int64_t now_ns = session_now(session), timeout = session->options->agent_timeout_ns;
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (agent->ended)
            continue;
        if (now_ns - agent->heard_ns > timeout) {
            lose(agent, "nothing heard from it for %lld s", (long long)(timeout / NS_PER_S));
            if (agent->watch)
                rpc_cancel(agent->watch);
        } else if (!agent->watch && now_ns >= agent->retry_ns) {
            watch(agent);
        }
    }
}

static bool no_streams(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (session->agents[i].watch)
            return false;
    return true;
}

void watch_end(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        agent->ended = true;
        if (agent->watch)
            rpc_cancel(agent->watch);
    }
    session_wait(session, no_streams, session_now(session) + NS_PER_S);
}

bool watch_flow_awaited(const struct session *session, size_t flow)
{
    const struct plan_flow *plan = &session->plan->flows[flow];
    const struct master_flow *state = &session->flows[flow];
    bool early = plan->connect == CONNECT_AHEAD && plan->start_ns < session->options->lead_ns;
    if (state->refused || !early)
        return false;
    bool awaited = false;
    for (int end = 0; end < 2; end++) {
        if (state->report[end] || session_agent(session, (uint32_t)flow, end)->info.lost)
            return false;
        awaited |= !state->ready[end];
    }
    return awaited;
}

bool watch_all_ready(struct session *session)
{
    for (size_t i = 0; i < session->plan->flow_count; i++)
        if (watch_flow_awaited(session, i))
            return false;
    return true;
}

bool watch_flows_over(const struct session *session)
{
    for (size_t i = 0; i < session->plan->flow_count; i++) {
        const struct master_flow *flow = &session->flows[i];
        for (int end = 0; end < 2 && !flow->refused; end++)
            if (!flow->report[end] && !session_agent(session, (uint32_t)i, end)->ended)
                return false;
    }
    return true;
}

bool watch_all_ended(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (!session->agents[i].ended)
            return false;
    return true;
}
