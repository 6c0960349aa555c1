#include "model/pace.h"

#include "model/ns.h"

#define SEGMENT   1448               /* bytes: a full one with timestamps on Ethernet, IPv4 */
#define FINE_NS   INT64_C(1000000)   /* rates that fill a segment in less go by so much */
#define COARSE_NS INT64_C(100000000) /* no quantum is worth more */
#define BIT_NS    (8 * (wide_ns)1000000000)

/* Bytes in that time at that rate, rounded down or up. */
static wide_ns bytes_in(uint64_t rate, wide_ns ns)
{
    return rate * ns / BIT_NS;
}

static wide_ns bytes_in_up(uint64_t rate, wide_ns ns)
{
    return (rate * ns + BIT_NS - 1) / BIT_NS;
}

static wide_ns at_most(wide_ns value, wide_ns limit)
{
    return value < limit ? value : limit;
}

void pace_begin(struct pace *pace, uint64_t rate, int64_t begin_ns, int64_t end_ns)
{
    const wide_ns span = end_ns > begin_ns ? (wide_ns)end_ns - begin_ns : 1;
    const wide_ns segments = (bytes_in_up(rate, FINE_NS) + SEGMENT - 1) / SEGMENT;
    const wide_ns quantum = at_most(segments * SEGMENT, bytes_in_up(rate, COARSE_NS));
    *pace = (struct pace){
        .rate = rate,
        .quantum = (uint64_t)quantum,
        .limit = (uint64_t)(bytes_in(rate, PACE_CATCH_UP_NS) + quantum),
        .total = (uint64_t)at_most(bytes_in_up(rate, span), INT64_MAX),
        .begin_ns = begin_ns,
    };
}

uint64_t pace_due(struct pace *pace, int64_t now_ns)
{
    if (now_ns < pace->begin_ns)
        return 0;
    const wide_ns passed = bytes_in(pace->rate, (wide_ns)now_ns - pace->begin_ns);
    const wide_ns begun = (passed / pace->quantum + 1) * pace->quantum;
    const uint64_t all = (uint64_t)at_most(begun, pace->total);
    const uint64_t before = pace->moved + pace->skipped;
    uint64_t due = all > before ? all - before : 0;
    if (due > pace->limit) {
        pace->skipped += due - pace->limit;
        due = pace->limit;
    }
    return due;
}

void pace_moved(struct pace *pace, uint64_t bytes)
{
    pace->moved += bytes;
}

int64_t pace_next_ns(const struct pace *pace)
{
    const uint64_t before = pace->moved + pace->skipped;
    if (before >= pace->total)
        return INT64_MAX;
    const wide_ns passed = (wide_ns)(before / pace->quantum) * pace->quantum;
    return ns_clamp(pace->begin_ns + (passed * BIT_NS + pace->rate - 1) / pace->rate);
}
