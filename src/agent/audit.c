#include "agent/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/random.h"

#define WINDOW_NS (10 * NS_PER_S)
#define TOLD_MAX  16u /* refusals told in a window */

/* What a stranger wrote, or is quoted from him. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

void audit_done(struct rpc_call *call, const char *run, const char *done)
{
    log_info("run %s: %s by %s", run, done, rpc_caller(call)->text);
}

static void tell_untold(struct audit *audit)
{
    if (audit->untold)
        log_info("refused, and not told one by one: %" PRIu64 " calls", audit->untold);
    audit->untold = 0;
}

/* Whether one more may be told. */
static bool is_due(struct audit *audit)
{
    const int64_t now = clock_now();
    if (now - audit->since_ns >= WINDOW_NS) {
        tell_untold(audit);
        audit->since_ns = now;
        audit->told = 0;
    }
    if (audit->told == TOLD_MAX) {
        audit->untold++;
        return false;
    }
    audit->told++;
    return true;
}

void audit_refused(struct audit *audit, struct rpc_call *call, const char *what, const char *run,
                   const char *why)
{
    char text[768];
    if (!is_due(audit))
        return;
    snprintf(text, sizeof text, "refused to %s: %s of run %s: %s", rpc_caller(call)->text, what,
             random_id_is_sound(run) ? run : "?", why);
    make_plain(text);
    log_info("%s", text);
}

void audit_fini(struct audit *audit)
{
    tell_untold(audit);
}
