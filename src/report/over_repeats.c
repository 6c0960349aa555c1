/* Flows of several runs are one flow repeated if they have the same id. */
#include "report/over_repeats.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    const struct flow_summary *x = *(const struct flow_summary *const *)a;
    const struct flow_summary *y = *(const struct flow_summary *const *)b;
    if (x->flow.id != y->flow.id)
        return x->flow.id < y->flow.id ? -1 : 1;
    return (x > y) - (x < y); /* the order of the runs */
}

static int by_place(const void *a, const void *b)
{
    const struct flow_repeats *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

typedef bool figure(const struct flow_summary *flow, double *value);

static bool goodput(const struct flow_summary *flow, double *value)
{
    *value = flow->goodput_bps;
    return flow->has_goodput;
}

static bool rtt_mean(const struct flow_summary *flow, double *value)
{
    *value = flow->rtt_mean_ns;
    return flow->has_rtt;
}

static bool retransmits(const struct flow_summary *flow, double *value)
{
    *value = (double)flow->retransmits;
    return flow->has_retransmits;
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
        if (!out.trouble && (status == FLOW_PARTIAL || status == FLOW_FAILED))
            out.trouble = flows[i];
    }
    out.goodput_bps = over(flows, count, goodput, values);
    out.rtt_mean_ns = over(flows, count, rtt_mean, values);
    out.retransmits = over(flows, count, retransmits, values);
    return out;
}

/* False where data moved and none can say how fast. */
static bool sum_goodput(const struct run_summary *run, double *sum)
{
    bool any = false, all = true;
    *sum = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        *sum += flow->goodput_bps;
        any |= flow->has_goodput;
        all &= flow->has_goodput || !flow->has_begin;
    }
    return any && all;
}

static struct stats sum_goodputs(const struct summary *summary, double *values)
{
    size_t known = 0;
    for (size_t r = 0; r < summary->run_count; r++)
        known += sum_goodput(&summary->runs[r], &values[known]);
    return stats_of(values, known);
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
    summary->repeats = calloc(count + 1, sizeof *summary->repeats);
    bool fine = sorted && values && summary->repeats;
    for (size_t i = 0; fine && i < count; i++)
        sorted[i] = &summary->flows[i];
    if (fine) {
        qsort(sorted, count, sizeof(*sorted), by_id);
        for (size_t first = 0, next; first < count; first = next) {
            for (next = first + 1; next < count && sorted[next]->flow.id == sorted[first]->flow.id;)
                next++;
            summary->repeats[summary->repeat_count++] = join(sorted + first, next - first, values);
        }
        qsort(summary->repeats, summary->repeat_count, sizeof *summary->repeats, by_place);
        summary->goodput_sum_bps = sum_goodputs(summary, values);
        summary->unlike = scenarios_differ(summary);
    }
    free(sorted);
    free(values);
    return fine ? 0 : -1;
}
