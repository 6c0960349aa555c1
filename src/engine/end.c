/* The life of an end: its schedule, its socket's events, its report. */
#include "engine/end.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/sample_read.h"
#include "engine/sampler.h"
#include "engine/tuning.h"
#include "engine/worker.h"
#include "model/ccalg.h"
#include "util/clock.h"

#define ARRIVAL_NS    (5 * NS_PER_S)    /* behind its start an end must be connected */
#define SINK_EXTRA_NS NS_PER_S          /* a sink waits so much longer than its source drains */
#define HOLD_NS       (2 * NS_PER_S)    /* for the peer's reset */
#define HURRY_NS      (500 * NS_PER_MS) /* likewise, when the run is over */
#define DOUBT_NS      (500 * NS_PER_MS) /* LOST: for engine_stop() */
#define TOLERANCE_NS  (100 * NS_PER_MS) /* the two agents' clocks may be so far apart */

/* Keeps what is left to drain small.  Half of it must last until a busy host runs the worker again:
 * a flow that runs dry looks limited by its application to the congestion control. */
#define NOTSENT_LOWAT_BYTES (1 << 20)

static void on_event(struct watch *watch, uint32_t events);
static void on_schedule(struct timer *timer);
static void on_pause(struct timer *timer);

struct end *end_create(struct worker *worker, const struct end_spec *spec,
                       const struct socket_address *peer, const char *device)
{
    struct end *end = calloc(1, sizeof *end);
    if (!end)
        return NULL;
    end->worker = worker;
    end->spec = *spec;
    end->peer = *peer;
    end->source = spec->source ? SOURCE_IDLE : SOURCE_NONE;
    end->sink = spec->sink ? SINK_MOVING : SINK_NONE;
    end->fd = -1;
    end->first_tick = -1;
    end->watch.ready = on_event;
    end->schedule.fire = on_schedule;
    end->pause.fire = on_pause;
    pacing_init(end);
    end->report = (struct end_report){
        .flow = spec->flow,
        .end = spec->end,
        .preamble_bytes = spec->no_token ? 0 : TOKEN_SIZE,
        .write_size = worker->setup->write_size,
        .read_size = worker->setup->read_size,
        .cpu = -1,
    };
    memcpy(end->report.local_address, spec->local_address, ADDRESS_MAX);
    memcpy(end->report.peer_address, spec->peer_address, ADDRESS_MAX);
    end->report.peer_port = spec->peer_port;
    snprintf(end->report.device, DEVICE_MAX, "%s", device);
    return end;
}

static void close_socket(struct end *end)
{
    if (end->fd >= 0 && end->state == STATE_HELD)
        close(end->fd);
    else if (end->fd >= 0)
        socket_reset(end->fd);
    end->fd = -1;
}

void end_free(struct end *end)
{
    if (!end)
        return;
    close_socket(end);
    free(end);
}

void end_set_time(struct end *end, enum end_time which, int64_t now_ns)
{
    end->report.at[which] = now_ns;
    end->report.times |= 1u << which;
}

static bool has_time(const struct end *end, enum end_time which)
{
    return end->report.times & 1u << which;
}

static int64_t axis_now(const struct end *end, int64_t now_ns)
{
    const struct loop *loop = &end->worker->loop;
    return loop->axis_known ? loop_axis_time(loop, now_ns) : INT64_MIN;
}

void end_watch(struct end *end)
{
    uint32_t events = 0;
    if (end->sink == SINK_MOVING)
        events |= end->reading.waits ? 0 : EPOLLIN;
    else if (end->sink == SINK_NONE && end->source != SOURCE_DRAINING)
        events |= EPOLLRDHUP;
    if (end->source == SOURCE_MOVING)
        events |= end->sending.waits ? 0 : EPOLLOUT;
    else if (end->source == SOURCE_DRAINING && end->sink != SINK_MOVING)
        events |= EPOLLOUT | EPOLLET; /* an edge comes when the FIN is acknowledged */
    loop_rewatch(&end->worker->loop, end->fd, &end->watch, events);
}

