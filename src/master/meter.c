#include "master/meter.h"

#include "model/goodput.h"
#include "util/clock.h"

#define LEAST_NS (400 * NS_PER_MS) /* they tell it after half a second at the latest, about */
#define STALE_NS (2 * NS_PER_S)

void meter_take(struct meter *meter, uint64_t bytes, int64_t now_ns, int64_t since_ns)
{
    if (meter->from_ns < since_ns)
        meter->from_ns = since_ns;
    meter->told_ns = now_ns;
    if (now_ns < meter->from_ns) {
        meter->from_bytes = bytes;
        return;
    }
    if (now_ns - meter->from_ns < LEAST_NS)
        return;
    meter->bps = goodput_between(bytes > meter->from_bytes ? bytes - meter->from_bytes : 0,
                                 meter->from_ns, now_ns);
    meter->from_ns = now_ns;
    meter->from_bytes = bytes;
}

double meter_rate(const struct meter *meter, int64_t now_ns)
{
    return now_ns - meter->told_ns < STALE_NS ? meter->bps : 0;
}
