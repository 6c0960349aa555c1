#include "master/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/results_file.h"
#include "format/results_writer.h"
#include "master/captures.h"
#include "master/clock_points.h"
#include "util/version.h"

/* Where one flow's samples come from: opened when the writer asks for the first. */
struct source {
    struct session *session;
    uint32_t flow;
    struct collect_cursor cursor;
    int open_end; /* enum flow_end, or -1: none is open */
};

static int next_piece(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    struct source *source = arg;
    struct session *session = source->session;
    if (source->open_end != (int)end) {
        collect_close(&source->cursor);
        source->open_end = (int)end;
        const struct master_agent *agent = session_agent(session, source->flow, end);
        int failed = collect_open(&source->cursor, session->collect, source->flow, end,
                                  &agent->info.clock, session->t0_ns, err);
        if (failed)
            return failed;
    }
    return collect_next(&source->cursor, piece, err);
}

/* ---- the run ---- */

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

static void put_on_axis(const struct session *session, struct run_agent *agent)
{
    for (size_t i = 0; i < agent->host.count; i++) {
        int64_t *t_ns = &host_series_row(&agent->host, i)[HOST_t_ns];
        *t_ns = clock_fit_to_axis(&agent->clock, *t_ns, session->t0_ns);
    }
}

/* Agents that turned out to be another one under a second name have no place of their own. */
uint32_t output_place(const struct master_agent *agent)
{
    uint32_t place = 0;
    for (const struct master_agent *other = agent->session->agents; other < agent; other++)
        place += !other->merged;
    return place;
}

void output_describe_run(const struct session *session, struct run_info *run)
{
    const struct plan *plan = session->plan;
    run->version = copy(TCP_FLOWGEN_VERSION);
    run->id = copy(session->id);
    run->label = copy(plan->label);
    run->scenario = copy(plan->scenario_text);
    run->interrupted = session->interrupts > 0;
    run->repeat = session->repeat->number;
    run->repeats = session->repeat->of;
    run->seed = session->repeat->seed;
    run->warmup_ns = session->repeat->warmup_ns;
}

static int describe(const struct session *session, struct run_info *run, struct error *err)
{
    const struct plan *plan = session->plan;
    output_describe_run(session, run);
    run->hosts = calloc(plan->host_count, sizeof *run->hosts);
    run->agents = calloc(session->agent_count, sizeof *run->agents);
    if (!run->hosts || !run->agents)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        if (!agent->merged)
            run->agents[run->agent_count++] = agent->info;
    }
    for (size_t h = 0; h < plan->host_count; h++) {
        const struct plan_host *host = &plan->hosts[h];
        const struct master_agent *agent = session->hosts[h].agent;
        run->hosts[run->host_count++] = (struct run_host){
            .name = copy(host->name),
            .mgmt = copy(host->mgmt),
            .host = copy(host->host),
            .bind = copy(host->bind),
            .device = copy(host->device),
            .agent = agent ? output_place(agent) : UINT32_MAX,
        };
    }
    return 0;
}

/* The session has the agents. */
static void disown(struct run_info *run)
{
    free(run->agents);
    run->agents = NULL;
    run->agent_count = 0;
}

/* ---- a flow ---- */

static void take_report(struct flow_result *out, const struct session *session, uint32_t index,
                        enum flow_end end)
{
    const struct end_report *report = session->flows[index].report[end];
    const struct clock_fit *fit = &session_agent(session, index, end)->info.clock;
    if (!report)
        return;
    out->has_report[end] = true;
    out->report[end] = *report;
    end_report_to_axis(&out->report[end], fit, session->t0_ns);
}

/* Says why an end's report is missing, where an agent was lost or the flow refused. */
static void explain(struct flow_result *out, const struct session *session, uint32_t index)
{
    if (session->flows[index].refused) {
        snprintf(out->error, sizeof out->error, "%s", session->flows[index].error);
        return;
    }
    for (int end = END_DST; end >= END_SRC; end--) {
        const struct master_agent *agent = session_agent(session, index, end);
        if (!out->has_report[end] && agent->info.lost)
            snprintf(out->error, sizeof out->error, "%s was lost: %s", agent->title,
                     agent->info.lost);
    }
}

