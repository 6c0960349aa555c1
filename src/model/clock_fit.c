/* The line is fitted about the middle of the points used, so that sums stay small although the two
 * clocks may be 10^18 ns apart. */
#include "model/clock_fit.h"

#include <math.h>
#include <stdbool.h>

#include "model/ns.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define WIDE_FACTOR 3
#define SPAN_MIN_NS (100 * NS_PER_MS)
#define RATE_MAX    1e-3            /* the kernel slews a clock by 500 ppm at most: two by 1000 */
#define WANDER      2e-6            /* what a rate may change by from one used point to the next */
#define STRETCH_MAX 1024            /* of bounds, until knots suffice */
#define UNKNOWN_NS  (INT64_MAX / 4) /* a bound that says nothing */

const char *clock_method_name(enum clock_method method)
{
    static const char *const names[] = {
        [CLOCK_RPC] = "rpc", [CLOCK_UDP] = "udp", [CLOCK_UDP_KERNEL] = "udp-kernel"};
    return names[method];
}

/* ---- points ---- */

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

static bool can_be(const struct clock_exchange *e)
{
    wide_ns held = (wide_ns)e->t3 - e->t2;
    return e->t4 >= e->t1 && held >= 0 && (wide_ns)e->t4 - e->t1 - held >= -(held / 1000 + 2);
}

static const struct clock_exchange *fastest(const struct clock_exchange *exchanges, size_t count)
{
    const struct clock_exchange *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (can_be(&exchanges[i]) &&
            (!best || exchange_bound(&exchanges[i]) < exchange_bound(best)))
            best = &exchanges[i];
    return best;
}

/* What the two clocks may have drifted apart between two moments of the agent's. */
static wide_ns drift(wide_ns from, wide_ns to)
{
    wide_ns passed = from > to ? from - to : to - from;
    return passed / 1000 + 1;
}

/* The least forth and the least back of a burst may belong to two exchanges. */
static void narrow(struct clock_point *point, const struct clock_exchange *exchanges, size_t count)
{
    wide_ns least = INT64_MIN, most = INT64_MAX;
    enum clock_method low_by = point->method, high_by = point->method;
    for (size_t i = 0; i < count; i++) {
        const struct clock_exchange *e = &exchanges[i];
        if (!can_be(e))
            continue;
        wide_ns high = (wide_ns)e->t2 - e->t1 + drift(e->t2, point->agent_ns);
        wide_ns low = (wide_ns)e->t3 - e->t4 - drift(e->t3, point->agent_ns);
        if (high < most) {
            most = high;
            high_by = e->method;
        }
        if (low > least) {
            least = low;
            low_by = e->method;
        }
    }
    if (least > most || (most - least) / 2 + 1 >= point->bound_ns)
        return; /* contradictory: the fastest alone has to do */
    point->offset_ns = ns_clamp((least + most) / 2);
    point->bound_ns = ns_clamp((most - least) / 2 + 1);
    point->method = low_by < high_by ? low_by : high_by;
}

struct clock_point clock_best(const struct clock_exchange *exchanges, size_t count)
{
    const struct clock_exchange *best = fastest(exchanges, count);
    if (!best || exchange_bound(best) == UNKNOWN_NS)
        return (struct clock_point){.agent_ns = exchanges[0].t2, .bound_ns = UNKNOWN_NS};
    wide_ns agent = (wide_ns)best->t2 + best->t3;
    wide_ns master = (wide_ns)best->t1 + best->t4;
    struct clock_point point = {
        .agent_ns = ns_clamp(agent / 2),
        .offset_ns = ns_clamp((agent - master) / 2),
        .bound_ns = exchange_bound(best),
        .method = best->method,
    };
    narrow(&point, exchanges, count);
    return point;
}

/* ---- the mapping ---- */

/* A straight line of offsets. */
struct piece {
    int64_t reference_ns, offset_ns;
    double rate;
};

static struct piece whole(const struct clock_fit *fit)
{
    return (struct piece){fit->reference_ns, fit->offset_ns, fit->rate};
}

/* From knot i to the next. */
static struct piece piece_from(const struct clock_fit *fit, size_t i)
{
    const struct clock_knot *from = &fit->knots[i], *to = from + 1;
    double passed = (double)((wide_ns)to->agent_ns - from->agent_ns);
    double risen = (double)((wide_ns)to->offset_ns - from->offset_ns);
    double rate = passed > 0 ? risen / passed : 0;
    return (struct piece){from->agent_ns, from->offset_ns, fmax(-RATE_MAX, fmin(RATE_MAX, rate))};
}

static wide_ns knot_time(const struct clock_knot *knot, bool master)
{
    return master ? (wide_ns)knot->agent_ns - knot->offset_ns : (wide_ns)knot->agent_ns;
}

