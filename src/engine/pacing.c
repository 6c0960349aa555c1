/* A timer that fires in time moves the bytes itself, which costs one system call a quantum and no
 * more.  One that fires late has many beside it: then the half takes its turn among the sockets, so
 * that thousands of flows of one schedule neither hold up the worker's other deadlines nor starve
 * each other. */
#include "engine/pacing.h"

#include <sys/socket.h>

#include "engine/end.h"
#include "engine/worker.h"
#include "util/clock.h"

#define LATE_NS (500 * NS_PER_US)

static int64_t axis_now(const struct end *end)
{
    return loop_axis_time(&end->worker->loop, clock_now());
}

/* When more is due; INT64_MAX: never. */
static int64_t next_local_ns(const struct end *end, const struct pace *pace)
{
    const int64_t next_ns = pace_next_ns(pace);
    return next_ns == INT64_MAX ? next_ns : axis_to_local(&end->worker->loop.axis, next_ns);
}

/* Waits for its time if nothing is due, else for the socket. */
static void wait_on(struct end *end, struct paced_half *half, bool for_time)
{
    struct loop *loop = &end->worker->loop;
    const int64_t next_ns = for_time ? pace_next_ns(&half->pace) : INT64_MAX;
    if (next_ns != INT64_MAX)
        loop_schedule(loop, &half->timer, next_ns);
    else
        loop_unschedule(loop, &half->timer);
    if (half->waits == for_time)
        return;
    half->waits = for_time;
    end_watch(end);
}

void pacing_write(struct end *end, size_t most)
{
    struct pace *pace = &end->sending.pace;
    if (!pace->rate) {
        source_write(end, most);
        return;
    }
    const uint64_t due = pace_due(pace, axis_now(end));
    const uint64_t before = end->sent;
    if (due)
        source_write(end, due < most ? (size_t)due : most);
    if (end->state != STATE_OPEN)
        return;
    pace_moved(pace, end->sent - before);
    const bool rests = end->sent - before == due;
    wait_on(end, &end->sending, rests);
    if (rests)
        account_rest(end, next_local_ns(end, pace));
}

/* Whether the socket has as much, or its buffer is as good as full: with its own share the kernel
 * takes a half and more of it. */
static bool has_waiting(int fd, size_t wanted)
{
    int size = 0;
    socklen_t length = sizeof size;
    const uint64_t unread = account_unread(fd);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) < 0 || size <= 0)
        return unread >= wanted;
    return unread >= wanted || unread >= (uint64_t)size / 4;
}

/* What was given up since the last read is the program's fault if that one was served in full, and
 * much waits by now: a socket that had run dry had nothing to be read. */
static void judge_skipped(struct end *end, uint64_t skipped, size_t wanted)
{
    struct paced_half *half = &end->reading;
    if (skipped && !half->starved && has_waiting(end->fd, wanted))
        half->neglected += skipped;
}

void pacing_read(struct end *end)
{
    struct pace *pace = &end->reading.pace;
    const size_t most = end->worker->setup->read_size;
    if (!pace->rate) {
        sink_read(end, most);
        return;
    }
    const uint64_t skipped = pace->skipped;
    const uint64_t due = pace_due(pace, axis_now(end));
    const uint64_t before = end->received;
    const size_t wanted = due < most ? (size_t)due : most;
    judge_skipped(end, pace->skipped - skipped, wanted);
    if (wanted)
        sink_read(end, wanted);
    if (end->state != STATE_OPEN || end->sink != SINK_MOVING)
        return;
    pace_moved(pace, end->received - before);
    end->reading.starved = end->received - before < wanted;
    wait_on(end, &end->reading, end->received - before == due);
}

static bool is_late(const struct end *end, const struct timer *timer)
{
    return axis_now(end) - timer->due_ns > LATE_NS;
}

static void on_send_due(struct timer *timer)
{
    struct end *end = CONTAINER_OF(timer, struct end, sending.timer);
    if (is_late(end, timer))
        wait_on(end, &end->sending, false);
    else
        pacing_write(end, end->worker->setup->write_size);
}

static void on_read_due(struct timer *timer)
{
    struct end *end = CONTAINER_OF(timer, struct end, reading.timer);
    if (is_late(end, timer))
        wait_on(end, &end->reading, false);
    else
        pacing_read(end);
}

static bool paces_source(const struct end_spec *spec)
{
    return spec->source && spec->tuning.send_rate;
}

static bool paces_sink(const struct end_spec *spec)
{
    return spec->sink && spec->tuning.read_rate;
}

size_t pacing_timers(const struct end_spec *spec)
{
    return (size_t)paces_source(spec) + paces_sink(spec);
}

void pacing_init(struct end *end)
{
    end->sending.timer.fire = on_send_due;
    end->reading.timer.fire = on_read_due;
    end->reading.waits = paces_sink(&end->spec);
}

void pacing_begin(struct end *end)
{
    const struct end_spec *spec = &end->spec;
    const int64_t stop = spec->start_ns + spec->duration_ns;
    int64_t from = loop_axis_time(&end->worker->loop, end->report.at[T_CONNECTED]);
    if (from < spec->start_ns)
        from = spec->start_ns;
    if (paces_source(spec))
        pace_begin(&end->sending.pace, spec->tuning.send_rate, from, stop);
    if (paces_sink(spec)) {
        pace_begin(&end->reading.pace, spec->tuning.read_rate, from, stop);
        pacing_read(end);
    }
}

void pacing_catch_up(struct end *end)
{
    if (end->sending.pace.rate && end->source == SOURCE_MOVING)
        pacing_write(end, end->worker->setup->write_size);
    if (end->state == STATE_OPEN && end->reading.pace.rate && end->sink == SINK_MOVING)
        pacing_read(end);
}

void pacing_end(struct end *end)
{
    struct loop *loop = &end->worker->loop;
    const struct pace *pace = end->spec.sink ? &end->reading.pace : &end->sending.pace;
    if (pace->rate) {
        end->report.paced_bytes = pace->moved;
        end->report.skipped_bytes = pace->skipped;
        end->report.neglected_bytes = end->spec.sink ? end->reading.neglected : 0;
    }
    loop_unschedule(loop, &end->sending.timer);
    loop_unschedule(loop, &end->reading.timer);
    end->sending.pace.rate = end->reading.pace.rate = 0;
    account_resume(end);
    if (!end->sending.waits && !end->reading.waits)
        return;
    end->sending.waits = end->reading.waits = false;
    end_watch(end);
}
