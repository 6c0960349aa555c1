/* Bounds of values that several commands take; agents refuse what is beyond. */
#ifndef CLI_BOUNDS_H
#define CLI_BOUNDS_H

#include "model/flow.h"
#include "model/scenario.h"
#include "util/clock.h"

#define CLI_INTERVAL_MAX_NS  INTERVAL_MAX_NS
#define CLI_LEAD_MAX_NS      LEAD_MAX_NS
#define CLI_REPEAT_MAX       1000000
#define CLI_PAUSE_NS         NS_PER_S
#define CLI_PAUSE_MAX_NS     (86400 * NS_PER_S)
#define CLI_WARMUP_MAX_NS    SCENARIO_TIME_MAX
#define CLI_SIZE_MAX         (INT64_C(16) << 20) /* bytes a read or write */
#define CLI_SPOOL_MIN        1000000             /* bytes for all spools of an agent */
#define CLI_WORKERS_MAX      1024
#define CLI_PORT             8840            /* of an agent, unless told */
#define CLI_AGENT_TIMEOUT_NS (10 * NS_PER_S) /* a silent agent is lost then */
#define CLI_ORPHAN_NS        (30 * NS_PER_S) /* a run without a master is stopped then */

#endif