/* The piece that a moment of the agent's clock, or of the master's, lies on. */
static size_t piece_at(const struct clock_fit *fit, int64_t time_ns, bool master)
{
    size_t low = 0, high = fit->knot_count - 2;
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        if (knot_time(&fit->knots[middle], master) <= time_ns)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static struct piece piece_of(const struct clock_fit *fit, int64_t time_ns, bool master)
{
    return fit->knot_count ? piece_from(fit, piece_at(fit, time_ns, master)) : whole(fit);
}

static wide_ns offset_at(const struct clock_fit *fit, int64_t agent_ns)
{
    struct piece piece = piece_of(fit, agent_ns, false);
    wide_ns passed = (wide_ns)agent_ns - piece.reference_ns;
    return (wide_ns)piece.offset_ns + ns_scale(passed, piece.rate);
}

int64_t clock_fit_to_master(const struct clock_fit *fit, int64_t agent_ns)
{
    return ns_clamp(agent_ns - offset_at(fit, agent_ns));
}

int64_t clock_fit_to_axis(const struct clock_fit *fit, int64_t agent_ns, int64_t t0_ns)
{
    const wide_ns far = CLOCK_FAR_NS, t_ns = agent_ns - offset_at(fit, agent_ns) - t0_ns;
    return (int64_t)(t_ns > far ? far : t_ns < -far ? -far : t_ns);
}

int64_t clock_fit_to_agent(const struct clock_fit *fit, int64_t master_ns)
{
    struct piece piece = piece_of(fit, master_ns, true);
    /* On the agent's clock as if it had no rate; the rate then counts agent time. */
    wide_ns passed = (wide_ns)master_ns + piece.offset_ns - piece.reference_ns;
    return ns_clamp(piece.reference_ns + passed + ns_scale(passed, piece.rate / (1 - piece.rate)));
}

double clock_fit_rate(const struct clock_fit *fit, int64_t agent_ns)
{
    return piece_of(fit, agent_ns, false).rate;
}

/* ---- the line ---- */

static int64_t least_bound(const struct clock_point *points, size_t count)
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
        if (!fit->used || points[i].method < fit->method)
            fit->method = points[i].method;
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
 * the points used.  Beyond them, where the true line is straight, the error grows at most as fast
 * as a line from -error to error; the point's own bound may say less. */
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
        if (span > 0 && !fit->knot_count) {
            wide_ns grown = error + ns_scale(error, 2 * (double)beyond / (double)span) +
                            ns_scale(beyond, WANDER) + 1;
            most = grown < most ? grown : most;
        } else if (span == 0) { /* one point: the rate is anything that clocks can do */
            wide_ns grown = error + ns_scale(beyond, RATE_MAX) + 1;
            most = grown < most ? grown : most;
        }
        need = most > need ? most : need;
    }
    return need;
}

/* How far the truth may be from the line between two moments where it is on it: the rates there
 * differ by what the pieces about them do, and by the clocks' wandering. */
static wide_ns bend_between(const struct clock_fit *fit, int64_t from_ns, int64_t to_ns)
{
    double least = 0, most = 0;
    if (fit->knot_count) {
        size_t first = piece_at(fit, from_ns, false), last = piece_at(fit, to_ns, false);
        first -= first > 0;
        last += last < fit->knot_count - 2;
        least = most = piece_from(fit, first).rate;
        for (size_t i = first + 1; i <= last; i++) {
            least = fmin(least, piece_from(fit, i).rate);
            most = fmax(most, piece_from(fit, i).rate);
        }
    }
    return ns_scale((wide_ns)to_ns - from_ns, (most - least + WANDER) / 4);
}

static wide_ns larger(wide_ns a, wide_ns b)
{
    return a > b ? a : b;
}

static void bound_error(const struct line *line, struct clock_fit *fit)
{
    wide_ns error = 0, residual = 0, last = 0;
    const struct clock_point *before = NULL;
    for (size_t i = 0; i < line->count; i++) {
        const struct clock_point *point = &line->points[i];
        if (!is_used(line, i))
            continue;
        wide_ns far = distance(fit, point), here = far + point->bound_ns;
        wide_ns bend = before ? bend_between(fit, before->agent_ns, point->agent_ns) : 0;
        residual = larger(residual, far);
        error = larger(error, larger(last, here) + bend);
        before = point;
        last = here;
    }
    wide_ns all = error;
    for (size_t i = 0; i < line->count; i++)
        if (!is_used(line, i))
            all = larger(all, error_at_wide(line, fit, &line->points[i], error));
    fit->residual_ns = ns_clamp(residual);
    fit->error_ns = ns_clamp(all + 1); /* a conversion rounds */
}

/* ---- knots ---- */

static bool explains_all(const struct line *line, const struct clock_fit *fit)
{
    for (size_t i = 0; i < line->count; i++)
        if (distance(fit, &line->points[i]) > line->points[i].bound_ns)
            return false;
    return true;
}

/* The rates from a knot that keep within all points so far, and the one nearest to them. */
struct fan {
    double least, most;
    double weights, sum; /* of rates through the points' middles */
};

static const struct fan open_fan = {-RATE_MAX, RATE_MAX, 0, 0};

