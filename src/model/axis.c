/* Differences are taken as integers: only their product with the small rate is a double, so that
 * times of 10^18 ns keep every ns. */
#include "model/axis.h"

#include "model/ns.h"

int64_t axis_to_local(const struct axis *axis, int64_t t_ns)
{
    wide_ns passed = (wide_ns)t_ns - axis->axis_ns;
    return ns_clamp(axis->local_ns + passed + ns_scale(passed, axis->rate));
}

int64_t axis_from_local(const struct axis *axis, int64_t local_ns)
{
    wide_ns passed = (wide_ns)local_ns - axis->local_ns;
    return ns_clamp(axis->axis_ns + passed - ns_scale(passed, axis->rate / (1 + axis->rate)));
}

struct axis axis_slew(const struct axis *current, const struct axis *target, int64_t now_local,
                      int64_t over_ns)
{
    if (over_ns <= 0)
        return *target;
    int64_t from = axis_from_local(current, now_local);
    int64_t to = axis_from_local(target, ns_clamp((wide_ns)now_local + over_ns));
    wide_ns passed = (wide_ns)to - from;
    if (passed < over_ns / 2)
        passed = over_ns / 2 + 1;
    return (struct axis){
        .axis_ns = from,
        .local_ns = now_local,
        .rate = (double)(over_ns - passed) / (double)passed,
    };
}

int64_t tick_at_or_after(int64_t t_ns, int64_t interval_ns)
{
    return t_ns <= 0 ? 0 : (t_ns - 1) / interval_ns + 1;
}

int64_t tick_at_or_before(int64_t t_ns, int64_t interval_ns)
{
    return t_ns < 0 ? -1 : t_ns / interval_ns;
}
