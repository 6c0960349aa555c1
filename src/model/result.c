#include "model/result.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int run_info_add_event(struct run_info *run, int64_t t_ns, const char *text)
{
    struct run_event *events = reallocarray(run->events, run->event_count + 1, sizeof *events);
    if (!events)
        return -1;
    run->events = events;
    char *copy = strdup(text);
    if (!copy)
        return -1;
    events[run->event_count++] = (struct run_event){.t_ns = t_ns, .text = copy};
    return 0;
}

int run_info_add_warning(struct run_info *run, const char *text)
{
    char **warnings = reallocarray(run->warnings, run->warning_count + 1, sizeof *warnings);
    if (!warnings)
        return -1;
    run->warnings = warnings;
    char *copy = strdup(text);
    if (!copy)
        return -1;
    warnings[run->warning_count++] = copy;
    return 0;
}

static void host_fini(struct run_host *host)
{
    free(host->name);
    free(host->mgmt);
    free(host->host);
    free(host->bind);
    free(host->device);
}

void run_agent_fini(struct run_agent *agent)
{
    free(agent->mgmt);
    free(agent->instance);
    free(agent->version);
    free(agent->hostname);
    free(agent->kernel);
    free(agent->machine);
    free(agent->lost);
    host_series_fini(&agent->host);
    machine_fini(&agent->about);
}

void run_info_fini(struct run_info *run)
{
    for (size_t i = 0; i < run->host_count; i++)
        host_fini(&run->hosts[i]);
    for (size_t i = 0; i < run->agent_count; i++)
        run_agent_fini(&run->agents[i]);
    for (size_t i = 0; i < run->event_count; i++)
        free(run->events[i].text);
    for (size_t i = 0; i < run->warning_count; i++)
        free(run->warnings[i]);
    free(run->hosts);
    free(run->agents);
    free(run->events);
    free(run->warnings);
    free(run->version);
    free(run->id);
    free(run->label);
    free(run->scenario);
    *run = (struct run_info){0};
}

static bool end_is(const struct flow_result *flow, enum flow_end end, enum end_status status)
{
    return flow->has_report[end] && flow->report[end].status == status;
}

/* Payload that is known to have got across: what the sink read; without its report, what the
 * source saw acknowledged. */
static uint64_t payload_across(const struct flow_result *flow)
{
    if (flow->has_report[END_DST])
        return flow->report[END_DST].payload_bytes;
    return flow->has_report[END_SRC] ? flow->report[END_SRC].payload_bytes_stop : 0;
}

/* Whether the source ran to its end.  It may not have heard that all arrived: where the sink read
 * all that was written, and the end of it, that is known. */
static bool source_is_complete(const struct flow_result *flow)
{
    if (!flow->has_report[END_SRC])
        return false;
    const struct end_report *src = &flow->report[END_SRC];
    return src->status == END_COMPLETE ||
           (src->shut && src->payload_bytes == flow->report[END_DST].payload_bytes);
}

static enum flow_status status_of(const struct flow_result *flow)
{
    if (!payload_across(flow))
        return FLOW_FAILED;
    if (end_is(flow, END_DST, END_COMPLETE) && source_is_complete(flow))
        return FLOW_COMPLETE;
    return FLOW_PARTIAL;
}

/* Both ends may have one, and the later is often but the other's echo. */
static const struct end_report *first_with_error(const struct flow_result *flow)
{
    const struct end_report *src = &flow->report[END_SRC], *dst = &flow->report[END_DST];
    bool src_has = flow->has_report[END_SRC] && src->error[0];
    bool dst_has = flow->has_report[END_DST] && dst->error[0];
    if (src_has && dst_has && (src->times & dst->times) >> T_CLOSED & 1)
        return dst->at[T_CLOSED] < src->at[T_CLOSED] ? dst : src;
    if (src_has)
        return src;
    return dst_has ? dst : NULL;
}

