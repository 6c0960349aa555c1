/* What a flow's reports account for - bytes, times, samples, the verdict - for programs. */
#ifndef REPORT_ACCOUNTS_JSON_H
#define REPORT_ACCOUNTS_JSON_H

#include <jansson.h>

#include "model/result.h"

/* An object whose members are to stand in the flow's; NULL: out of memory.  "setup_ns",
 * "transfer_ns", "drain_ns" (null: not known), "limited_by" (null: not known), "limit_reason",
 * "limit_shares", "workers", "ledger" (null in files without), "sampling". */
json_t *accounts_json(const struct flow_result *flow);

#endif
