#include "master/progress.h"

#include <stdio.h>

#include "util/clock.h"
#include "util/units.h"

#define SHOW_NS (500 * NS_PER_MS) /* the heartbeat of the streams */

static double rate_now(const struct session *session, int64_t now_ns)
{
    double bps = 0;
    for (size_t i = 0; i < session->agent_count; i++)
        bps += meter_rate(&session->agents[i].received, now_ns);
    return bps;
}

void progress_show(struct progress *progress, const struct session *session, int64_t now_ns)
{
    if (!session->options->progress || now_ns - progress->shown_ns < SHOW_NS)
        return;
    progress->shown_ns = now_ns;
    progress->open = true;
    char rate[UNITS_TEXT_MAX];
    size_t ends = session->plan->flow_count * 2;
    if (session->repeat->of > 1)
        fprintf(stderr, "run %u of %u   ", session->repeat->number, session->repeat->of);
    fprintf(stderr, "%6.1f s of %.1f s   %zu of %zu ends over   now %s received\033[K\r",
            (double)(now_ns - session->t0_ns) / (double)NS_PER_S,
            (double)session->plan->end_ns / (double)NS_PER_S, session->ends_over, ends,
            units_rate(rate_now(session, now_ns), rate));
}

void progress_end(struct progress *progress)
{
    if (progress->open)
        fputs("\033[K", stderr);
    progress->open = false;
}