static int64_t scheduled_stop(const struct end *end)
{
    return end->spec.start_ns + end->spec.duration_ns;
}

/* ---- Over ---- */

static void owe_report(struct end *end)
{
    end->owes_report = true;
    worker_owe(end);
}

/* Takes the sample off the ticks, and from it what the report says of the connection. */
static void conclude(struct end *end, int64_t now_ns)
{
    struct end_report *report = &end->report;
    sampler_remove(end, now_ns);
    stamps_take(end);
    end->last.flow = end->spec.flow;
    end->last.end = (uint8_t)end->spec.end;
    end->last.tick = SAMPLE_OFF_TICK;
    sample_read(end->fd, &end->last);
    end->owes_last = true;
    const int64_t options = tcp_field_get(end->last.info, end->last.info_length, TCP_options);
    report->ecn = options & LINUX_TCPI_OPT_ECN;
    report->ecn_seen = options & LINUX_TCPI_OPT_ECN_SEEN;
    report->payload_bytes = end->spec.sink ? end->received : end->sent;
    account_take(end, READ_CLOSE, &end->last);
    tuning_read_back(end->fd, &end->last, report);
}

/* The counted time is over. */
static void stop_counting(struct end *end, int64_t now_ns)
{
    struct sample sample;
    if (has_time(end, T_STOP))
        return;
    pacing_end(end);
    sampler_visit(end, now_ns);
    sample_read(end->fd, &sample);
    end_set_time(end, T_STOP, sample.t_ns);
    end->report.payload_bytes_stop =
        end->spec.sink ? sink_received(end, &sample) : source_acked(end, &sample);
    account_take(end, READ_STOP, &sample);
}

/* All of the report but the error's text. */
static void settle(struct end *end, enum end_status status)
{
    const int64_t now = clock_now();
    end_unqueue(end);
    loop_unschedule(&end->worker->loop, &end->schedule);
    loop_disarm(&end->worker->loop, &end->pause);
    if (has_time(end, T_CONNECTED)) {
        if (end->first_tick >= 0)
            stop_counting(end, now);
        conclude(end, now);
    }
    end_set_time(end, T_CLOSED, end->owes_last ? end->last.t_ns : now);
    end->report.status = status;
    end->report.cpu = sched_getcpu();
}

void end_over(struct end *end, enum end_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(end->report.error, sizeof end->report.error, format, args);
    va_end(args);
    settle(end, status);
    end->state = STATE_OVER;
    close_socket(end);
    owe_report(end);
}

static void complete(struct end *end)
{
    settle(end, END_COMPLETE);
    end->state = STATE_OVER;
    if (end->source == SOURCE_NONE && end->spec.finish == FINISH_DRAIN) {
        end->state = STATE_HELD;
        end->worker->held++;
        loop_rewatch(&end->worker->loop, end->fd, &end->watch, 0);
        loop_arm(&end->worker->loop, &end->pause, clock_now() + HOLD_NS);
    } else {
        close_socket(end);
    }
    owe_report(end);
}

static void let_go(struct end *end)
{
    loop_disarm(&end->worker->loop, &end->pause);
    close_socket(end);
    end->state = STATE_OVER;
    end->worker->held--;
}

void end_hurry(struct end *end)
{
    if (end->state == STATE_HELD)
        loop_arm(&end->worker->loop, &end->pause, clock_now() + HURRY_NS);
}

void end_half_done(struct end *end)
{
    const bool source_done = end->source == SOURCE_NONE || end->source == SOURCE_DONE;
    const bool sink_done = end->sink == SINK_NONE || end->sink == SINK_DONE;
    if (source_done && sink_done)
        complete(end);
    else
        end_watch(end);
}

bool end_is_due(const struct end *end)
{
    return axis_now(end, clock_now()) >= scheduled_stop(end) - TOLERANCE_NS;
}

