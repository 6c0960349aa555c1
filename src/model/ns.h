/* Arithmetic on ns that no value, however wrong another machine's clock is, makes overflow. */
#ifndef MODEL_NS_H
#define MODEL_NS_H

#include <math.h>
#include <stdint.h>

__extension__ typedef __int128 wide_ns;

/* The nearest value that an int64 holds. */
static inline int64_t ns_clamp(wide_ns value)
{
    if (value > INT64_MAX)
        return INT64_MAX;
    return value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

/* ns * factor, rounded; within int64, and 0 for what is no number. */
static inline int64_t ns_scale(wide_ns ns, double factor)
{
    const double limit = 0x1p63;
    double product = (double)ns * factor;
    if (isnan(product))
        return 0;
    if (fabs(product) >= limit)
        return product > 0 ? INT64_MAX : INT64_MIN;
    return llround(product);
}

#endif
