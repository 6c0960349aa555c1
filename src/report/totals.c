#include "report/totals.h"

#include <string.h>

#include "model/ccalg.h"

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

/* The first one: to_ns is less than from_ns. */
static void add_span(struct goodput_span *sum, const struct goodput_span *more)
{
    const int64_t early_ns = more->to_ns >= sum->to_ns ? more->early_ns : sum->early_ns;
    const bool known = sum->error_ns >= 0 && more->error_ns >= 0;
    sum->bytes += more->bytes;
    sum->from_ns = more->from_ns < sum->from_ns ? more->from_ns : sum->from_ns;
    sum->to_ns = more->to_ns > sum->to_ns ? more->to_ns : sum->to_ns;
    sum->error_ns = !known ? -1 : more->error_ns > sum->error_ns ? more->error_ns : sum->error_ns;
    sum->early_ns = early_ns;
}

/* pair NULL: of all. */
static struct totals sum(const struct run_summary *run, const struct pair *pair)
{
    struct totals totals = {.whole = true,
                            .payload_bytes.known = true,
                            .retransmits.known = true,
                            .ce_marks.known = true};
    struct goodput_span span = {.from_ns = INT64_MAX, .to_ns = INT64_MIN};
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        if (pair && !is_of(flow, pair))
            continue;
        add_counters(&totals, flow);
        const bool counts = goodput_has_span(&flow->goodput);
        totals.whole &= counts || flow->goodput.lack == GOODPUT_NO_DATA;
        if (counts)
            add_span(&span, &flow->goodput.span);
    }
    totals.goodput = span.from_ns <= span.to_ns ? goodput_of(&span) : goodput_none(GOODPUT_NO_DATA);
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