/* False: the point cannot be reached as well. */
static bool narrow_fan(struct fan *fan, const struct clock_knot *knot,
                       const struct clock_point *point, double stretch)
{
    double x = (double)((wide_ns)point->agent_ns - knot->agent_ns);
    double y = (double)((wide_ns)point->offset_ns - knot->offset_ns);
    double room = (double)point->bound_ns * stretch;
    if (x <= 0)
        return true;
    double least = fmax(fan->least, (y - room) / x), most = fmin(fan->most, (y + room) / x);
    if (least > most)
        return false;
    double weight = x * x / (room * room + 1);
    *fan = (struct fan){least, most, fan->weights + weight, fan->sum + weight * y / x};
    return true;
}

static bool add_knot(struct clock_fit *fit, const struct fan *fan, int64_t agent_ns)
{
    const struct clock_knot *last = &fit->knots[fit->knot_count - 1];
    double rate = fan->weights > 0 ? fan->sum / fan->weights : 0;
    rate = fmax(fan->least, fmin(fan->most, rate));
    if (fit->knot_count == CLOCK_KNOTS_MAX)
        return false;
    wide_ns passed = (wide_ns)agent_ns - last->agent_ns;
    fit->knots[fit->knot_count++] =
        (struct clock_knot){agent_ns, ns_clamp((wide_ns)last->offset_ns + ns_scale(passed, rate))};
    return true;
}

/* From a knot as far as one rate keeps within every point's bound, then on from there.  False:
 * there would be too many knots. */
static bool set_knots(const struct line *line, struct clock_fit *fit, double stretch)
{
    const struct clock_point *points = line->points;
    struct fan fan = open_fan;
    size_t first = 0;
    while (!is_used(line, first))
        first++;
    fit->knots[0] = (struct clock_knot){points[first].agent_ns, points[first].offset_ns};
    fit->knot_count = 1;
    for (size_t i = first + 1; i < line->count; i++) {
        const struct clock_knot *knot = &fit->knots[fit->knot_count - 1];
        if (narrow_fan(&fan, knot, &points[i], stretch) || points[i - 1].agent_ns <= knot->agent_ns)
            continue;
        if (!add_knot(fit, &fan, points[i - 1].agent_ns))
            return false;
        fan = open_fan;
        narrow_fan(&fan, &fit->knots[fit->knot_count - 1], &points[i], stretch);
    }
    const struct clock_point *end = &points[line->count - 1];
    return end->agent_ns > fit->knots[fit->knot_count - 1].agent_ns &&
           add_knot(fit, &fan, end->agent_ns);
}

/* Where no straight line explains the points, one with knots may: the clocks' rates changed. */
static void bend(const struct line *line, struct clock_fit *fit)
{
    const int64_t span_min = SPAN_MIN_NS;
    if ((wide_ns)line->last_ns - line->first_ns < span_min || explains_all(line, fit))
        return;
    struct clock_fit bent = *fit;
    double stretch = 1;
    while (!set_knots(line, &bent, stretch) && stretch < STRETCH_MAX)
        stretch *= 2;
    if (stretch == STRETCH_MAX)
        return;
    bound_error(line, &bent);
    if (bent.error_ns < fit->error_ns)
        *fit = bent;
}

/* ---- the fit ---- */

/* The line has to be held in both halves of the time: so the worse of the best of each counts. */
static int64_t least_limit(const struct clock_point *points, size_t count)
{
    size_t half = count / 2;
    int64_t late = least_bound(points + half, count - half);
    int64_t early = half ? least_bound(points, half) : late;
    return early > late ? early : late;
}

static struct clock_fit fit_within(const struct clock_point *points, size_t count, int64_t limit_ns)
{
    struct line line = {.points = points, .count = count, .limit_ns = limit_ns};
    struct clock_fit fit = {0};
    find_span(&line);
    fit_line(&line, &fit);
    bound_error(&line, &fit);
    bend(&line, &fit);
    return fit;
}

/* Few points are narrow, many are close together: what gives the least error is tried. */
struct clock_fit clock_fit(const struct clock_point *points, size_t count, uint32_t exchanges)
{
    static const double factors[] = {1.1, 1.25, 1.5, 2, WIDE_FACTOR};
    int64_t narrow = least_bound(points, count), widest = ns_scale(narrow, WIDE_FACTOR);
    int64_t limit = least_limit(points, count);
    if (limit > widest)
        limit = widest;
    struct clock_fit fit = fit_within(points, count, limit);
    for (size_t i = 0; i < COUNT_OF(factors); i++) {
        int64_t wider = ns_scale(narrow, factors[i]);
        if (wider <= limit)
            continue;
        struct clock_fit other = fit_within(points, count, wider);
        if (other.error_ns < fit.error_ns)
            fit = other;
    }
    fit.rtt_min_ns = ns_clamp((wide_ns)narrow * 2);
    fit.exchanges = exchanges;
    return fit;
}
