/* What several measurements of one thing have in common: middle and spread. */
#ifndef MODEL_STATS_H
#define MODEL_STATS_H

#include <stddef.h>

/* Quartiles and median lie between the two nearest values where none is at their place, linearly
 * (as numpy.percentile and R's quantile() have it). */
struct stats {
    size_t count; /* 0: nothing else holds */
    double min, quartile_1, median, quartile_3, max;
};

/* Sorts the values, which must be numbers. */
struct stats stats_of(double *values, size_t count);

#endif
