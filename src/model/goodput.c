#include "model/goodput.h"

#define BITS_PER_BYTE 8.0
#define NS_PER_S      1e9

double goodput_rate(uint64_t bytes, int64_t ns)
{
    return ns > 0 ? (double)bytes * BITS_PER_BYTE / ((double)ns / NS_PER_S) : -1;
}

struct goodput_meter goodput_meter_of(const struct end_report *sink)
{
    const struct reading *close = &sink->reading[READ_CLOSE];
    return (struct goodput_meter){
        .preamble = sink->preamble_bytes,
        .payload = close->info_length ? close->read + close->unread : sink->payload_bytes,
    };
}

bool goodput_meter_next(struct goodput_meter *meter, int64_t t_ns, uint64_t received,
                        struct goodput_interval *out)
{
    uint64_t bytes = received > meter->preamble ? received - meter->preamble : 0;
    if (meter->payload && bytes > meter->payload)
        bytes = meter->payload;
    const bool begun = meter->begun;
    const bool rises = bytes >= meter->bytes;
    int64_t span_ns;
    if (begun && (!rises || __builtin_sub_overflow(t_ns, meter->t_ns, &span_ns) || span_ns <= 0))
        return false;
    if (begun)
        *out = (struct goodput_interval){.from_ns = meter->t_ns,
                                         .to_ns = t_ns,
                                         .bytes = bytes - meter->bytes,
                                         .bps = goodput_rate(bytes - meter->bytes, span_ns)};
    meter->begun = true;
    meter->t_ns = t_ns;
    meter->bytes = bytes;
    return begun;
}
