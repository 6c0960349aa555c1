#include "util/waking.h"

void waking_come_round(struct waking *waking, int64_t now_ns, int64_t due_ns)
{
    const int64_t from_ns = waking->seen_ns > due_ns ? waking->seen_ns : due_ns;
    const int64_t late_ns = waking->seen_ns ? now_ns - from_ns : 0;
    if (late_ns > WAKING_LATE_NS)
        waking->missed_ns += late_ns - WAKING_LATE_NS;
    waking->seen_ns = now_ns;
}

int64_t waking_time(const struct waking *waking, int64_t now_ns)
{
    return now_ns - waking->missed_ns;
}

int64_t waking_due(const struct waking *waking, int64_t lived_ns)
{
    return lived_ns > INT64_MAX - waking->missed_ns ? INT64_MAX : lived_ns + waking->missed_ns;
}
