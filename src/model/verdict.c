#include "model/verdict.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "model/queue_watch.h"
#include "model/tcp_fields.h"

#define NS_PER_US 1e3
#define NS_PER_S  1e9
#define PERCENT   100
#define KIB       1024

const char *limit_text(enum limit limit)
{
    static const char *const texts[LIMITS] = {
        [LIMIT_UNKNOWN] = "-",         [LIMIT_NETWORK] = "network",
        [LIMIT_RECEIVER] = "receiver", [LIMIT_SEND_BUFFER] = "send buffer",
        [LIMIT_TRAFFIC] = "traffic",   [LIMIT_HOST] = "host",
    };
    return (unsigned)limit < LIMITS ? texts[limit] : "-";
}

/* Between the readings at begin and stop; 0 if they are not there. */
static int64_t span_of(const struct end_report *end)
{
    int64_t span_ns;
    const struct reading *begin = &end->reading[READ_BEGIN], *stop = &end->reading[READ_STOP];
    if (!begin->info_length || !stop->info_length ||
        __builtin_sub_overflow(stop->t_ns, begin->t_ns, &span_ns) || span_ns < 0)
        return 0;
    return span_ns;
}

static double within(double value, double limit)
{
    return value < 0 ? 0 : value < limit ? value : limit;
}

/* ---- The workers ---- */

static struct worker_share share_of(const struct end_report *end)
{
    struct worker_share share = {-1, -1};
    if (!end || !span_of(end))
        return share;
    const struct reading *begin = &end->reading[READ_BEGIN], *stop = &end->reading[READ_STOP];
    const double span_ns = (double)stop->worker_ns - (double)begin->worker_ns;
    if (!begin->worker_ns || !stop->worker_ns || span_ns <= 0)
        return share;
    share.cpu = within(((double)stop->cpu_ns - (double)begin->cpu_ns) / span_ns, 1);
    if (begin->wait_ns >= 0 && stop->wait_ns >= 0)
        share.wait = within(((double)stop->wait_ns - (double)begin->wait_ns) / span_ns, 1);
    return share;
}

static double awake(struct worker_share share)
{
    return (share.cpu > 0 ? share.cpu : 0) + (share.wait > 0 ? share.wait : 0);
}

static int percent(double share)
{
    return (int)(share * PERCENT + 0.5);
}

/* ---- Where the time went ---- */

/* Shares of the time, disjoint. */
struct times {
    double idle;   /* nothing unsent or unacknowledged */
    double window; /* the peer's was full */
    double held;   /* the send buffer was full of what was under way */
    double late;   /* all was under way, the buffer had room, and nothing came */
    double other;  /* something was under way, or waited to be sent */
};

static double share_of_us(uint64_t begin_us, uint64_t stop_us, double span_ns, double limit)
{
    const double us = stop_us > begin_us ? (double)(stop_us - begin_us) : 0;
    return within(us * NS_PER_US / span_ns, limit);
}

static double share_of_ns(int64_t begin_ns, int64_t stop_ns, double span_ns, double limit)
{
    return within(((double)stop_ns - (double)begin_ns) / span_ns, limit);
}

/* A worker that sleeps is woken at once when the buffer has room: so it is late for no longer than
 * it ran and waited for a core.  What is beyond it looked late because much was acknowledged at
 * once, and the buffer that had been full was then nearly empty. */
static double late_at_most(struct worker_share worker)
{
    return worker.cpu < 0 ? 1 : awake(worker);
}

static struct times times_of(const struct end_report *source, struct worker_share worker,
                             double span_ns)
{
    const struct reading *begin = &source->reading[READ_BEGIN];
    const struct reading *stop = &source->reading[READ_STOP];
    struct times at;
    const double busy = share_of_us(begin->busy_us, stop->busy_us, span_ns, 1);
    at.idle = 1 - busy;
    at.window = share_of_us(begin->rwnd_limited_us, stop->rwnd_limited_us, span_ns, busy);
    at.held = share_of_ns(begin->held_ns, stop->held_ns, span_ns, busy - at.window);
    const double late = share_of_ns(begin->late_ns, stop->late_ns, span_ns, 1);
    at.late = within(late - at.idle, busy - at.window - at.held);
    const double known = within(at.late, late_at_most(worker));
    at.held += at.late - known;
    at.late = known;
    at.other = busy - at.window - at.held - at.late;
    return at;
}

