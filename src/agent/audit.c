#include "agent/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/random.h"

#define WINDOW_NS (10 * NS_PER_S)
/* Told in a window. */
#define REFUSED_MAX 16u
#define DONE_MAX    200u

/* What a stranger wrote, or is quoted from him. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void tell_untold(struct audit_window *window, const char *what)
{
    if (window->untold)
        log_info("%s, and not told one by one: %" PRIu64 " calls", what, window->untold);
    window->untold = 0;
}

/* Whether one more may be told, of `most` in a window. */
static bool is_due(struct audit_window *window, unsigned most, const char *what)
{
    const int64_t now = clock_now();
    if (now - window->since_ns >= WINDOW_NS) {
        tell_untold(window, what);
        window->since_ns = now;
        window->told = 0;
    }
    if (window->told == most) {
        window->untold++;
        return false;
    }
    window->told++;
    return true;
}

void audit_done(struct audit *audit, struct rpc_call *call, const char *run, const char *done)
{
    if (is_due(&audit->done, DONE_MAX, "served"))
        log_info("run %s: %s by %s", run, done, rpc_caller(call)->text);
}

void audit_refused(struct audit *audit, struct rpc_call *call, const char *what, const char *run,
                   const char *why)
{
    char text[768];
    if (!is_due(&audit->refused, REFUSED_MAX, "refused"))
        return;
    snprintf(text, sizeof text, "refused to %s: %s of run %s: %s", rpc_caller(call)->text, what,
             random_id_is_sound(run) ? run : "?", why);
    make_plain(text);
    log_info("%s", text);
}

void audit_fini(struct audit *audit)
{
    tell_untold(&audit->done, "served");
    tell_untold(&audit->refused, "refused");
}