static void fill_flow(struct flow_result *out, const struct session *session, uint32_t index)
{
    const struct plan *plan = session->plan;
    const struct plan_flow *flow = &plan->flows[index];
    const struct master_flow *state = &session->flows[index];
    *out = (struct flow_result){
        .id = flow->id,
        .src_host = flow->src,
        .dst_host = flow->dst,
        .port = state->port,
        .start_ns = flow->start_ns,
        .duration_ns = flow->duration_ns,
        .ecn = flow->ecn,
        .nodelay = flow->nodelay,
        .tuning = flow->tuning,
        .connect = flow->connect,
        .finish = flow->finish,
        .capture = flow->capture,
    };
    snprintf(out->src, sizeof out->src, "%s", plan->hosts[flow->src].name);
    snprintf(out->dst, sizeof out->dst, "%s", plan->hosts[flow->dst].name);
    snprintf(out->ccalg, sizeof out->ccalg, "%s", flow->ccalg);
    snprintf(out->label, sizeof out->label, "%s", flow->label);
    snprintf(out->family, sizeof out->family, "%s",
             strchr(state->address[END_DST], ':') ? "ipv6" : "ipv4");
    take_report(out, session, index, END_SRC);
    take_report(out, session, index, END_DST);
    flow_result_judge(out);
    flow_result_account(out);
    explain(out, session, index);
}

/* Before the flows are written, as the run stands with the first. */
static void warn_of_hosts(struct session *session)
{
    size_t limited = 0;
    struct flow_result flow, first = {0};
    for (uint32_t i = 0; i < session->plan->flow_count; i++) {
        fill_flow(&flow, session, i);
        if (flow.verdict.limit == LIMIT_HOST && limited++ == 0)
            first = flow;
    }
    char warning[sizeof first.verdict.reason + 256];
    if (limited == 0)
        return;
    snprintf(warning, sizeof warning,
             "%zu of %zu flows were limited by a host's CPU rather than by the network; flow %d "
             "(%s to %s): %s",
             limited, session->plan->flow_count, (int)first.id, first.src, first.dst,
             first.verdict.reason);
    run_info_add_warning(&session->run, warning);
}

static void count_flow(struct master_outcome *outcome, enum flow_status status)
{
    outcome->complete += status == FLOW_COMPLETE;
    outcome->partial += status == FLOW_PARTIAL;
    outcome->failed += status == FLOW_FAILED || status == FLOW_UNKNOWN;
}

/* Whether an end without a report had payload under way, as its last samples say. */
static bool moved_payload(struct source *source, const struct flow_result *flow)
{
    bool moved = false;
    for (int end = END_SRC; end <= END_DST; end++) {
        const struct series *piece = NULL;
        while (!flow->has_report[end] && next_piece(source, (enum flow_end)end, &piece, NULL) > 0)
            moved |= series_shows_payload(piece, (enum flow_end)end);
    }
    collect_close(&source->cursor);
    source->open_end = -1;
    return moved;
}

static int write_flows(struct session *session, struct master_outcome *outcome, struct error *err)
{
    for (uint32_t i = 0; i < session->plan->flow_count; i++) {
        struct flow_result flow;
        fill_flow(&flow, session, i);
        captures_tell(session, i, &flow);
        struct source source = {.session = session, .flow = i, .open_end = -1};
        if (flow.status == FLOW_FAILED && moved_payload(&source, &flow))
            flow.status = FLOW_PARTIAL;
        count_flow(outcome, flow.status);
        int failed = results_writer_flow(*session->repeat->results, &flow,
                                         i == 0 ? &session->run : NULL, next_piece, &source, err);
        collect_close(&source.cursor);
        if (failed)
            return failed;
    }
    return 0;
}

int output_open(const struct session *session, struct error *err)
{
    const struct master_repeat *repeat = session->repeat;
    if (!repeat->results || *repeat->results || results_file_in_place(repeat->output))
        return 0;
    return results_writer_open(repeat->results, repeat->output, 0, err);
}

int output_write(struct session *session, struct master_outcome *outcome, struct error *err)
{
    const struct master_repeat *repeat = session->repeat;
    for (size_t i = 0; i < session->agent_count; i++) {
        session->agents[i].info.clock = clock_points_fit(&session->agents[i]);
        put_on_axis(session, &session->agents[i].info);
    }
    int failed = describe(session, &session->run, err);
    if (!failed)
        captures_write(session); /* first, for the run's warnings */
    if (!failed)
        warn_of_hosts(session);
    if (!failed && !*repeat->results) /* in place */
        failed = results_writer_open(repeat->results, repeat->output, 0, err);
    if (!failed)
        failed = write_flows(session, outcome, err);
    if (!failed)
        failed = results_writer_sync(*repeat->results, err);
    disown(&session->run);
    outcome->wrote_result = !failed;
    return failed;
}
