#include "report/totals.h"

#include "model/goodput.h"

struct totals totals_of(const struct run_summary *run)
{
    struct totals totals = {.whole = true};
    int64_t from_ns = INT64_MAX, to_ns = INT64_MIN;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        totals.payload_bytes += flow->flow.report[END_DST].payload_bytes;
        totals.retransmits += flow->retransmits.value;
        totals.ce_marks += flow->ce_marks.value;
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
