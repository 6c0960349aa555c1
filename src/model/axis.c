#include "model/axis.h"

/* Differences only are multiplied: they are small enough for a double to keep the nanosecond
 * (2^53 ns are 104 days). */
int64_t axis_to_local(const struct axis *axis, int64_t t_ns)
{
    int64_t since = t_ns - axis->axis_ns;
    return axis->local_ns + since + (int64_t)((double)since * axis->rate);
}

int64_t axis_from_local(const struct axis *axis, int64_t local_ns)
{
    int64_t since = local_ns - axis->local_ns;
    return axis->axis_ns + since - (int64_t)((double)since * (axis->rate / (1 + axis->rate)));
}

struct axis axis_slew(const struct axis *current, const struct axis *target, int64_t now_local,
                      int64_t over_ns)
{
    int64_t from_axis = axis_from_local(current, now_local);
    int64_t meet_local = axis_to_local(target, from_axis + over_ns);
    double rate = (double)(meet_local - now_local - over_ns) / (double)over_ns;
    /* A schedule may run slow or fast, but never stand still or turn back. */
    if (rate < -0.5)
        rate = -0.5;
    if (rate > 1)
        rate = 1;
    return (struct axis){.axis_ns = from_axis, .local_ns = now_local, .rate = rate};
}

int64_t tick_at_or_before(int64_t t_ns, int64_t interval_ns)
{
    return t_ns < 0 ? -1 : t_ns / interval_ns;
}

int64_t tick_at_or_after(int64_t t_ns, int64_t interval_ns)
{
    return t_ns <= 0 ? 0 : (t_ns - 1) / interval_ns + 1;
}
