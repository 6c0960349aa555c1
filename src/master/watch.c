/* A stream that breaks is taken up again where it stopped: the agent's spool keeps everything.
 * An agent from which nothing is heard (streams carry a heartbeat) is lost after
 * agent_timeout_ns, one whose port refuses connections sooner. */
#include "master/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/record_check.h"
#include "format/segment.h"
#include "master/output.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"
#include "util/log.h"

#define WHY_MAX    512 /* bytes of why an agent is lost, which it may have said itself */
#define RETRY_NS   (250 * NS_PER_MS)
#define REFUSED_NS (3 * NS_PER_S) /* a process that was killed does not come back with its run */

static void end_agent(struct master_agent *agent, const char *how, const char *why)
{
    struct session *session = agent->session;
    char event[sizeof agent->title + sizeof agent->spools + WHY_MAX + 128];
    agent->ended = true;
    free(agent->info.lost);
    agent->info.lost = strndup(why, WHY_MAX);
    snprintf(event, sizeof event,
             "%s is %s: %.*s; its spool stays there%s%s: tcp-flowgen-%s-*.spool", agent->title, how,
             WHY_MAX, why, agent->spools[0] ? ", in " : "", agent->spools, session->id);
    session_trouble(session, event);
    if (agent->watch)
        rpc_cancel(agent->watch);
}

static void lose(struct master_agent *agent, const char *why)
{
    end_agent(agent, "lost", why);
}

/* What it sends cannot be, and nothing more is taken from it. */
static void give_up(struct master_agent *agent, const struct error *err)
{
    char why[sizeof *err], text[sizeof why + 64];
    snprintf(text, sizeof text, "what stands at byte %llu of its spool cannot be: %s",
             (unsigned long long)agent->watch_offset, error_text(err, why, sizeof why));
    end_agent(agent, "given up", text);
}

/* ---- records ---- */

static bool has_failed(const struct end_report *report)
{
    return report && report->status == END_FAILED;
}

/* Whether all got across, whatever an end says. */
static bool came_whole(const struct master_flow *flow)
{
    struct flow_result result = {0};
    for (int end = 0; end < 2; end++) {
        result.has_report[end] = flow->report[end] != NULL;
        if (flow->report[end])
            result.report[end] = *flow->report[end];
    }
    flow_result_judge(&result);
    return result.status == FLOW_COMPLETE;
}

static void tell_failures(struct session *session, uint32_t index)
{
    struct master_flow *flow = &session->flows[index];
    const struct plan_flow *plan = &session->plan->flows[index];
    const bool any = has_failed(flow->report[END_SRC]) || has_failed(flow->report[END_DST]);
    const bool whole = any && came_whole(flow);
    for (int end = 0; end < 2 && any && !whole; end++) {
        if (!has_failed(flow->report[end]) || flow->failure_told[end])
            continue;
        flow->failure_told[end] = true;
        log_warning("flow %d, %s end (%s): %s", plan->id, end == END_SRC ? "src" : "dst",
                    session->plan->hosts[end == END_SRC ? plan->src : plan->dst].name,
                    flow->report[end]->error);
    }
}

void watch_tell_failures(struct session *session)
{
    for (uint32_t i = 0; i < session->plan->flow_count; i++)
        tell_failures(session, i);
}

/* What one end calls a failure may be none to the other: both are heard. */
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
    if (flow->report[!report->end])
        tell_failures(session, report->flow);
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

static int check_owner(const struct master_agent *agent, const struct spool_head *head,
                       struct error *err)
{
    const struct session *session = agent->session;
    const bool none = head->kind == SPOOL_PREPARE || head->kind == SPOOL_AXIS ||
                      head->kind == SPOOL_RUN_END || head->kind == SPOOL_HOST;
    if (none || (head->flow < session->plan->flow_count &&
                 session_agent(session, head->flow, head->end) == agent))
        return 0;
    return error_set(err, ERROR_AGENT, NULL, "a record of a flow that is not its own");
}

/* It comes again if it could not be kept: what it says counts once. */
static void take_before(struct session *session, const struct spool_head *head)
{
    if (head->kind == SPOOL_READY && !session->flows[head->flow].ready[head->end]) {
        session->flows[head->flow].ready[head->end] = true;
        session->ends_ready++;
    } else if (head->kind == SPOOL_REPORT) {
        take_report(session, &head->report);
    } else if (head->kind == SPOOL_CAPTURED) {
        take_capture(session, &head->captured);
    }
}

