#include "engine/sampler.h"

#include "engine/account.h"
#include "engine/end.h"
#include "engine/sample_read.h"
#include "engine/worker.h"
#include "util/clock.h"

#define SLICE_NS (100 * NS_PER_US)

/* The last tick at or before now. */
static int64_t tick_due(const struct worker *worker, int64_t now_ns)
{
    return tick_at_or_before(loop_axis_time(&worker->loop, now_ns), worker->setup->interval_ns);
}

static int64_t tick_local(const struct worker *worker, int64_t tick)
{
    return axis_to_local(&worker->loop.axis, tick * worker->setup->interval_ns);
}

void sampler_add(struct end *end)
{
    struct worker *worker = end->worker;
    int64_t from = loop_axis_time(&worker->loop, end->report.at[T_CONNECTED]);
    if (from < end->spec.start_ns)
        from = end->spec.start_ns;
    end->first_tick = end->next_tick = tick_at_or_after(from, worker->setup->interval_ns);
    end->sampled = true;
    TAILQ_INSERT_TAIL(&worker->sampled, end, in_sampler);
}

static void take(struct end *end, int64_t tick)
{
    struct worker *worker = end->worker;
    struct sample sample = {.flow = end->spec.flow, .end = (uint8_t)end->spec.end, .tick = tick};
    sample_read(end->fd, &sample);
    if (end->spec.source)
        account_look(end, &sample);
    const struct engine_item item = {
        .kind = ENGINE_SAMPLE, .flow = sample.flow, .end = end->spec.end, .sample = &sample};
    /* Nothing of an end may overtake its readiness. */
    if (end->owes_ready || !outbox_put(&worker->outbox, &item)) {
        end->report.samples_missed++;
        return;
    }
    end->report.samples_taken++;
    const int64_t late = sample.t_ns - tick_local(worker, tick);
    end->report.lateness[lateness_bucket(late)]++;
    if (late > end->report.lateness_max_ns)
        end->report.lateness_max_ns = late;
}

/* Ticks before the one that is due will not be taken any more. */
static void visit(struct end *end, int64_t due)
{
    end->report.samples_missed += (uint64_t)(due - end->next_tick);
    take(end, due);
    end->next_tick = due + 1;
    TAILQ_REMOVE(&end->worker->sampled, end, in_sampler);
    TAILQ_INSERT_TAIL(&end->worker->sampled, end, in_sampler);
}

void sampler_visit(struct end *end, int64_t now_ns)
{
    const int64_t due = end->sampled ? tick_due(end->worker, now_ns) : -1;
    if (end->sampled && due >= end->next_tick)
        visit(end, due);
}

void sampler_remove(struct end *end, int64_t now_ns)
{
    if (!end->sampled)
        return;
    sampler_visit(end, now_ns);
    /* Not counted along but from the times, so that taken + missed can be held against it. */
    const int64_t last = tick_due(end->worker, now_ns);
    if (last >= end->first_tick)
        end->report.samples_expected = (uint64_t)(last - end->first_tick + 1);
    end->sampled = false;
    TAILQ_REMOVE(&end->worker->sampled, end, in_sampler);
}

int64_t sampler_slice(struct worker *worker, int64_t now_ns)
{
    struct end *end = TAILQ_FIRST(&worker->sampled);
    if (!end)
        return INT64_MAX;
    const int64_t due = tick_due(worker, now_ns);
    while (end->next_tick <= due) {
        visit(end, due);
        end = TAILQ_FIRST(&worker->sampled);
        if (clock_now() - now_ns >= SLICE_NS)
            break;
    }
    return tick_local(worker, end->next_tick);
}
