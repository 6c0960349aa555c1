/* A scenario's memory, and the one place where its problems are gathered. */
#include "model/scenario.h"

#include <stdlib.h>

const char *const scenario_connect_words[] = {
    [CONNECT_AHEAD] = "ahead", [CONNECT_AT_START] = "at_start", NULL};
const char *const scenario_finish_words[] = {
    [FINISH_DRAIN] = "drain", [FINISH_ABORT] = "abort", NULL};
const char *const scenario_capture_words[] = {
    [CAPTURE_NONE] = "none", [CAPTURE_HEADERS] = "headers", NULL};

int scenario_report(struct error_list *errors, const struct error *err)
{
    size_t before = errors->count;

    if (before > SCENARIO_ERRORS_MAX)
        return 0;
    if (before == SCENARIO_ERRORS_MAX) {
        struct error more = {0};
        error_set(&more, ERROR_INPUT, NULL, "there are more problems than these %d",
                  SCENARIO_ERRORS_MAX);
        error_cure(&more, "mend these first");
        error_list_add(errors, &more);
    } else {
        error_list_add(errors, err);
    }
    return errors->count > before ? 0 : ERROR_SYSTEM;
}

static void free_host(struct scenario_host *host)
{
    free(host->name);
    free(host->mgmt);
    free(host->host);
    free(host->bind);
    free(host->device);
    free(host->interfaces);
}

static void free_flow(struct scenario_flow *flow)
{
    free(flow->src);
    free(flow->dst);
    free(flow->ccalg);
    free(flow->label);
}

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (size_t i = 0; i < scenario->host_count; i++)
        free_host(&scenario->hosts[i]);
    for (size_t i = 0; i < scenario->flow_count; i++)
        free_flow(&scenario->flows[i]);
    free_host(&scenario->host_defaults);
    free_flow(&scenario->flow_defaults);
    free(scenario->hosts);
    free(scenario->flows);
    free(scenario->label);
    free(scenario->text);
    free(scenario);
}
