#include "model/clock_fit.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define WIDE       3 /* a point so many times as wide as the narrowest is left out */
#define SPAN_MIN   INT64_C(100000000) /* ns: a shorter span says nothing of the rate */
#define NARROW_MIN INT64_C(1000)      /* ns: below that width is noise */

static int64_t round_trip(const struct clock_exchange *e)
{
    return (e->t4 - e->t1) - (e->t3 - e->t2);
}

struct clock_point clock_best(const struct clock_exchange *exchanges, size_t count)
{
    const struct clock_exchange *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct clock_exchange *e = &exchanges[i];
        bool sound = e->t4 >= e->t1 && e->t3 >= e->t2 && round_trip(e) >= 0;
        if (sound && (!best || round_trip(e) < round_trip(best)))
            best = e;
    }
    if (!best) /* clocks that run backwards: nothing is known but the order of magnitude */
        return (struct clock_point){exchanges[0].t2, exchanges[0].t2 - exchanges[0].t1,
                                    INT64_MAX / 4};
    /* Half of a sum of two differences, without overflow for clocks far apart. */
    int64_t there = best->t2 - best->t1, back = best->t3 - best->t4;
    return (struct clock_point){
        .agent_ns = best->t2 + (best->t3 - best->t2) / 2,
        .offset_ns = there + (back - there) / 2,
        .bound_ns = (round_trip(best) + 1) / 2,
    };
}

static int64_t narrowest(const struct clock_point *points, size_t count)
{
    int64_t least = points[0].bound_ns;
    for (size_t i = 1; i < count; i++)
        if (points[i].bound_ns < least)
            least = points[i].bound_ns;
    return least;
}

static bool counts(const struct clock_point *point, int64_t least)
{
    int64_t width = least < NARROW_MIN ? NARROW_MIN : least;
    return point->bound_ns / WIDE <= width;
}

/* Least squares over the points that count; times and offsets relative to the reference, so that a
 * double is exact enough. */
static void fit_line(struct clock_fit *fit, const struct clock_point *points, size_t count,
                     int64_t least)
{
    double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
    int64_t base = fit->offset_ns, first = 0, last = 0;
    for (size_t i = 0; i < count; i++) {
        if (!counts(&points[i], least))
            continue;
        double x = (double)(points[i].agent_ns - fit->reference_ns);
        double y = (double)(points[i].offset_ns - base);
        if (fit->used++ == 0)
            first = points[i].agent_ns;
        last = points[i].agent_ns;
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
    }
    double n = fit->used, spread = sum_xx - sum_x * sum_x / n;
    if (fit->used > 1 && last - first >= SPAN_MIN && spread > 0)
        fit->rate = (sum_xy - sum_x * sum_y / n) / spread;
    fit->offset_ns = base + (int64_t)llround((sum_y - fit->rate * sum_x) / n);
}

static int64_t distance(const struct clock_fit *fit, const struct clock_point *point)
{
    double turned = fit->rate * (double)(point->agent_ns - fit->reference_ns);
    return llabs(point->offset_ns - fit->offset_ns - (int64_t)llround(turned));
}

struct clock_fit clock_fit(const struct clock_point *points, size_t count, uint32_t exchanges)
{
    int64_t least = narrowest(points, count);
    struct clock_fit fit = {
        .reference_ns = points[0].agent_ns,
        .offset_ns = points[0].offset_ns,
        .exchanges = exchanges,
        .rtt_min_ns = 2 * least,
    };
    fit_line(&fit, points, count, least);
    for (size_t i = 0; i < count; i++) {
        int64_t far = distance(&fit, &points[i]), error;
        if (counts(&points[i], least)) {
            error = far + points[i].bound_ns;
            if (far > fit.residual_ns)
                fit.residual_ns = far;
        } else {
            error =
                far - points[i].bound_ns; /* it contradicts the line only if the line is outside */
        }
        if (error > fit.error_ns)
            fit.error_ns = error;
    }
    return fit;
}

int64_t clock_fit_to_master(const struct clock_fit *fit, int64_t agent_ns)
{
    double turned = fit->rate * (double)(agent_ns - fit->reference_ns);
    return agent_ns - fit->offset_ns - (int64_t)llround(turned);
}

int64_t clock_fit_to_agent(const struct clock_fit *fit, int64_t master_ns)
{
    int64_t agent_ns = master_ns + fit->offset_ns;
    double turned = fit->rate / (1 - fit->rate) * (double)(agent_ns - fit->reference_ns);
    return agent_ns + (int64_t)llround(turned);
}