/* Takes `part` off up to `time`; returns what is left of it. */
static double take(double *time, double part)
{
    const double taken = within(part, *time);
    *time -= taken;
    return part - taken;
}

/* The source waited for a moment of its traffic model, with nothing unsent: that was of the time
 * without data, or while something was under way.  An agent that counted data that was unsent, too,
 * has more of it: then that is of all that the kernel says alike. */
static void take_rest(struct times *at, double rest)
{
    rest = take(&at->idle, rest);
    rest = take(&at->other, rest);
    const double busy = at->window + at->held + at->late;
    const double left = busy > rest ? (busy - rest) / busy : 0;
    at->window *= left;
    at->held *= left;
    at->late *= left;
}

/* ---- What filled the window or the buffer ---- */

/* Shares of the time that they held up: a queue of the network had filled them; of the rest of the
 * window's: the peer had shut it. */
struct queues {
    double window, buffer, shut;
};

static double part_of(double part, double whole)
{
    return whole > 0 ? within(part / whole, 1) : 0;
}

/* By what the source saw while data moved. */
static struct queues seen_queues(const struct reading *begin, const struct reading *stop)
{
    const double window = (double)stop->rwnd_limited_us - (double)begin->rwnd_limited_us;
    const double queue = (double)stop->queue_window_us - (double)begin->queue_window_us;
    const double shut = (double)stop->shut_window_us - (double)begin->shut_window_us;
    const double held = (double)stop->held_ns - (double)begin->held_ns;
    return (struct queues){
        .window = part_of(queue, window),
        .buffer = part_of((double)stop->queue_held_ns - (double)begin->queue_held_ns, held),
        .shut = part_of(shut, window - queue),
    };
}

/* By how it was at the end, where the source did not see: an older agent, or kernel. */
static bool has_queue(const struct end_report *source, double span_ns, uint32_t buffer)
{
    const struct reading *begin = &source->reading[READ_BEGIN];
    const struct reading *stop = &source->reading[READ_STOP];
    const double acked = (double)stop->acked - (double)begin->acked;
    return stop->min_rtt_us > 0 && stop->rtt_us >= QUEUE_RTTS * stop->min_rtt_us &&
           acked / span_ns * NS_PER_US * stop->rtt_us >= QUEUE_BUFFER_MIN * buffer;
}

static struct queues queues_of(const struct end_report *source, const struct end_report *sink,
                               double span_ns)
{
    const struct reading *begin = &source->reading[READ_BEGIN];
    const struct reading *stop = &source->reading[READ_STOP];
    if (stop->queue_looks > begin->queue_looks)
        return seen_queues(begin, stop);
    return (struct queues){
        .window = has_queue(source, span_ns, sink ? sink->receive_buffer : 0),
        .buffer = has_queue(source, span_ns, stop->send_buffer),
    };
}

/* SO_MAX_PACING_RATE was reached, which counts payload. */
static bool is_paced(const struct end_report *source, double span_ns)
{
    const struct reading *begin = &source->reading[READ_BEGIN];
    const struct reading *stop = &source->reading[READ_STOP];
    const double bits = 8 * ((double)stop->sent - (double)begin->sent);
    return source->pacing_rate &&
           bits / span_ns * NS_PER_S >= VERDICT_PACED_MIN * (double)source->pacing_rate;
}

/* It has a read rate, and read all that it should: whatever its worker waited for, it lacked
 * nothing. */
static bool reads_in_time(const struct end_report *sink)
{
    return sink && sink->paced_bytes && !sink->neglected_bytes;
}

/* A receiver whose worker waits for a core does not read meanwhile, whatever it would.  When it
 * waited is not known: as often while the window was full as else. */
static double starved(const struct verdict *verdict, const struct end_report *sink, double window)
{
    return reads_in_time(sink) || verdict->sink.wait < 0 ? 0 : verdict->sink.wait * window;
}

/* What the sentence tells beside the shares. */
struct detail {
    double paced;  /* of TRAFFIC: the pacing rate's */
    double shut;   /* of what RECEIVER is: the peer had shut its window */
    double unread; /* of HOST: the peer's worker waited for a core, and did not read */
};

