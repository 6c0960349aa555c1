#include "report/totals.h"

#include <string.h>

#include "model/ccalg.h"
#include "model/goodput.h"

static void add_counted(struct counted *sum, const struct flow_summary *flow, struct counted more)
{
    sum->known &= more.known || !flow->has_begin;
    sum->value += more.value;
}

static void add_counters(struct totals *totals, const struct flow_summary *flow)
{
    const struct flow_result *result = &flow->flow;
    const struct counted payload = {result->has_report[END_DST],
                                    result->report[END_DST].payload_bytes};
    add_counted(&totals->payload_bytes, flow, payload);
    add_counted(&totals->retransmits, flow, flow->retransmits);
    add_counted(&totals->ce_marks, flow, flow->ce_marks);
    if (!ccalg_needs_ecn(result->report[END_SRC].ccalg))
        totals->echoes += flow->ce_marks.value;
}

static bool is_of(const struct flow_summary *flow, const struct pair *pair)
{
    return strcmp(flow->flow.src, pair->src) == 0 && strcmp(flow->flow.dst, pair->dst) == 0;
}

/* pair NULL: of all. */
static struct totals sum(const struct run_summary *run, const struct pair *pair)
{
    struct totals totals = {.whole = true,
                            .payload_bytes.known = true,
                            .retransmits.known = true,
                            .ce_marks.known = true};
    int64_t from_ns = INT64_MAX, to_ns = INT64_MIN;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        if (pair && !is_of(flow, pair))
            continue;
        add_counters(&totals, flow);
        totals.whole &= flow->has_goodput || !flow->has_begin;
        if (!flow->has_goodput)
            continue;
        totals.has_goodput = true;
        totals.bytes += flow->goodput_bytes;
        from_ns = flow->goodput_from_ns < from_ns ? flow->goodput_from_ns : from_ns;
        const int64_t end_ns = flow->goodput_from_ns + flow->goodput_ns;
        to_ns = end_ns > to_ns ? end_ns : to_ns;
    }
    if (totals.has_goodput)
        totals.bps = goodput_between(totals.bytes, from_ns, to_ns);
    totals.has_goodput &=
        totals.bps >= 0 && !__builtin_sub_overflow(to_ns, from_ns, &totals.time_ns);
    return totals;
}

struct totals totals_of(const struct run_summary *run)
{
    return sum(run, NULL);
}

size_t totals_of_pairs(const struct run_summary *run, struct pair *pairs, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        size_t known = 0;
        while (known < count && !is_of(flow, &pairs[known]))
            known++;
        if (known < count)
            continue;
        if (count == max)
            return 0;
        pairs[count++] = (struct pair){.src = flow->flow.src, .dst = flow->flow.dst};
    }
    for (size_t i = 0; i < count; i++)
        pairs[i].totals = sum(run, &pairs[i]);
    return count;
}
