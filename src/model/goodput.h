/* What payload moved how fast.
 *
 * Goodput of a direction is 8 B / (T - b).  b: just before the source's first send of payload.  B:
 * payload in order in the receiving kernel, by its reading at stop (or at the end, if that came
 * before).  T: the moment of that reading, or, if nothing more could come by then, of the last
 * arrival.  So B is what came in just that time: neither a receiver's program that reads late nor a
 * path that is dead at first makes the figure higher than what the path carried.
 *
 * Pure arithmetic; moments are ns on the run's axis. */
#ifndef MODEL_GOODPUT_H
#define MODEL_GOODPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/flow.h"

/* bit/s of bytes that were counted from one moment to another, ns on one clock.  -1: no time passed
 * between them. */
double goodput_between(uint64_t bytes, int64_t from_ns, int64_t to_ns);

/* ---- How sure ---- */

/* Payload, and the time in which it came. */
struct goodput_span {
    uint64_t bytes;
    int64_t from_ns, to_ns;
    int64_t error_ns;   /* the clocks of the two moments: they are wrong by at most this; -1: by how
                           much is not known */
    int64_t early_ns;   /* to_ns is the latest that may be: it was sooner by at most this */
    uint32_t segment;   /* bytes of a mean one; 0: not known */
    int64_t min_rtt_ns; /* 0: not known */
};

/* Why there is no figure. */
enum goodput_lack {
    GOODPUT_THERE_IS,
    GOODPUT_NO_DATA,   /* none came, and a time in which some might have is not known */
    GOODPUT_NO_SINK,   /* some was acknowledged, and the receiver's word is missing */
    GOODPUT_NO_TIMES,  /* not known, or none passed */
    GOODPUT_BEHIND,    /* no sample with data was behind the warm-up */
    GOODPUT_FEW,       /* fewer than GOODPUT_SEGMENTS_MIN */
    GOODPUT_BRIEF,     /* less time than the least RTT */
    GOODPUT_UNCERTAIN, /* the clocks' bound is above GOODPUT_DOUBT_MAX of the time */
    GOODPUT_LACKS
};

#define GOODPUT_SEGMENTS_MIN 10
#define GOODPUT_DOUBT        0.01 /* of the time: beyond it the figure is doubtful */
#define GOODPUT_DOUBT_MAX    0.1

struct goodput {
    enum goodput_lack lack;
    struct goodput_span span;   /* where lack is GOODPUT_FEW or behind it, too */
    double bps;                 /* bit/s */
    double least_bps, most_bps; /* it may be; -1: not known */
    bool doubtful;
};

/* All figures of bytes by time that are not of one clock alone come from here.  Where both moments
 * are known and nothing came, the figure is 0: few segments are a coarse measure, none are not. */
struct goodput goodput_of(const struct goodput_span *span);
/* There is none, for that reason. */
struct goodput goodput_none(enum goodput_lack lack);
/* Whether bytes and time are known, also where there is no figure. */
bool goodput_has_span(const struct goodput *goodput);
/* What GOODPUT_NO_DATA and the others are, behind "no goodput: ". */
const char *goodput_lack_text(enum goodput_lack lack);

/* ---- Of a flow ---- */

/* Whether the report has what T needs; those of versions before it have not. */
bool goodput_is_told(const struct end_report *sink);
/* Of a flow whose sink has T_STOP: all but from_ns and error_ns.  source NULL: its report is
 * missing.
 */
struct goodput_span goodput_span_of(const struct end_report *source, const struct end_report *sink);

#endif
