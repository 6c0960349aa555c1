/* Flows of several runs are one flow repeated if they have the same id, and no other figure than
 * chance can make differ: hosts, congestion control and ECN. */
#include "report/over_repeats.h"

#include <stdlib.h>
#include <string.h>

#include "report/totals.h"

/* 0: they are one flow, repeated. */
static int compare(const struct flow_result *x, const struct flow_result *y)
{
    int order = (x->id > y->id) - (x->id < y->id);
    if (order == 0)
        order = strcmp(x->src, y->src);
    if (order == 0)
        order = strcmp(x->dst, y->dst);
    if (order == 0)
        order = strcmp(x->ccalg, y->ccalg);
    return order ? order : x->ecn - y->ecn;
}

static int by_set(const struct flow_summary *x, const struct flow_summary *y)
{
    const int order = compare(&x->flow, &y->flow);
    return order ? order : (x->set > y->set) - (x->set < y->set);
}

static int by_flow(const void *a, const void *b)
{
    const struct flow_summary *x = *(const struct flow_summary *const *)a;
    const struct flow_summary *y = *(const struct flow_summary *const *)b;
    const int order = by_set(x, y);
    return order ? order : (x > y) - (x < y); /* the order of the runs */
}

static int by_place(const void *a, const void *b)
{
    const struct flow_repeats *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

typedef bool figure(const struct flow_summary *flow, double *value);

static bool goodput(const struct flow_summary *flow, double *value)
{
    *value = flow->goodput.bps;
    return flow->goodput.lack == GOODPUT_THERE_IS;
}

static bool rtt_mean(const struct flow_summary *flow, double *value)
{
    *value = flow->rtt_mean_ns;
    return flow->has_rtt;
}

static bool ce_marks(const struct flow_summary *flow, double *value)
{
    *value = (double)flow->ce_marks.value;
    return flow->ce_marks.known;
}

static bool retransmits(const struct flow_summary *flow, double *value)
{
    *value = (double)flow->retransmits.value;
    return flow->retransmits.known;
}

/* values has room for one of each flow. */
static struct stats over(const struct flow_summary *const *flows, size_t count, figure *get,
                         double *values)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++)
        known += get(flows[i], &values[known]);
    return stats_of(values, known);
}

static struct flow_repeats join(const struct flow_summary *const *flows, size_t count,
                                double *values)
{
    struct flow_repeats out = {.first = flows[0], .runs = count};
    for (size_t i = 0; i < count; i++) {
        enum flow_status status = flows[i]->flow.status;
        out.complete += status == FLOW_COMPLETE;
        out.partial += status == FLOW_PARTIAL;
        out.failed += status == FLOW_FAILED;
        out.limits[flows[i]->flow.verdict.limit]++;
        out.doubtful += flows[i]->goodput.doubtful;
    }
    out.goodput_bps = over(flows, count, goodput, values);
    out.rtt_mean_ns = over(flows, count, rtt_mean, values);
    out.retransmits = over(flows, count, retransmits, values);
    out.ce_marks = over(flows, count, ce_marks, values);
    return out;
}

/* Not of runs in which data moved and none can say how fast. */
static struct stats together(const struct summary *summary, double *values)
{
    size_t known = 0;
    for (size_t r = 0; r < summary->run_count; r++) {
        const struct totals totals = totals_of(&summary->runs[r]);
        if (totals.goodput.lack == GOODPUT_THERE_IS && totals.whole)
            values[known++] = totals.goodput.bps;
    }
    return stats_of(values, known);
}

/* The flow that begins there is another than the one before, and has the same id. */
static bool is_split(const struct flow_summary *const *sorted, size_t first)
{
    return first > 0 && sorted[first - 1]->flow.id == sorted[first]->flow.id &&
           compare(&sorted[first - 1]->flow, &sorted[first]->flow) != 0;
}

static bool scenarios_differ(const struct summary *summary)
{
    for (size_t r = 1; r < summary->run_count; r++) {
        const char *first = summary->runs[0].run.scenario, *other = summary->runs[r].run.scenario;
        if (first && other && strcmp(first, other) != 0)
            return true;
    }
    return false;
}

int over_repeats_build(struct summary *summary)
{
    size_t count = summary->flow_count;
    const struct flow_summary **sorted = calloc(count + 1, sizeof(*sorted));
    double *values = calloc(count + summary->run_count, sizeof *values);
    free(summary->repeats);
    summary->repeats = calloc(count + 1, sizeof *summary->repeats);
    summary->repeat_count = 0;
    bool fine = sorted && values && summary->repeats;
    for (size_t i = 0; fine && i < count; i++)
        sorted[i] = &summary->flows[i];
    if (fine) {
        qsort(sorted, count, sizeof(*sorted), by_flow);
        for (size_t first = 0, next; first < count; first = next) {
            for (next = first + 1; next < count && by_set(sorted[next], sorted[first]) == 0;)
                next++;
            summary->split |= is_split(sorted, first);
            summary->repeats[summary->repeat_count++] = join(sorted + first, next - first, values);
        }
        qsort(summary->repeats, summary->repeat_count, sizeof *summary->repeats, by_place);
        summary->together_bps =
            summary->set_count > 1 ? (struct stats){0} : together(summary, values);
        summary->unlike = scenarios_differ(summary);
    }
    free(sorted);
    free(values);
    return fine ? 0 : -1;
}
