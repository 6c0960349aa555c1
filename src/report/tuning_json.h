/* What a flow is tuned by, for programs: in plan and summary alike. */
#ifndef REPORT_TUNING_JSON_H
#define REPORT_TUNING_JSON_H

#include <jansson.h>

#include "model/flow.h"

/* {"send_rate_bps", "read_rate_bps", "pacing_rate_bps", "send_buffer_bytes",
 * "receive_buffer_bytes", "mss_bytes"}, null for each that is 0.  NULL: out of memory. */
json_t *tuning_json(const struct tuning *tuning);

#endif
