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
