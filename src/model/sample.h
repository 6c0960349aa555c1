/* One reading of one end's TCP_INFO, as the kernel returned it. */
#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H

#include <stdint.h>

#include "model/tcp_fields.h"

#define SAMPLE_OFF_TICK INT64_C(-1) /* tick of the sample before close */

struct sample {
    uint32_t flow;        /* index in the plan */
    uint8_t end;          /* enum flow_end */
    uint8_t cc_length;    /* bytes of TCP_CC_INFO returned, at most sizeof cc */
    uint16_t info_length; /* bytes of TCP_INFO returned, at most sizeof info */
    int64_t tick;         /* of the run's axis, or SAMPLE_OFF_TICK */
    int64_t t_ns;         /* CLOCK_MONOTONIC when getsockopt returned */
    uint8_t info[TCP_INFO_SIZE];
    uint32_t cc[TCP_CC_WORDS];
};

#endif
