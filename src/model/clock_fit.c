/* The line is fitted about the middle of the points used, so that sums stay small although the two
 * clocks may be 10^18 ns apart. */
#include "model/clock_fit.h"

#include <math.h>
#include <stdbool.h>

#include "model/ns.h"
#include "util/clock.h"

#define WIDE_FACTOR 3
#define SPAN_MIN_NS (100 * NS_PER_MS)
#define RATE_MAX    1e-3            /* the kernel slews a clock by 500 ppm at most: two by 1000 */
#define UNKNOWN_NS  (INT64_MAX / 4) /* a bound that says nothing */

/* The agent's own time between t2 and t3 may be wrong by RATE_MAX; halved like the round trip. */
static int64_t exchange_bound(const struct clock_exchange *e)
{
    wide_ns held = (wide_ns)e->t3 - e->t2;
    wide_ns trip = (wide_ns)e->t4 - e->t1 - held;
    if (trip < 0)
        trip = 0;
    wide_ns bound = trip / 2 + held / 2000 + 1;
    return bound < UNKNOWN_NS ? (int64_t)bound : UNKNOWN_NS;
}

struct clock_point clock_best(const struct clock_exchange *exchanges, size_t count)
{
    struct clock_point best = {.agent_ns = exchanges[0].t2, .bound_ns = UNKNOWN_NS};
    for (size_t i = 0; i < count; i++) {
        const struct clock_exchange *e = &exchanges[i];
        if (e->t4 < e->t1 || e->t3 < e->t2 || exchange_bound(e) >= best.bound_ns)
            continue;
        wide_ns agent = (wide_ns)e->t2 + e->t3;
        wide_ns master = (wide_ns)e->t1 + e->t4;
        best.agent_ns = ns_clamp(agent / 2);
        best.offset_ns = ns_clamp((agent - master) / 2);
        best.bound_ns = exchange_bound(e);
    }
    return best;
}

static wide_ns offset_at(const struct clock_fit *fit, int64_t agent_ns)
{
    wide_ns passed = (wide_ns)agent_ns - fit->reference_ns;
    return (wide_ns)fit->offset_ns + ns_scale(passed, fit->rate);
}

static int64_t narrowest(const struct clock_point *points, size_t count)
{
    int64_t narrow = points[0].bound_ns;
    for (size_t i = 1; i < count; i++) {
        if (points[i].bound_ns < narrow)
            narrow = points[i].bound_ns;
    }
    return narrow;
}

/* Points that count in the line, and where it lies. */
struct line {
    const struct clock_point *points;
    size_t count;
    int64_t limit_ns; /* widest bound of a point that is used */
    int64_t first_ns, last_ns;
};

static bool is_used(const struct line *line, size_t i)
{
    return line->points[i].bound_ns <= line->limit_ns;
}

static void find_span(struct line *line)
{
    bool found = false;
    for (size_t i = 0; i < line->count; i++) {
        if (!is_used(line, i))
            continue;
        if (!found)
            line->first_ns = line->points[i].agent_ns;
        line->last_ns = line->points[i].agent_ns;
        found = true;
    }
}

/* Whether one offset lies within the bounds of all points, wide ones too; offset_ns is moved into
 * them.  Then nothing is known of a rate, and over a short run a fitted one would be noise: some us
 * in a second are some ppm, which no schedule should follow. */
static bool is_constant(const struct line *line, struct clock_fit *fit)
{
    wide_ns least = INT64_MIN, most = INT64_MAX;
    for (size_t i = 0; i < line->count; i++) {
        wide_ns low = (wide_ns)line->points[i].offset_ns - line->points[i].bound_ns;
        wide_ns high = (wide_ns)line->points[i].offset_ns + line->points[i].bound_ns;
        least = low > least ? low : least;
        most = high < most ? high : most;
    }
    if (least > most)
        return false;
    if (fit->offset_ns < least)
        fit->offset_ns = ns_clamp(least);
    if (fit->offset_ns > most)
        fit->offset_ns = ns_clamp(most);
    return true;
}