void end_peer_gone(struct end *end, int cause)
{
    const bool reset = cause == ECONNRESET || cause == EPIPE;
    const char *how = cause == 0 ? "connection closed by the peer"
                      : reset    ? "connection reset by the peer"
                                 : strerror(cause);
    const uint64_t bytes = end->spec.sink ? end->received : end->sent;
    const bool due = end_is_due(end);
    if (due && reset && end->source == SOURCE_NONE && end->spec.finish == FINISH_ABORT) {
        end->sink = SINK_DONE;
        end_half_done(end);
    } else if (due && reset && end->source == SOURCE_NONE) {
        end_over(end, END_CUT, "%s after %" PRIu64 " bytes, before the last came", how, bytes);
    } else if (due) {
        end_over(end, END_FAILED, "%s after %" PRIu64 " bytes", how, bytes);
    } else {
        snprintf(end->report.error, sizeof end->report.error, "%s after %" PRIu64 " bytes", how,
                 bytes);
        settle(end, END_FAILED);
        close_socket(end);
        end->state = STATE_LOST;
        loop_arm(&end->worker->loop, &end->pause, clock_now() + DOUBT_NS);
    }
}

void end_stop(struct end *end)
{
    switch (end->state) {
    case STATE_WAITING:
    case STATE_QUEUED:
    case STATE_CONNECTING:
    case STATE_OPEN:
        end_over(end, END_STOPPED, "%s", "");
        break;
    case STATE_LOST:
        loop_disarm(&end->worker->loop, &end->pause);
        end->report.status = END_STOPPED;
        end->report.error[0] = '\0';
        end->state = STATE_OVER;
        owe_report(end);
        break;
    case STATE_HELD:
    case STATE_OVER:
        break;
    }
}

bool end_pay(struct end *end)
{
    struct outbox *outbox = &end->worker->outbox;
    struct engine_item item = {.flow = end->spec.flow, .end = end->spec.end};
    if (end->owes_ready) {
        item.kind = ENGINE_READY;
        item.t_ns = end->report.at[T_CONNECTED];
        end->owes_ready = !outbox_put(outbox, &item);
    }
    if (end->owes_last && !end->owes_ready) {
        item.kind = ENGINE_SAMPLE;
        item.sample = &end->last;
        end->owes_last = !outbox_put(outbox, &item);
    }
    if (end->owes_report && !end->owes_ready && !end->owes_last) {
        item.kind = ENGINE_REPORT;
        item.report = &end->report;
        end->owes_report = !outbox_put(outbox, &item);
        end->worker->ends_over += !end->owes_report;
    }
    return !end->owes_ready && !end->owes_last && !end->owes_report;
}

/* ---- Schedule ---- */

static void schedule(struct end *end, enum end_step step, int64_t axis_ns)
{
    end->step = step;
    end->schedule.exact = end->spec.source && (step == STEP_CONNECT || step == STEP_BEGIN);
    loop_schedule(&end->worker->loop, &end->schedule, axis_ns);
}

void end_admit(struct end *end)
{
    const struct end_spec *spec = &end->spec;
    const int64_t lead = spec->connect == CONNECT_AHEAD ? end->worker->setup->lead_ns : 0;
    if (spec->end == END_DST)
        schedule(end, STEP_GIVE_UP, spec->start_ns + ARRIVAL_NS);
    else if (spec->connect == CONNECT_AHEAD && spec->start_ns <= lead)
        end_queue_connect(end);
    else
        schedule(end, STEP_CONNECT, spec->start_ns - lead);
}

/* An opening end may connect from now on. */
void end_queue_connect(struct end *end)
{
    end->state = STATE_QUEUED;
    TAILQ_INSERT_TAIL(&end->worker->queued, end, in_queue);
    schedule(end, STEP_GIVE_UP, end->spec.start_ns + ARRIVAL_NS);
}

static void give_up(struct end *end)
{
    const int seconds = ARRIVAL_NS / NS_PER_S;
    if (end->spec.end == END_DST)
        end_over(end, END_FAILED, "no connection arrived within %d s of the flow's start", seconds);
    else
        end_over(end, END_FAILED, "no answer from %s port %u within %d s of the flow's start",
                 end->spec.peer_address, end->spec.peer_port, seconds);
}

