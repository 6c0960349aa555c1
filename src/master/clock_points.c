#include "master/clock_points.h"

/* Keeps the points' number bounded: every second one goes, but never the first. */
static void thin_out(struct clock_sync *sync)
{
    size_t kept = 0;
    for (size_t i = 0; i < sync->point_count; i += 2)
        sync->points[kept++] = sync->points[i];
    sync->point_count = kept;
}

void clock_points_add(struct master_agent *agent, const struct clock_exchange *exchanges,
                      size_t count)
{
    struct clock_sync *sync = &agent->clock;
    if (sync->point_count == CLOCK_POINTS_MAX)
        thin_out(sync);
    sync->points[sync->point_count++] = clock_best(exchanges, count);
    sync->exchanges += (uint32_t)count;
}

int64_t clock_points_least_bound(const struct clock_sync *sync)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < sync->point_count; i++)
        if (sync->points[i].bound_ns < least)
            least = sync->points[i].bound_ns;
    return least;
}

bool clock_points_last_is_poor(const struct clock_sync *sync)
{
    return sync->point_count &&
           sync->points[sync->point_count - 1].bound_ns / 2 > clock_points_least_bound(sync);
}

struct clock_fit clock_points_fit(const struct master_agent *agent)
{
    const struct clock_sync *sync = &agent->clock;
    if (sync->point_count == 0)
        return (struct clock_fit){0};
    struct clock_fit fit = clock_fit(sync->points, sync->point_count, sync->exchanges);
    if (sync->probe == PROBE_OFF) /* calls were all that there was, at the end at least */
        fit.method = CLOCK_RPC;
    return fit;
}

struct axis clock_points_axis(const struct master_agent *agent, int64_t axis_ns)
{
    struct clock_fit fit = clock_points_fit(agent);
    int64_t local_ns = clock_fit_to_agent(&fit, agent->session->t0_ns + axis_ns);
    return (struct axis){
        .axis_ns = axis_ns, .local_ns = local_ns, .rate = clock_fit_rate(&fit, local_ns)};
}
