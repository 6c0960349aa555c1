#include "model/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int run_info_add_event(struct run_info *run, int64_t t_ns, const char *text)
{
    struct run_event *events = realloc(run->events, (run->event_count + 1) * sizeof *events);
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
    char **warnings = realloc(run->warnings, (run->warning_count + 1) * sizeof(*warnings));
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

static void agent_fini(struct run_agent *agent)
{
    free(agent->mgmt);
    free(agent->instance);
    free(agent->version);
    free(agent->hostname);
    free(agent->kernel);
    free(agent->machine);
    free(agent->lost);
}

void run_info_fini(struct run_info *run)
{
    for (size_t i = 0; i < run->host_count; i++)
        host_fini(&run->hosts[i]);
    for (size_t i = 0; i < run->agent_count; i++)
        agent_fini(&run->agents[i]);
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

static bool moved_data(const struct flow_result *flow)
{
    for (int end = 0; end < 2; end++)
        if (flow->has_report[end] && flow->report[end].payload_bytes > 0)
            return true;
    return false;
}

static void keep_first_error(struct flow_result *flow)
{
    for (int end = 0; end < 2 && !flow->error[0]; end++)
        snprintf(flow->error, sizeof flow->error, "%s",
                 flow->has_report[end] ? flow->report[end].error : "");
    for (int end = 0; end < 2 && !flow->error[0]; end++)
        if (!flow->has_report[end])
            snprintf(flow->error, sizeof flow->error,
                     "nothing was heard of the %s end's last state",
                     end == END_SRC ? "src" : "dst");
}

void flow_result_judge(struct flow_result *flow)
{
    bool complete = true;
    for (int end = 0; end < 2; end++)
        complete = complete && flow->has_report[end] && flow->report[end].status == END_COMPLETE;
    if (complete) {
        flow->status = FLOW_COMPLETE;
        return;
    }
    flow->status = moved_data(flow) ? FLOW_PARTIAL : FLOW_FAILED;
    keep_first_error(flow);
}
