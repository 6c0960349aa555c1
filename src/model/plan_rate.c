#include "model/plan_rate.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "util/duration.h"
#include "util/units.h"

#define FLOWS_NAMED 5 /* that a message names at most */

uint64_t flow_rate(const struct scenario_flow *flow)
{
    const uint64_t send = flow->tuning.send_rate, pacing = flow->tuning.pacing_rate;

    return send && (!pacing || send < pacing) ? send : pacing;
}

static int check_limits(const struct scenario *s, struct error_list *errors)
{
    char names[FLOWS_NAMED * 32] = "";
    struct error err = {0};
    size_t count = 0, used = 0;

    for (size_t i = 0; i < s->flow_count; i++) {
        if (flow_rate(&s->flows[i]) || count++ >= FLOWS_NAMED)
            continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%sflows[%zu]",
                                 count > 1 ? ", " : "", s->flows[i].place);
    }
    if (count == 0)
        return 0;
    if (count > FLOWS_NAMED)
        snprintf(names + used, sizeof names - used, " and %zu more", count - FLOWS_NAMED);
    error_set(&err, ERROR_INPUT, "max_rate",
              "it cannot hold: %s %s neither send_rate nor pacing_rate", names,
              count > 1 ? "have" : "has");
    error_cure(&err, "give each a rate, or all at once: "
                     "\"defaults\": {\"flow\": {\"send_rate\": \"10Mbit/s\"}}");
    return scenario_report(errors, &err);
}

/* A flow begins or is over. */
struct change {
    int64_t t_ns;
    const struct scenario_flow *flow;
    bool begins;
};

static int by_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    if (x->t_ns != y->t_ns)
        return x->t_ns < y->t_ns ? -1 : 1;
    return x->begins - y->begins; /* who is over makes room first */
}

static size_t list_changes(const struct scenario *s, struct change *out)
{
    size_t count = 0;

    for (size_t i = 0; i < s->flow_count; i++) {
        const struct scenario_flow *flow = &s->flows[i];
        if (!flow->has_duration)
            continue;
        out[count++] = (struct change){flow->start_ns, flow, true};
        out[count++] = (struct change){flow->start_ns + flow->duration_ns, flow, false};
    }
    qsort(out, count, sizeof *out, by_time);
    return count;
}

static int report_peak(const struct scenario *s, const struct change *at, uint64_t rate,
                       struct error_list *errors)
{
    char sum[UNITS_TEXT_MAX], limit[UNITS_TEXT_MAX], time[DURATION_TEXT_MAX];
    struct error err = {0};

    units_exact_rate(rate, sum);
    error_set(&err, ERROR_INPUT, NULL, "from %s on flows may send %s together, more than %s",
              duration_format(at->t_ns, time), sum, units_exact_rate(s->max_rate, limit));
    error_where(&err, "flows[%zu].start", at->flow->place);
    error_cure(&err, "if that is meant, write \"max_rate\": \"%s\" at the top of the file", sum);
    return scenario_report(errors, &err);
}

int plan_check_rate(const struct scenario *s, struct error_list *errors)
{
    CLEANUP_FREE struct change *changes = NULL;
    const struct change *peak = NULL;
    uint64_t rate = 0, most = s->max_rate;

    if (s->max_rate == 0)
        return 0;
    changes = calloc(2 * s->flow_count + 1, sizeof *changes);
    if (!changes || check_limits(s, errors) < 0)
        return ERROR_SYSTEM;
    const size_t count = list_changes(s, changes);
    for (size_t i = 0; i < count; i++) {
        rate += changes[i].begins ? flow_rate(changes[i].flow) : 0;
        rate -= changes[i].begins ? 0 : flow_rate(changes[i].flow);
        if (rate > most) {
            most = rate;
            peak = &changes[i];
        }
    }
    return peak ? report_peak(s, peak, most, errors) : 0;
}
