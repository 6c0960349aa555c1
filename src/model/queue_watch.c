#include "model/queue_watch.h"

#define NS_PER_US INT64_C(1000)

static uint64_t grown(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

void queue_watch_begin(struct queue_watch *watch, const struct queue_look *look)
{
    *watch = (struct queue_watch){.last = *look, .widest = look->window};
}

/* What has passed since the last look, by what the watch says now. */
static void add(struct queue_watch *watch, const struct queue_look *look)
{
    const uint64_t window_us = grown(watch->last.window_us, look->window_us);
    watch->looks++;
    if (watch->fills_window)
        watch->window_us += window_us;
    else if (watch->shut)
        watch->shut_us += window_us;
    if (watch->fills_buffer)
        watch->held_ns += look->held_ns - watch->last.held_ns;
    watch->last = *look;
}

static void judge(struct queue_watch *watch, const struct queue_look *look)
{
    const double ns = (double)(look->t_ns - watch->last.t_ns);
    const double rtt_ns = (double)look->rtt_us * NS_PER_US;
    const double inside = (double)grown(watch->last.acked, look->acked) / ns * rtt_ns;
    const bool stands = look->min_rtt_us && look->rtt_us >= QUEUE_RTTS * look->min_rtt_us;
    watch->fills_window = stands && inside >= QUEUE_WINDOW_MIN * watch->widest;
    watch->fills_buffer = stands && inside >= QUEUE_BUFFER_MIN * look->send_buffer;
    watch->shut = look->window < watch->widest / 2;
}

static bool is_long_enough(const struct queue_watch *watch, const struct queue_look *look)
{
    const int64_t passed_ns = look->t_ns - watch->last.t_ns;
    return passed_ns >= QUEUE_LOOK_NS && passed_ns >= look->rtt_us * NS_PER_US;
}

void queue_watch_look(struct queue_watch *watch, const struct queue_look *look)
{
    if (!watch->last.t_ns || !look->knows_window)
        return;
    if (look->window > watch->widest)
        watch->widest = look->window;
    if (!is_long_enough(watch, look))
        return;
    judge(watch, look);
    add(watch, look);
}

void queue_watch_end(struct queue_watch *watch, const struct queue_look *look)
{
    queue_watch_look(watch, look);
    if (watch->looks && watch->last.t_ns != look->t_ns)
        add(watch, look);
}
