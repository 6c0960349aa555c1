#include "util/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_now_unix(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_jiffy(void)
{
    struct timespec step = {0};
    clock_getres(CLOCK_MONOTONIC_COARSE, &step);
    return step.tv_sec * NS_PER_S + step.tv_nsec;
}
