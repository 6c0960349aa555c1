#include "util/bracket.h"

#include "util/clock.h"

#define READS 8

struct clock_bracket bracket_make(int64_t mono_before_ns, int64_t real_ns, int64_t mono_after_ns)
{
    return (struct clock_bracket){
        .at_ns = mono_after_ns,
        .low_ns = real_ns - mono_after_ns - 1, /* each clock is cut to whole ns */
        .high_ns = real_ns - mono_before_ns + 1,
    };
}

static int64_t width(const struct clock_bracket *bracket)
{
    return bracket->high_ns - bracket->low_ns;
}

struct clock_bracket bracket_read(void)
{
    struct clock_bracket best = {0};
    int64_t before = clock_now();
    for (int i = 0; i < READS; i++) {
        int64_t real = clock_now_unix();
        int64_t after = clock_now();
        struct clock_bracket bracket = bracket_make(before, real, after);
        if (i == 0 || width(&bracket) < width(&best))
            best = bracket;
        before = after;
    }
    return best;
}

/* What both brackets leave possible, and a step smaller than they are wide with it. */
static bool merge(const struct clock_bracket *before, const struct clock_bracket *after,
                  int64_t *low_ns, int64_t *high_ns)
{
    if (!before->at_ns || !after->at_ns)
        return false;
    if (before->high_ns < after->low_ns || after->high_ns < before->low_ns)
        return false;
    *low_ns = before->low_ns < after->low_ns ? before->low_ns : after->low_ns;
    *high_ns = before->high_ns > after->high_ns ? before->high_ns : after->high_ns;
    return true;
}

static bool convert(const struct clock_bracket *before, const struct clock_bracket *after,
                    int64_t real_ns, int64_t *earliest_ns, int64_t *latest_ns)
{
    int64_t low, high;
    if (!merge(before, after, &low, &high))
        return false;
    *earliest_ns = real_ns - high;
    *latest_ns = real_ns - low;
    return *latest_ns >= before->at_ns - width(before) && *earliest_ns <= after->at_ns;
}

bool bracket_earliest(const struct clock_bracket *before, const struct clock_bracket *after,
                      int64_t real_ns, int64_t *mono_ns)
{
    int64_t latest;
    return convert(before, after, real_ns, mono_ns, &latest);
}

bool bracket_latest(const struct clock_bracket *before, const struct clock_bracket *after,
                    int64_t real_ns, int64_t *mono_ns)
{
    int64_t earliest;
    return convert(before, after, real_ns, &earliest, mono_ns);
}

struct span {
    int64_t earliest_ns, latest_ns; /* the former is the later one: nothing */
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where the stamp may lie between the two, if the clocks are so far apart there. */
static void add_place(struct span *all, const struct clock_bracket *before,
                      const struct clock_bracket *after, int64_t real_ns, int64_t low_ns,
                      int64_t high_ns)
{
    const int64_t earliest = later(real_ns - high_ns, before->at_ns - width(before));
    const int64_t latest = sooner(real_ns - low_ns, after->at_ns);
    if (earliest > latest)
        return;
    all->earliest_ns = sooner(all->earliest_ns, earliest);
    all->latest_ns = later(all->latest_ns, latest);
}

/* Where the wall clock was stepped between the two, the stamp is of before or of behind that. */
static void add_places(struct span *all, const struct clock_bracket *before,
                       const struct clock_bracket *after, int64_t real_ns)
{
    int64_t low, high;
    if (merge(before, after, &low, &high)) {
        add_place(all, before, after, real_ns, low, high);
        return;
    }
    add_place(all, before, after, real_ns, before->low_ns, before->high_ns);
    add_place(all, before, after, real_ns, after->low_ns, after->high_ns);
}

static bool is_empty(const struct span *span)
{
    return span->earliest_ns > span->latest_ns;
}

/* A stamp that none of the brackets fits to that it should fit to is looked for further back. */
int64_t bracket_place(const struct clock_bracket brackets[], size_t count, int64_t real_ns,
                      int64_t since_ns, int64_t *error_ns)
{
    struct span all = {INT64_MAX, INT64_MIN};
    size_t i = count - 1;
    for (; i > 0 && (brackets[i].at_ns > since_ns || is_empty(&all)); i--)
        add_places(&all, &brackets[i - 1], &brackets[i], real_ns);
    /* Of what was before the first bracket nothing is known. */
    if (brackets[i].at_ns > since_ns || is_empty(&all))
        all = (struct span){sooner(since_ns, brackets[0].at_ns), brackets[count - 1].at_ns};
    *error_ns = (all.latest_ns - all.earliest_ns) / 2 + 1;
    return all.earliest_ns + (all.latest_ns - all.earliest_ns) / 2;
}
