#include "model/goodput.h"

#include <stddef.h>

#include "model/ns.h"
#include "model/tcp_fields.h"
#include "util/clock.h"

#define BITS_PER_BYTE 8.0

double goodput_between(uint64_t bytes, int64_t from_ns, int64_t to_ns)
{
    int64_t span_ns;
    if (__builtin_sub_overflow(to_ns, from_ns, &span_ns) || span_ns <= 0)
        return -1;
    return (double)bytes * BITS_PER_BYTE * (double)NS_PER_S / (double)span_ns;
}

/* ---- How sure ---- */

static enum goodput_lack lack_of(const struct goodput_span *span, double time_ns)
{
    if (goodput_between(span->bytes, span->from_ns, span->to_ns) < 0)
        return GOODPUT_NO_TIMES;
    if (span->bytes && span->bytes < (uint64_t)GOODPUT_SEGMENTS_MIN * span->segment)
        return GOODPUT_FEW;
    if (time_ns < (double)span->min_rtt_ns)
        return GOODPUT_BRIEF;
    if ((double)span->error_ns > GOODPUT_DOUBT_MAX * time_ns)
        return GOODPUT_UNCERTAIN;
    return GOODPUT_THERE_IS;
}

struct goodput goodput_none(enum goodput_lack lack)
{
    return (struct goodput){.lack = lack, .bps = -1, .least_bps = -1, .most_bps = -1};
}

struct goodput goodput_of(const struct goodput_span *span)
{
    struct goodput out = goodput_none(GOODPUT_THERE_IS);
    const double bits = (double)span->bytes * BITS_PER_BYTE;
    const double time_ns = (double)span->to_ns - (double)span->from_ns;
    const double error_ns = (double)span->error_ns, early_ns = (double)span->early_ns;
    out.span = *span;
    out.lack = lack_of(span, time_ns);
    if (out.lack)
        return out;
    out.bps = goodput_between(span->bytes, span->from_ns, span->to_ns);
    out.doubtful = error_ns < 0 || error_ns + early_ns > GOODPUT_DOUBT * time_ns;
    if (error_ns < 0)
        return out;
    out.least_bps = bits * NS_PER_S / (time_ns + error_ns);
    if (time_ns > error_ns + early_ns)
        out.most_bps = bits * NS_PER_S / (time_ns - error_ns - early_ns);
    return out;
}

bool goodput_has_span(const struct goodput *goodput)
{
    return goodput->lack == GOODPUT_THERE_IS || goodput->lack >= GOODPUT_FEW;
}

const char *goodput_lack_text(enum goodput_lack lack)
{
    static const char *const texts[GOODPUT_LACKS] = {
        [GOODPUT_THERE_IS] = "",
        [GOODPUT_NO_DATA] = "no payload arrived",
        [GOODPUT_NO_SINK] = "the receiver's report and samples are missing",
        [GOODPUT_NO_TIMES] = "when payload was sent, or arrived, is not known",
        [GOODPUT_BEHIND] = "no sample with data is behind the warm-up",
        [GOODPUT_FEW] = "fewer than 10 segments arrived in the counted time",
        [GOODPUT_BRIEF] = "the counted time is shorter than the least RTT",
        [GOODPUT_UNCERTAIN] = "the clocks are known to worse than a tenth of the counted time",
    };
    return texts[lack];
}

/* ---- Of a flow ---- */

static bool has(const struct end_report *report, enum end_time which)
{
    return report->times >> which & 1;
}

bool goodput_is_told(const struct end_report *sink)
{
    return sink->reading[READ_STOP].jiffy_us > 0;
}

/* Nothing more could come: there is a FIN or a reset, or all that was ever written is there. */
static bool is_all(const struct end_report *source, const struct end_report *sink)
{
    const uint8_t state = sink->reading[READ_STOP].state;
    const bool closed = state >= LINUX_TCP_TIME_WAIT && state <= LINUX_TCP_CLOSING;
    return closed || (source && source->payload_bytes == sink->payload_bytes_stop);
}

/* When data last came, the kernel knows to a jiffy, and so at both moments that it takes the
 * difference of: it is a jiffy later or sooner than it says, and sooner by what it cuts to have
 * whole ms.  What the program had read by a moment had arrived by then. */
static void take_arrival(struct goodput_span *span, const struct end_report *sink)
{
    const struct reading *stop = &sink->reading[READ_STOP];
    const wide_ns jiffy_ns = (wide_ns)stop->jiffy_us * NS_PER_US;
    const wide_ns told_ns = stop->t_ns - (wide_ns)stop->last_data_recv_ms * NS_PER_MS;
    const wide_ns cut_ns = jiffy_ns % NS_PER_MS ? NS_PER_MS : 0;
    const wide_ns soonest_ns = told_ns - jiffy_ns - cut_ns;
    const bool read = has(sink, T_LAST_BYTE) && sink->payload_bytes >= sink->payload_bytes_stop;
    if (told_ns + jiffy_ns < span->to_ns)
        span->to_ns = ns_clamp(told_ns + jiffy_ns);
    if (read && sink->at[T_LAST_BYTE] < span->to_ns)
        span->to_ns = sink->at[T_LAST_BYTE];
    if (span->to_ns > soonest_ns)
        span->early_ns = ns_clamp(span->to_ns - soonest_ns);
}

static uint32_t segment_of(const struct reading *reading)
{
    const uint64_t mean = reading->data_segs ? reading->received / reading->data_segs : 0;
    return mean < UINT32_MAX ? (uint32_t)mean : 0;
}

struct goodput_span goodput_span_of(const struct end_report *source, const struct end_report *sink)
{
    struct goodput_span span = {.bytes = sink->payload_bytes_stop,
                                .to_ns = sink->at[T_STOP],
                                .segment = segment_of(&sink->reading[READ_STOP])};
    const uint32_t min_rtt_us = source ? source->reading[READ_STOP].min_rtt_us : 0;
    if (min_rtt_us < UINT32_MAX)
        span.min_rtt_ns = min_rtt_us * NS_PER_US;
    if (goodput_is_told(sink) && span.bytes && is_all(source, sink))
        take_arrival(&span, sink);
    return span;
}
