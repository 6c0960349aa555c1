#include "master/progress.h"

#include <stdio.h>

#include "model/goodput.h"
#include "util/clock.h"
#include "util/units.h"

#define SHOW_NS (500 * NS_PER_MS) /* the heartbeat of the streams */

double progress_rate(struct progress *progress, uint64_t bytes, int64_t now_ns)
{
    size_t place = progress->count % PROGRESS_POINTS;
    size_t oldest = progress->count < PROGRESS_POINTS ? 0 : place;
    double rate = 0;
    if (progress->count && now_ns > progress->points[oldest].t_ns) {
        const uint64_t before = progress->points[oldest].bytes;
        rate = goodput_between(bytes > before ? bytes - before : 0, progress->points[oldest].t_ns,
                               now_ns);
    }
    progress->points[place].t_ns = now_ns;
    progress->points[place].bytes = bytes;
    progress->count++;
    return rate;
}

static uint64_t received(const struct session *session)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < session->agent_count; i++)
        bytes += session->agents[i].received_bytes;
    return bytes;
}

void progress_show(struct progress *progress, const struct session *session, int64_t now_ns)
{
    if (!session->options->progress || now_ns - progress->shown_ns < SHOW_NS)
        return;
    double rate_bps = progress_rate(progress, received(session), now_ns);
    progress->shown_ns = now_ns;
    progress->open = true;
    char rate[UNITS_TEXT_MAX];
    size_t ends = session->plan->flow_count * 2;
    fputc('\r', stderr);
    if (session->repeat->of > 1)
        fprintf(stderr, "run %u of %u   ", session->repeat->number, session->repeat->of);
    fprintf(stderr, "%6.1f s of %.1f s   %zu of %zu ends over   %s received\033[K",
            (double)(now_ns - session->t0_ns) / (double)NS_PER_S,
            (double)session->plan->end_ns / (double)NS_PER_S, session->ends_over, ends,
            units_rate(rate_bps, rate));
}

void progress_end(struct progress *progress)
{
    if (progress->open)
        fputs("\r\033[K", stderr);
    progress->open = false;
}