static void begin(struct end *end)
{
    sampler_add(end);
    schedule(end, STEP_STOP, scheduled_stop(end));
    pacing_begin(end);
    if (end->state == STATE_OPEN && end->source == SOURCE_IDLE) {
        source_begin(end);
        if (end->state == STATE_OPEN)
            end_watch(end);
    }
    if (end->state != STATE_OPEN)
        return;
    /* Not yet: all that begin at this moment shall have sent first. */
    loop_arm(&end->worker->loop, &end->pause, clock_now());
}

static void take_begin(struct end *end)
{
    struct sample sample;
    sample_read(end->fd, &sample);
    account_take(end, READ_BEGIN, &sample);
}

static void stop(struct end *end)
{
    pacing_catch_up(end);
    if (end->state != STATE_OPEN)
        return;
    const int64_t now = clock_now();
    stop_counting(end, now);
    if (end->source == SOURCE_MOVING && end->spec.finish == FINISH_ABORT) {
        end->source = SOURCE_DONE;
        complete(end);
        return;
    }
    const bool drains = end->source == SOURCE_MOVING;
    schedule(end, STEP_LIMIT, axis_now(end, now) + DRAIN_NS + (drains ? 0 : SINK_EXTRA_NS));
    if (drains) {
        /* Not yet: of all that stop at this moment the time shall be counted first. */
        end->source = SOURCE_STOPPED;
        loop_arm(&end->worker->loop, &end->pause, now);
    }
}

static void begin_to_drain(struct end *end)
{
    source_shut_down(end);
    end_watch(end);
    source_check_drained(end);
}

static void cut(struct end *end)
{
    if (end->source == SOURCE_DRAINING) {
        struct sample sample;
        sample_read(end->fd, &sample);
        end_over(end, END_CUT, "%" PRIu64 " of %" PRIu64 " bytes were not acknowledged in time",
                 end->sent - source_acked(end, &sample), end->sent);
    } else if (end->source == SOURCE_NONE && end->spec.finish == FINISH_ABORT) {
        /* Its counted time was over long ago.  All that was still to come is a reset, once. */
        end->sink = SINK_DONE;
        end_half_done(end);
    } else {
        end_over(end, END_CUT, "the peer never finished, after %" PRIu64 " bytes", end->received);
    }
}

static void on_schedule(struct timer *timer)
{
    struct end *end = CONTAINER_OF(timer, struct end, schedule);
    switch (end->step) {
    case STEP_CONNECT:
        end_queue_connect(end);
        break;
    case STEP_GIVE_UP:
        give_up(end);
        break;
    case STEP_BEGIN:
        begin(end);
        break;
    case STEP_STOP:
        stop(end);
        break;
    case STEP_LIMIT:
        cut(end);
        break;
    }
}

static void on_pause(struct timer *timer)
{
    struct end *end = CONTAINER_OF(timer, struct end, pause);
    if (end->state == STATE_OPEN && end->source == SOURCE_STOPPED) {
        begin_to_drain(end);
    } else if (end->state == STATE_OPEN && end->source == SOURCE_DRAINING) {
        source_check_drained(end);
    } else if (end->state == STATE_OPEN) {
        if (!has_time(end, T_STOP)) /* a worker that is very late stops first */
            take_begin(end);
    } else if (end->state == STATE_HELD) {
        let_go(end);
    } else {
        owe_report(end);
        end->state = STATE_OVER;
    }
}

/* ---- The socket ---- */

int end_set_options(struct end *end, int fd)
{
    const struct end_spec *spec = &end->spec;
    struct error err;
    if (socket_set_ccalg(fd, spec->ccalg) < 0 && ccalg_is_demanded(spec->ccalg, spec->source))
        error_set_errno(&err, ERROR_FLOW, errno, NULL, "cannot use %s", spec->ccalg);
    else if (socket_set_int(fd, IPPROTO_TCP, TCP_NODELAY, spec->nodelay) < 0)
        error_set_errno(&err, ERROR_FLOW, errno, NULL, "cannot set TCP_NODELAY");
    else if (spec->source &&
             socket_set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES) < 0)
        error_set_errno(&err, ERROR_FLOW, errno, NULL, "cannot set TCP_NOTSENT_LOWAT");
    else if (tuning_set(fd, spec, &err) == 0)
        return 0;
    end_over(end, END_FAILED, "%s", err.what);
    return -1;
}

