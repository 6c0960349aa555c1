/* What a kernel says of how its clocks are kept: adjtimex(2) as plain data.  CLOCK_MONOTONIC is
 * never stepped, but what corrects the wall clock's rate corrects its rate, too. */
#ifndef MODEL_CLOCK_DISCIPLINE_H
#define MODEL_CLOCK_DISCIPLINE_H

#include <stdbool.h>
#include <stdint.h>

struct clock_discipline {
    bool known;
    bool synchronized;          /* somebody keeps the wall clock right */
    uint32_t status;            /* STA_* of sys/timex.h */
    double frequency_ppm;       /* correction of the rate */
    double rate_ppm;            /* what it and the tick's length make together */
    int64_t tick_ns;            /* length of a tick */
    int64_t offset_ns;          /* correction that is still to be slewed */
    int64_t max_error_ns;       /* of the wall clock, against UTC */
    int64_t estimated_error_ns; /* likewise */
    int32_t tai_s;              /* TAI - UTC, 0: not known */
};

#define CLOCK_RATE_CHANGE_PPM 1.0 /* smaller ones are a clock's ordinary wandering */

/* How much faster the clocks run after than before, ppm; 0 where that is not known or less than
 * CLOCK_RATE_CHANGE_PPM. */
double clock_discipline_change(const struct clock_discipline *before,
                               const struct clock_discipline *after);

#endif