/* Of what was kept: it does not come again. */
static int take_after(struct master_agent *agent, const struct spool_head *head,
                      const ProtobufCBinaryData *record, struct error *err)
{
    intake_count(agent, head, record->len);
    if (head->kind == SPOOL_RUN_END)
        take_run_end(agent, head);
    if (head->kind != SPOOL_HOST)
        return 0;
    return spool_record_host_rows(record->data, record->len, &agent->info.host,
                                  host_series_limit(agent->session->agent_count), err);
}

/* Nothing of it is used, or kept, before all of it was looked at. */
static int take_record(struct master_agent *agent, const ProtobufCBinaryData *record,
                       struct error *err)
{
    struct session *session = agent->session;
    struct spool_head head;
    int failed = record_check(record->data, record->len, &head, err);
    if (!failed)
        failed = check_owner(agent, &head, err);
    if (!failed)
        failed = intake_admit(agent, &head, record->len, clock_now(), err);
    if (failed)
        return failed;
    take_before(session, &head);
    failed =
        collect_add(session->collect, output_place(agent), &head, record->data, record->len, err);
    return failed ? failed : take_after(agent, &head, record, err);
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
    agent->watch_missed = true;
    rpc_cancel(agent->watch);
}

static void get_going(struct session *session)
{
    if (session->stuck)
        log_info("%s can be written again", collect_path(session->collect));
    session->stuck = false;
}

/* Takes the offset along, record by record, up to the spool's end.  False if this stream is of no
 * use any more. */
static bool take_records(struct master_agent *agent, const Tcpflowgen__WatchReply *reply,
                         int64_t now_ns)
{
    for (size_t i = 0; i < reply->n_records && !agent->ended; i++) {
        struct error err = {0};
        const int failed = take_record(agent, &reply->records[i], &err);
        if (failed == ERROR_SYSTEM)
            get_stuck(agent, &err);
        else if (failed)
            give_up(agent, &err);
        if (failed)
            return false;
        get_going(agent->session);
        agent->brought_ns = now_ns;
        agent->watch_offset += segment_step(reply->records[i].len);
    }
    return true;
}

/* The stream is over.  A network may heal where a connection broke. */
static void end_stream(struct master_agent *agent, const struct rpc_status *status, int64_t now_ns)
{
    const bool gone = status->nobody && now_ns - agent->heard_ns > REFUSED_NS;
    agent->watch = NULL;
    agent->retry_ns = now_ns + RETRY_NS;
    if (agent->ended)
        return;
    if (status->code == RPC_OK && !agent->watch_missed)
        lose(agent, "it ended the stream of its samples before their end");
    else if (status->code == RPC_NOT_FOUND || gone)
        lose(agent, status->text);
}

static void on_watch(struct rpc_call *call, const ProtobufCMessage *message,
                     const struct rpc_status *status, void *arg)
{
    struct master_agent *agent = arg;
    int64_t now = session_now(agent->session);
    if (!message) {
        end_stream(agent, status, now);
        return;
    }
    const Tcpflowgen__WatchReply *reply = (const Tcpflowgen__WatchReply *)message;
    agent->heard_ns = now;
    meter_take(&agent->received, reply->received_bytes, clock_now(), agent->session->t0_ns);
    if (agent->ended) /* there is nothing behind the end */
        rpc_cancel(call);
    else if (reply->offset != agent->watch_offset)
        agent->watch_missed = true;
    else if (take_records(agent, reply, now))
        agent->watch_offset = reply->next_offset;
}

/* ---- streams ---- */

static void watch(struct master_agent *agent)
{
    Tcpflowgen__WatchRequest request = TCPFLOWGEN__WATCH_REQUEST__INIT;
    request.run = agent->session->id;
    request.secret = session_secret(agent->session);
    request.offset = agent->watch_offset;
    agent->watch_missed = false;
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
    char silent[64];
    snprintf(silent, sizeof silent, "nothing heard from it for %lld s",
             (long long)(timeout / NS_PER_S));
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (agent->ended)
            continue;
        if (now_ns - agent->heard_ns > timeout)
            lose(agent, silent);
        else if (!agent->watch && now_ns >= agent->retry_ns)
            watch(agent);
    }
}

void watch_give_up(struct session *session, int64_t since_ns)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (!session->agents[i].ended && session->agents[i].brought_ns < since_ns)
            lose(&session->agents[i], "it did not deliver its last samples in time");
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
