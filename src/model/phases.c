#include "model/phases.h"

#include <stddef.h>

static int64_t between(const struct end_report *end, enum end_time from, enum end_time to)
{
    const uint32_t both = 1u << from | 1u << to;
    int64_t span_ns;
    if ((end->times & both) != both ||
        __builtin_sub_overflow(end->at[to], end->at[from], &span_ns) || span_ns < 0)
        return -1;
    return span_ns;
}

struct phases phases_of(const struct end_report *source)
{
    if (!source)
        return (struct phases){-1, -1, -1};
    return (struct phases){
        .setup_ns = between(source, T_CONNECT, T_CONNECTED),
        .transfer_ns = between(source, T_FIRST_BYTE, T_STOP),
        .drain_ns = between(source, T_STOP, T_LAST_BYTE),
    };
}