/* The reason that a status gives by itself; NULL: none. */
static const char *reason(enum end_status status)
{
    switch (status) {
    case END_CUT:
        return "was cut: data was still under way when the drain limit passed";
    case END_STOPPED:
        return "was stopped before its scheduled end";
    case END_FAILED:
        return "failed";
    case END_UNKNOWN:
        return "did not say what became of it";
    case END_COMPLETE:
        break;
    }
    return NULL;
}

static bool never_began(const struct flow_result *flow, enum flow_end end)
{
    const struct end_report *report = &flow->report[end];
    return report->status == END_STOPPED && (report->times >> T_CLOSED & 1) &&
           report->at[T_CLOSED] < flow->start_ns;
}

/* Both ends ran to their end, and yet nothing came of it. */
static void explain_nothing(struct flow_result *flow)
{
    const uint64_t written = flow->report[END_SRC].payload_bytes;
    if (written)
        snprintf(flow->error, sizeof flow->error,
                 "no payload got across: %" PRIu64 " bytes were written, and none came", written);
    else
        snprintf(flow->error, sizeof flow->error, "no payload got across: none was written");
}

/* Writes why an end without an error of its own is not complete; false: it is. */
static bool explain_end(struct flow_result *flow, enum flow_end end)
{
    const char *name = end == END_SRC ? "src" : "dst";
    const char *why =
        never_began(flow, end) ? "was stopped before its start" : reason(flow->report[end].status);
    if (!flow->has_report[end])
        snprintf(flow->error, sizeof flow->error,
                 "the report of the %s end is missing: the agent of host %s did not send it", name,
                 end == END_SRC ? flow->src : flow->dst);
    else if (why)
        snprintf(flow->error, sizeof flow->error, "the %s end %s", name, why);
    return flow->error[0];
}

static void explain(struct flow_result *flow)
{
    flow->error[0] = '\0';
    if (flow->status == FLOW_COMPLETE)
        return;
    const struct end_report *first = first_with_error(flow);
    if (end_is(flow, END_SRC, END_COMPLETE) && end_is(flow, END_DST, END_COMPLETE)) {
        explain_nothing(flow);
        return;
    }
    bool both = flow->has_report[END_SRC] && flow->has_report[END_DST];
    if (first && both) {
        snprintf(flow->error, sizeof flow->error, "%s", first->error);
        return;
    }
    /* A missing end counts more than what the other end made of it. */
    if (!flow->has_report[END_DST] || !explain_end(flow, END_SRC))
        explain_end(flow, END_DST);
    size_t used = strlen(flow->error);
    if (first)
        snprintf(flow->error + used, sizeof flow->error - used, "; the other end: %s",
                 first->error);
}

void flow_result_judge(struct flow_result *flow)
{
    flow->status = status_of(flow);
    explain(flow);
}

const struct end_report *flow_result_report(const struct flow_result *flow, enum flow_end end)
{
    return flow->has_report[end] ? &flow->report[end] : NULL;
}

void flow_result_account(struct flow_result *flow)
{
    const struct end_report *src = flow_result_report(flow, END_SRC);
    const struct end_report *dst = flow_result_report(flow, END_DST);
    verdict_judge(&flow->verdict, src, dst);
    ledger_build(&flow->ledger, src, dst);
}

void end_report_to_axis(struct end_report *report, const struct clock_fit *fit, int64_t t0_ns)
{
    for (int t = 0; t < END_TIMES; t++)
        if (report->times & (1u << t))
            report->at[t] = clock_fit_to_axis(fit, report->at[t], t0_ns);
    for (int i = 0; i < READINGS; i++) {
        struct reading *reading = &report->reading[i];
        if (reading->info_length)
            reading->t_ns = clock_fit_to_axis(fit, reading->t_ns, t0_ns);
        if (reading->worker_ns)
            reading->worker_ns = clock_fit_to_axis(fit, reading->worker_ns, t0_ns);
    }
}