/* Least squares: through the mean, with the slope about it. */
static void fit_line(const struct line *line, struct clock_fit *fit)
{
    const struct clock_point *points = line->points;
    wide_ns time = 0, offset = 0;
    for (size_t i = 0; i < line->count; i++) {
        if (!is_used(line, i))
            continue;
        time += points[i].agent_ns;
        offset += points[i].offset_ns;
        fit->used++;
    }
    if (!fit->used)
        return; /* never: the narrowest counts */
    fit->reference_ns = (int64_t)(time / fit->used);
    fit->offset_ns = (int64_t)(offset / fit->used);
    const int64_t span_min = SPAN_MIN_NS;
    if ((wide_ns)line->last_ns - line->first_ns < span_min || is_constant(line, fit))
        return;

    double xx = 0, xy = 0;
    for (size_t i = 0; i < line->count; i++) {
        if (!is_used(line, i))
            continue;
        double x = (double)((wide_ns)points[i].agent_ns - fit->reference_ns);
        xx += x * x;
        xy += x * (double)((wide_ns)points[i].offset_ns - fit->offset_ns);
    }
    fit->rate = fmax(-RATE_MAX, fmin(RATE_MAX, xy / xx));
}

static wide_ns distance(const struct clock_fit *fit, const struct clock_point *point)
{
    wide_ns residual = point->offset_ns - offset_at(fit, point->agent_ns);
    return residual < 0 ? -residual : residual;
}

/* How wrong the line may be at a point that it left out, if it is wrong by at most `error` between
 * the points used.  The true line is straight, so beyond them the error grows at most as fast as a
 * line from -error to error; the point's own bound may say less. */
static wide_ns error_at_wide(const struct line *line, const struct clock_fit *fit,
                             const struct clock_point *point, wide_ns error)
{
    wide_ns residual = distance(fit, point);
    wide_ns span = (wide_ns)line->last_ns - line->first_ns;
    wide_ns beyond = 0;
    if (point->agent_ns < line->first_ns)
        beyond = (wide_ns)line->first_ns - point->agent_ns;
    else if (point->agent_ns > line->last_ns)
        beyond = (wide_ns)point->agent_ns - line->last_ns;

    wide_ns need = residual - point->bound_ns;
    if (beyond) {
        wide_ns most = residual + point->bound_ns;
        if (span > 0) {
            wide_ns grown = error + ns_scale(error, 2 * (double)beyond / (double)span) + 1;
            most = grown < most ? grown : most;
        }
        need = most > need ? most : need;
    }
    return need;
}

static void bound_error(const struct line *line, struct clock_fit *fit)
{
    wide_ns error = 0, residual = 0;
    for (size_t i = 0; i < line->count; i++) {
        if (!is_used(line, i))
            continue;
        wide_ns far = distance(fit, &line->points[i]);
        residual = far > residual ? far : residual;
        wide_ns most = far + line->points[i].bound_ns;
        error = most > error ? most : error;
    }
    wide_ns all = error;
    for (size_t i = 0; i < line->count; i++) {
        if (is_used(line, i))
            continue;
        wide_ns need = error_at_wide(line, fit, &line->points[i], error);
        all = need > all ? need : all;
    }
    fit->residual_ns = ns_clamp(residual);
    fit->error_ns = ns_clamp(all + 1); /* a conversion rounds */
}

/* The line has to be held in both halves of the time; points wider than the best of each would only
 * widen the bound. */
static int64_t choose_limit(const struct clock_point *points, size_t count)
{
    size_t half = count / 2;
    int64_t narrow = narrowest(points, count);
    int64_t limit = ns_clamp((wide_ns)narrow * WIDE_FACTOR);
    int64_t early = half ? narrowest(points, half) : narrow;
    int64_t late = narrowest(points + half, count - half);
    int64_t both = early > late ? early : late;
    return both < limit ? both : limit;
}

struct clock_fit clock_fit(const struct clock_point *points, size_t count, uint32_t exchanges)
{
    int64_t narrow = narrowest(points, count);
    struct line line = {
        .points = points,
        .count = count,
        .limit_ns = choose_limit(points, count),
    };
    struct clock_fit fit = {
        .rtt_min_ns = ns_clamp((wide_ns)narrow * 2),
        .exchanges = exchanges,
    };
    find_span(&line);
    fit_line(&line, &fit);
    bound_error(&line, &fit);
    return fit;
}

int64_t clock_fit_to_master(const struct clock_fit *fit, int64_t agent_ns)
{
    return ns_clamp(agent_ns - offset_at(fit, agent_ns));
}

int64_t clock_fit_to_agent(const struct clock_fit *fit, int64_t master_ns)
{
    /* On the agent's clock as if it had no rate; the rate then counts agent time. */
    wide_ns passed = (wide_ns)master_ns + fit->offset_ns - fit->reference_ns;
    return ns_clamp(fit->reference_ns + passed + ns_scale(passed, fit->rate / (1 - fit->rate)));
}
