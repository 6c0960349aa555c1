/* Makes a plan of a scenario: what the reader could not see while it read one value after the
 * other (names, ids, the whole length) is checked here, flow by flow in the file's order. */
#include "model/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/plan_rate.h"
#include "util/duration.h"

#define HOSTS_NAMED 5 /* hosts that a message names at most */

struct name_entry {
    const char *name;
    uint32_t host;
};

struct id_entry {
    int32_t id;
    size_t flow;
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* What one plan_build() works with; the two indices are sorted, for thousands of flows. */
struct builder {
    const struct scenario *scenario;
    struct plan *plan;
    struct error_list *errors;
    struct name_entry *names; /* as many as hosts */
    struct id_entry *ids;
    size_t id_count;
    int status; /* ERROR_SYSTEM: memory ran out */
};

static void report(struct builder *b, const struct error *err)
{
    if (scenario_report(b->errors, err) < 0)
        b->status = ERROR_SYSTEM;
}

static int compare_names(const void *a, const void *b)
{
    const struct name_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int compare_ids(const void *a, const void *b)
{
    const struct id_entry *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->flow > y->flow) - (x->flow < y->flow);
}

static void build_indices(struct builder *b)
{
    const struct scenario *s = b->scenario;

    for (size_t i = 0; i < s->host_count; i++)
        b->names[i] = (struct name_entry){s->hosts[i].name, (uint32_t)i};
    for (size_t i = 0; i < s->flow_count; i++) {
        if (s->flows[i].has_id)
            b->ids[b->id_count++] = (struct id_entry){s->flows[i].id, i};
    }
    qsort(b->names, s->host_count, sizeof *b->names, compare_names);
    qsort(b->ids, b->id_count, sizeof *b->ids, compare_ids);
}

/* The first flow of the file that has this id, which at least one has. */
static size_t first_with_id(const struct builder *b, int32_t id)
{
    size_t low = 0, high = b->id_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->ids[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return b->ids[low].flow;
}

static void check_id(struct builder *b, size_t index)
{
    const struct scenario_flow *flow = &b->scenario->flows[index];
    struct error err = {0};

    if (!flow->has_id)
        return;
    size_t first = first_with_id(b, flow->id);
    if (first == index)
        return;
    error_set(&err, ERROR_INPUT, NULL, "%d is already the id of flows[%zu]", flow->id,
              b->scenario->flows[first].place);
    error_where(&err, "flows[%zu].id", flow->place);
    error_cure(&err, "give each flow an id of its own");
    report(b, &err);
}

/* "the hosts are A, B", at most a few. */
static void name_hosts(const struct scenario *s, char *out, size_t size)
{
    size_t named = s->host_count < HOSTS_NAMED ? s->host_count : HOSTS_NAMED;
    int used = snprintf(out, size, "the hosts are ");

    for (size_t i = 0; i < named; i++)
        used += snprintf(out + used, size - (size_t)used, "%s%.*s", i ? ", " : "",
                         SCENARIO_NAME_MAX, s->hosts[i].name);
    if (s->host_count > named)
        snprintf(out + used, size - (size_t)used, " and %zu more", s->host_count - named);
}

/* The index of the host that a flow's src or dst names; 0 with a report if there is none. */
static uint32_t find_host(struct builder *b, const struct scenario_flow *flow, const char *key,
                          const char *name)
{
    const struct scenario *s = b->scenario;
    struct error err = {0};
    char hosts[HOSTS_NAMED * (SCENARIO_NAME_MAX + 2) + 64];

    if (!name || s->bad_hosts || s->host_count == 0)
        return 0;
    const struct name_entry wanted = {name, 0};
    const struct name_entry *found =
        bsearch(&wanted, b->names, s->host_count, sizeof wanted, compare_names);
    if (found)
        return found->host;
    name_hosts(s, hosts, sizeof hosts);
    error_set(&err, ERROR_INPUT, NULL, "\"%.*s\" is not a host; %s", SCENARIO_NAME_MAX, name,
              hosts);
    error_where(&err, "flows[%zu].%s", flow->place, key);
    error_cure(&err, "name a host as \"hosts\" spells it");
    report(b, &err);
    return 0;
}

/* Both are held to SCENARIO_TIME_MAX, so their sum fits. */
static int64_t end_of(const struct scenario_flow *flow)
{
    return flow->start_ns + flow->duration_ns;
}

static void check_times(struct builder *b, const struct scenario_flow *flow)
{
    struct error err = {0};
    char start[DURATION_TEXT_MAX], duration[DURATION_TEXT_MAX];

    if (!flow->has_duration || end_of(flow) <= SCENARIO_TIME_MAX)
        return;
    error_set(&err, ERROR_INPUT, NULL, "start %s and duration %s end more than 366 days on",
              duration_format(flow->start_ns, start), duration_format(flow->duration_ns, duration));
    error_where(&err, "flows[%zu].duration", flow->place);
    error_cure(&err, "let each flow end within 366 days of the run's start");
    report(b, &err);
}

/* The flow that is over last, of those whose times are right; NULL: there is none. */
static const struct scenario_flow *find_last(const struct scenario *s)
{
    const struct scenario_flow *last = NULL;

    for (size_t i = 0; i < s->flow_count; i++) {
        const struct scenario_flow *flow = &s->flows[i];
        if (flow->has_duration && end_of(flow) <= SCENARIO_TIME_MAX &&
            (!last || end_of(flow) > end_of(last)))
            last = flow;
    }
    return last;
}

static void check_length(struct builder *b, const struct scenario_flow *last)
{
    const int64_t max_ns = b->scenario->max_duration_ns;
    struct error err = {0};
    char length[DURATION_TEXT_MAX], limit[DURATION_TEXT_MAX];

    if (max_ns == 0 || end_of(last) <= max_ns)
        return;
    duration_format(end_of(last), length);
    error_set(&err, ERROR_INPUT, NULL, "the run would last %s, more than %s", length,
              duration_format(max_ns, limit));
    error_where(&err, "flows[%zu].duration", last->place);
    error_cure(&err, "if that is meant, write \"max_duration\": \"%s\" at the top of the file",
               length);
    report(b, &err);
}

static void build_flow(struct builder *b, size_t index)
{
    const struct scenario_flow *from = &b->scenario->flows[index];
    struct plan_flow *to = &b->plan->flows[index];

    check_id(b, index);
    to->id = from->id;
    to->src = find_host(b, from, "src", from->src);
    to->dst = find_host(b, from, "dst", from->dst);
    check_times(b, from);
    to->start_ns = from->start_ns;
    to->duration_ns = from->duration_ns;
    if (from->ccalg) /* the reader holds it to CCALG_MAX */
        snprintf(to->ccalg, sizeof to->ccalg, "%s", from->ccalg);
    to->ecn = from->ecn;
    to->nodelay = from->nodelay;
    to->tuning = from->tuning;
    to->connect = from->connect;
    to->finish = from->finish;
    to->capture = from->capture;
    to->label = or_empty(from->label);
}

static void build_hosts(struct plan *plan, const struct scenario *s)
{
    for (size_t i = 0; i < s->host_count; i++) {
        const struct scenario_host *host = &s->hosts[i];
        plan->hosts[i] = (struct plan_host){.name = host->name,
                                            .mgmt = or_empty(host->mgmt),
                                            .host = or_empty(host->host),
                                            .bind = or_empty(host->bind),
                                            .device = or_empty(host->device),
                                            .sample = host->sample,
                                            .interfaces = or_empty(host->interfaces)};
    }
}

static void check_not_empty(struct builder *b)
{
    const struct scenario *s = b->scenario;
    struct error err = {0};

    if (!s->bad_hosts && s->host_count == 0) {
        error_set(&err, ERROR_INPUT, "hosts", "there is no host");
        error_cure(&err, "name at least one, such as \"A\": {\"mgmt\": \"10.0.0.1:8840\", "
                         "\"host\": \"10.0.1.1\"}");
        report(b, &err);
    }
    if (!s->bad_flows && s->flow_count == 0) {
        error_set(&err, ERROR_INPUT, "flows", "there is no flow, so nothing to run");
        error_cure(&err, "describe at least one, such as {\"id\": 0, \"src\": \"A\", "
                         "\"dst\": \"B\", \"duration\": \"10s\"}");
        report(b, &err);
    }
}

static void build(struct builder *b)
{
    struct plan *plan = b->plan;
    const struct scenario *s = b->scenario;

    plan->label = or_empty(s->label);
    plan->scenario_text = or_empty(s->text);
    plan->interval_ns = s->interval_ns;
    plan->read_size = s->read_size;
    plan->write_size = s->write_size;
    build_indices(b);
    check_not_empty(b);
    build_hosts(plan, s);
    for (size_t i = 0; i < s->flow_count; i++)
        build_flow(b, i);
    if (plan_check_rate(s, b->errors) < 0)
        b->status = ERROR_SYSTEM;
    const struct scenario_flow *last = find_last(s);
    if (!last)
        return;
    plan->end_ns = end_of(last);
    check_length(b, last);
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    scenario_free(plan->scenario);
    free(plan->hosts);
    free(plan->flows);
    free(plan);
}

/* An empty plan with room for what the scenario has, which it owns from now on; NULL: no memory,
 * and the scenario is freed. */
static struct plan *create_plan(struct scenario *scenario)
{
    struct plan *plan = calloc(1, sizeof *plan);

    if (!plan) {
        scenario_free(scenario);
        return NULL;
    }
    plan->scenario = scenario;
    plan->host_count = scenario->host_count;
    plan->flow_count = scenario->flow_count;
    plan->hosts = calloc(plan->host_count + 1, sizeof *plan->hosts);
    plan->flows = calloc(plan->flow_count + 1, sizeof *plan->flows);
    if (plan->hosts && plan->flows)
        return plan;
    plan_free(plan);
    return NULL;
}

struct plan *plan_build(struct scenario *scenario, struct error_list *errors)
{
    struct name_entry *names = calloc(scenario->host_count + 1, sizeof *names);
    struct id_entry *ids = calloc(scenario->flow_count + 1, sizeof *ids);
    struct plan *plan = create_plan(scenario);
    struct builder b = {scenario, plan, errors, names, ids, 0, 0};

    if (plan && names && ids) {
        build(&b);
    } else {
        struct error err = {0};
        error_set(&err, ERROR_SYSTEM, NULL, "out of memory");
        error_list_add(errors, &err);
        b.status = ERROR_SYSTEM;
    }
    free(names);
    free(ids);
    if (errors->count == 0 && b.status == 0)
        return plan;
    plan_free(plan);
    return NULL;
}
