#include "model/stats.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that the share of the sorted values is below. */
static double quantile(const double *sorted, size_t count, double share)
{
    double place = (double)(count - 1) * share;
    size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    double part = place - (double)below;
    return sorted[below] + (sorted[below + 1] - sorted[below]) * part;
}

struct stats stats_of(double *values, size_t count)
{
    if (count == 0)
        return (struct stats){0};
    qsort(values, count, sizeof *values, compare);
    return (struct stats){
        .count = count,
        .min = values[0],
        .quartile_1 = quantile(values, count, 0.25),
        .median = quantile(values, count, 0.5),
        .quartile_3 = quantile(values, count, 0.75),
        .max = values[count - 1],
    };
}
