#include "model/clock_discipline.h"

#include <math.h>

double clock_discipline_change(const struct clock_discipline *before,
                               const struct clock_discipline *after)
{
    double change = after->rate_ppm - before->rate_ppm;
    bool matters = before->known && after->known && fabs(change) >= CLOCK_RATE_CHANGE_PPM;
    return matters ? change : 0;
}
