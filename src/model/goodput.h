/* Rates from counters: always by the time that really passed between two readings, whatever
 * interval was asked for, and of payload alone. */
#ifndef MODEL_GOODPUT_H
#define MODEL_GOODPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/flow.h"

/* bit/s of bytes within ns; -1 where no time passed. */
double goodput_rate(uint64_t bytes, int64_t ns);

struct goodput_interval {
    int64_t from_ns, to_ns;
    uint64_t bytes;
    double bps;
};

/* Takes an end's samples one after another.  Zero-initialised counts all bytes. */
struct goodput_meter {
    uint64_t preamble; /* bytes of the token in the counter */
    uint64_t payload;  /* the flow's in all, so that the FIN does not count; 0: not known */
    bool begun;
    int64_t t_ns;
    uint64_t bytes;
};

/* For what the end received, by its report. */
struct goodput_meter goodput_meter_of(const struct end_report *sink);
/* The next sample: its time, and its bytes_received as the kernel has it.  true: *out is the
 * interval since the sample before it; false for the first, for one of the same moment, and where
 * a counter went back (a connection that was reset has none). */
bool goodput_meter_next(struct goodput_meter *meter, int64_t t_ns, uint64_t received,
                        struct goodput_interval *out);

#endif
