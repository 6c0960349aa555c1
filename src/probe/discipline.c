#include "probe/discipline.h"

#include <sys/timex.h>
#include <unistd.h>

#include "util/clock.h"

#define FREQUENCY_UNITS 65536.0 /* of a ppm, in adjtimex(2) */

struct clock_discipline discipline_read(void)
{
    struct timex about = {.modes = 0};
    int state = adjtimex(&about);
    long ticks_per_s = sysconf(_SC_CLK_TCK);
    if (state < 0 || ticks_per_s <= 0)
        return (struct clock_discipline){0};
    int64_t nominal_ns = NS_PER_S / ticks_per_s;
    int64_t tick_ns = about.tick * NS_PER_US;
    double frequency = (double)about.freq / FREQUENCY_UNITS;
    return (struct clock_discipline){
        .known = true,
        .synchronized = state != TIME_ERROR && !(about.status & STA_UNSYNC),
        .status = (uint32_t)about.status,
        .frequency_ppm = frequency,
        .rate_ppm = frequency + (double)(tick_ns - nominal_ns) / (double)nominal_ns * 1e6,
        .tick_ns = tick_ns,
        .offset_ns = about.offset * (about.status & STA_NANO ? 1 : NS_PER_US),
        .max_error_ns = about.maxerror * NS_PER_US,
        .estimated_error_ns = about.esterror * NS_PER_US,
        .tai_s = about.tai,
    };
}