static void read_back(struct end *end)
{
    struct end_report *report = &end->report;
    struct socket_address address = {.size = sizeof address.storage};
    if (getsockname(end->fd, (struct sockaddr *)&address.storage, &address.size) == 0)
        socket_address_format(&address, report->local_address, &report->local_port);
    address.size = sizeof address.storage;
    if (getpeername(end->fd, (struct sockaddr *)&address.storage, &address.size) == 0)
        socket_address_format(&address, report->peer_address, &report->peer_port);

    socklen_t size = CCALG_MAX;
    char ccalg[CCALG_MAX + 1] = "";
    if (getsockopt(end->fd, IPPROTO_TCP, TCP_CONGESTION, ccalg, &size) == 0)
        snprintf(report->ccalg, sizeof report->ccalg, "%.*s", CCALG_MAX - 1, ccalg);
    int value = 0;
    size = sizeof value;
    if (getsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0)
        report->nodelay = value;
    size = sizeof value;
    if (getsockopt(end->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &size) == 0)
        report->notsent_lowat = (uint32_t)value;
}

void end_connected(struct end *end)
{
    const int64_t now = clock_now();
    end_unqueue(end);
    end->state = STATE_OPEN;
    end_set_time(end, T_CONNECTED, now);
    read_back(end);
    end_watch(end);
    end->owes_ready = true;
    worker_owe(end);
    if (axis_now(end, now) >= end->spec.start_ns)
        begin(end);
    else
        schedule(end, STEP_BEGIN, end->spec.start_ns);
}

bool end_expects(const struct end *end, const struct socket_address *peer)
{
    return !*end->spec.peer_address || socket_address_same_host(peer, &end->peer);
}

void end_accept(struct end *end, int fd, const struct socket_address *peer, int64_t accepted_ns)
{
    end->fd = fd;
    end->report.token_bytes = end->report.preamble_bytes; /* nobody comes to here without */
    end_set_time(end, T_CONNECT, accepted_ns);
    if (!end_expects(end, peer)) {
        char text[ADDRESS_MAX];
        socket_address_format(peer, text, &end->report.peer_port);
        end_over(
            end, END_FAILED,
            "the connection came from %s, not from %s: if its source is behind NAT, give the src "
            "host \"host\": \"%s\", \"bind\": \"any\"",
            text, end->spec.peer_address, text);
        return;
    }
    if (end_set_options(end, fd) == 0)
        end_connected(end);
}

static void on_open_event(struct end *end, uint32_t events)
{
    if (events & EPOLLERR && stamps_take(end))
        events &= ~(uint32_t)EPOLLERR; /* what else there is to tell is told again */
    const bool gone = events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP);
    if (end->sink == SINK_MOVING && (gone || events & EPOLLIN)) {
        if (gone)
            pacing_end(end);
        pacing_read(end); /* tells more than the events: data may be left before the end */
        if (end->state != STATE_OPEN)
            return;
    }
    if (end->source == SOURCE_DRAINING)
        source_check_drained(end);
    else if (gone && end->sink == SINK_NONE)
        end_peer_gone(end, socket_error(end->fd));
    else if (end->source == SOURCE_MOVING && events & EPOLLOUT)
        pacing_write(end, end->worker->setup->write_size);
}

static void on_event(struct watch *watch, uint32_t events)
{
    struct end *end = CONTAINER_OF(watch, struct end, watch);
    switch (end->state) {
    case STATE_CONNECTING:
        end_connect_ready(end);
        break;
    case STATE_OPEN:
        on_open_event(end, events);
        break;
    case STATE_HELD: /* the peer let go */
        let_go(end);
        break;
    case STATE_WAITING:
    case STATE_QUEUED:
    case STATE_LOST:
    case STATE_OVER:
        break; /* an event of the same turn as what closed the socket */
    }
}
