/* What an agent received lately, from what it tells of all that it received so far.  The master's
 * thread. */
#ifndef MASTER_METER_H
#define MASTER_METER_H

#include <stdint.h>

/* Zero-initialised: nothing was told yet. */
struct meter {
    int64_t from_ns, told_ns; /* what is being measured: since when; and when it last told */
    uint64_t from_bytes;
    double bps; /* over the last half second that is whole */
};

/* The agent told at now_ns that it had received so many bytes.  Flows begin at since_ns: what was
 * before does not count. */
void meter_take(struct meter *meter, uint64_t bytes, int64_t now_ns, int64_t since_ns);
/* bit/s; 0 where it told nothing of late. */
double meter_rate(const struct meter *meter, int64_t now_ns);

#endif
