#include "agent/refusals.h"

#include <inttypes.h>

#include "util/log.h"

#define LINES_A_MINUTE 20
#define MINUTE_MS      60000

static void sum_up(void *arg)
{
    struct refusals *refusals = arg;
    if (refusals->more)
        log_warning("%" PRIu64 " more connections were refused", refusals->more);
    refusals->logged = 0;
    refusals->more = 0;
}

/* Without memory for a timer the sum comes at the end. */
void refusals_log(void *arg, const struct rpc_caller *caller, const char *why, unsigned more)
{
    struct refusals *refusals = arg;
    if (!refusals->logged)
        rpc_loop_after(refusals->loop, MINUTE_MS, sum_up, refusals);
    if (refusals->logged < LINES_A_MINUTE) {
        refusals->logged++;
        log_warning("refused %s: %s", caller->text, why);
    } else {
        refusals->more++;
    }
    refusals->more += more;
}

void refusals_fini(struct refusals *refusals)
{
    rpc_loop_cancel(refusals->loop, sum_up, refusals);
    sum_up(refusals);
}