/* Of the time without data that nothing explains: a source that is held to a rate and whose worker
 * slept had nothing to send. */
static double unasked_rest(const struct end_report *source, struct worker_share worker, double idle)
{
    return source->paced_bytes ? idle - within(late_at_most(worker), idle) : 0;
}

static struct detail fill_shares(struct verdict *out, const struct end_report *source,
                                 const struct end_report *sink, double span_ns)
{
    const struct reading *begin = &source->reading[READ_BEGIN];
    const struct reading *stop = &source->reading[READ_STOP];
    const struct queues queues = queues_of(source, sink, span_ns);
    struct times at = times_of(source, out->source, span_ns);
    const double rest = share_of_ns(begin->rest_ns, stop->rest_ns, span_ns, 1);
    const double overslept =
        share_of_ns(begin->overslept_ns, stop->overslept_ns, span_ns, 1 - rest);
    take_rest(&at, rest + overslept);
    const double unasked = unasked_rest(source, out->source, at.idle);
    const double paced = is_paced(source, span_ns) ? at.other : 0;
    const double window = at.window * (1 - queues.window), unread = starved(out, sink, window);
    out->share[LIMIT_TRAFFIC] = rest + unasked + paced;
    out->share[LIMIT_HOST] = overslept + at.idle - unasked + at.late + unread;
    out->share[LIMIT_RECEIVER] = window - unread;
    out->share[LIMIT_SEND_BUFFER] = at.held * (1 - queues.buffer);
    out->share[LIMIT_NETWORK] =
        at.other - paced + at.window * queues.window + at.held * queues.buffer;
    return (struct detail){.paced = paced, .shut = queues.shut, .unread = unread};
}

/* ---- The workers' fault ---- */

/* Whether a worker had no time left, and the flow lacked what that worker gives.  A worker of many
 * flows may be busy or wait for a core all the time, and one of them lack nothing. */
static bool is_short(struct worker_share worker, double lack)
{
    return awake(worker) >= VERDICT_AWAKE_MAX && lack >= VERDICT_LACK_MIN;
}

/* A source's worker gives data, a sink's room in the window, too. */
static bool judge_workers(struct verdict *out, const struct end_report *reader)
{
    const double data = out->share[LIMIT_HOST];
    const bool source = is_short(out->source, data);
    const bool sink =
        !reads_in_time(reader) && is_short(out->sink, data + out->share[LIMIT_RECEIVER]);
    if (!source && !sink)
        return false;
    const bool is_sink = sink && (!source || awake(out->sink) > awake(out->source));
    const struct worker_share *most = is_sink ? &out->sink : &out->source;
    out->limit = LIMIT_HOST;
    int length = snprintf(out->reason, sizeof out->reason, "the %s end's worker ran %d %%",
                          is_sink ? "dst" : "src", percent(most->cpu));
    if (most->wait >= 0)
        length += snprintf(out->reason + length, sizeof out->reason - (size_t)length,
                           " and waited for a core %d %%", percent(most->wait));
    snprintf(out->reason + length, sizeof out->reason - (size_t)length, " of the time");
    return true;
}

/* ---- The sentence ---- */

static void explain_receiver(struct verdict *out, const struct end_report *sink, int share,
                             double shut)
{
    const uint64_t unread = sink ? sink->reading[READ_STOP].unread : 0;
    if (shut > 0.5)
        snprintf(out->reason, sizeof out->reason,
                 "its window was full %d %% of the time, and mostly shut, as it did not read",
                 share);
    else if (unread)
        snprintf(out->reason, sizeof out->reason,
                 "its window was full %d %% of the time; %llu KiB waited to be read at the end",
                 share, (unsigned long long)(unread / KIB));
    else
        snprintf(out->reason, sizeof out->reason,
                 "its window was full %d %% of the time, smaller than the path needs", share);
}

static void explain_traffic(struct verdict *out, double paced)
{
    const double share = out->share[LIMIT_TRAFFIC], rest = share - paced;
    if (paced > rest)
        snprintf(out->reason, sizeof out->reason,
                 "its pacing rate kept data back %d %% of the time", percent(paced));
    else
        snprintf(out->reason, sizeof out->reason,
                 "its traffic model had nothing to send %d %% of the time", percent(rest));
}

static void explain_host(struct verdict *out, int share, double unread)
{
    if (unread > out->share[LIMIT_HOST] / 2) {
        snprintf(out->reason, sizeof out->reason,
                 "the dst end's worker waited for a core %d %% of the time, and did not read",
                 percent(out->sink.wait));
        return;
    }
    const int length =
        snprintf(out->reason, sizeof out->reason,
                 "the src end left the connection without data %d %% of the time", share);
    if (out->source.wait > 0)
        snprintf(out->reason + length, sizeof out->reason - (size_t)length,
                 "; its worker waited for a core %d %%", percent(out->source.wait));
}

static void explain(struct verdict *out, const struct end_report *source,
                    const struct end_report *sink, const struct detail *detail)
{
    const int share = percent(out->share[out->limit]);
    const struct reading *stop = &source->reading[READ_STOP];
    switch (out->limit) {
    case LIMIT_NETWORK:
        snprintf(out->reason, sizeof out->reason,
                 "data waited for the path or the congestion window %d %% of the time", share);
        break;
    case LIMIT_RECEIVER:
        explain_receiver(out, sink, share, detail->shut);
        break;
    case LIMIT_SEND_BUFFER:
        snprintf(out->reason, sizeof out->reason,
                 "all that it holds (%u KiB) was under way %d %% of the time",
                 stop->send_buffer / KIB, share);
        break;
    case LIMIT_TRAFFIC:
        explain_traffic(out, detail->paced);
        break;
    case LIMIT_HOST:
        explain_host(out, share, detail->unread);
        break;
    case LIMIT_UNKNOWN:
    case LIMITS:
        break;
    }
}

static enum limit greatest(const struct verdict *verdict, enum limit but)
{
    enum limit limit = LIMIT_UNKNOWN;
    for (enum limit other = LIMIT_NETWORK; other < LIMITS; other++)
        if (other != but && verdict->share[other] > verdict->share[limit])
            limit = other;
    return limit;
}

/* Of what its send_rate offered. */
static double skipped_share(const struct end_report *source)
{
    const double skipped = (double)source->skipped_bytes;
    return part_of(skipped, skipped + (double)source->paced_bytes);
}

/* A flow that could not keep its send_rate was not limited by it, however long it rested; its
 * pacing rate may be what held it back. */
static enum limit limit_of(const struct verdict *verdict, double skipped, double paced)
{
    const enum limit limit = greatest(verdict, LIMIT_UNKNOWN);
    const bool by_rate = limit == LIMIT_TRAFFIC && paced <= verdict->share[LIMIT_TRAFFIC] / 2;
    const enum limit other = greatest(verdict, LIMIT_TRAFFIC);
    return by_rate && skipped >= VERDICT_SKIPPED_MIN && other ? other : limit;
}

static void explain_skipped(struct verdict *out, double skipped)
{
    const size_t used = strlen(out->reason);
    if (skipped >= VERDICT_SKIPPED_MIN)
        snprintf(out->reason + used, sizeof out->reason - used,
                 "; %d %% of what send_rate offered was skipped", percent(skipped));
}

void verdict_judge(struct verdict *out, const struct end_report *source,
                   const struct end_report *sink)
{
    *out = (struct verdict){.source = share_of(source), .sink = share_of(sink)};
    const int64_t span_ns = source ? span_of(source) : 0;
    if (span_ns < VERDICT_TIME_MIN_NS ||
        !tcp_field_exists(source->reading[READ_STOP].info_length, TCP_sndbuf_limited)) {
        snprintf(out->reason, sizeof out->reason, "%s",
                 !source                         ? "the src end's report is missing"
                 : span_ns == 0                  ? "there are no readings of its start and its end"
                 : span_ns < VERDICT_TIME_MIN_NS ? "it was too short to tell"
                                                 : "this kernel does not tell (Linux 4.10 does)");
        return;
    }
    const struct detail detail = fill_shares(out, source, sink, (double)span_ns);
    const double skipped = skipped_share(source);
    out->limit = limit_of(out, skipped, detail.paced);
    if (out->limit != LIMIT_TRAFFIC && judge_workers(out, sink))
        return;
    explain(out, source, sink, &detail);
    explain_skipped(out, skipped);
}
