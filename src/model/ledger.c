#include "model/ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "model/tcp_fields.h"

static const struct reading *closing(const struct end_report *end)
{
    return end && end->reading[READ_CLOSE].info_length ? &end->reading[READ_CLOSE] : NULL;
}

static bool was_connected(const struct end_report *end)
{
    return end && end->times >> T_CONNECTED & 1;
}

__attribute__((format(__printf__, 2, 3))) static void differs(struct ledger *ledger,
                                                              const char *format, ...)
{
    va_list args;
    if (ledger->state == LEDGER_DIFFERS) /* the first says most */
        return;
    ledger->state = LEDGER_DIFFERS;
    va_start(args, format);
    vsnprintf(ledger->why, sizeof ledger->why, format, args);
    va_end(args);
}

static void unknown(struct ledger *ledger, const char *why)
{
    ledger->state = LEDGER_UNKNOWN;
    snprintf(ledger->why, sizeof ledger->why, "%s", why);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* Takes up to `limit` off what is left, and says how much. */
static uint64_t take(uint64_t *left, uint64_t limit)
{
    const uint64_t taken = at_most(*left, limit);
    *left -= taken;
    return taken;
}

/* ---- The end that sends ---- */

/* Of what the end wrote, in the order of the sequence numbers: token, payload, FIN. */
static uint64_t stream_size(const struct end_report *end, uint32_t token)
{
    return token + end->reading[READ_CLOSE].written + end->shut;
}

static void add_sent(struct ledger *out, const struct end_report *end, uint32_t token)
{
    const struct reading *at = closing(end);
    if (at->notsent > stream_size(end, token)) {
        differs(out, "%" PRIu64 " bytes are not transmitted, but %" PRIu64 " were written",
                at->notsent, stream_size(end, token));
        return;
    }
    uint64_t left = at->notsent; /* the last of the stream */
    take(&left, end->shut);
    out->never_sent = take(&left, at->written);
    out->sent_first = at->written - out->never_sent;
    out->retransmitted = at->retransmitted;
    const uint64_t token_sent = token - left;
    const uint64_t transmitted = out->sent_first + token_sent + at->retransmitted;
    if (at->sent < transmitted)
        differs(out, "the kernel transmitted %" PRIu64 " bytes fewer than left the send buffer",
                transmitted - at->sent);
    else
        out->requeued = at->sent - transmitted;
}

static void add_acked(struct ledger *out, const struct end_report *end, uint32_t token)
{
    const struct reading *at = closing(end);
    uint64_t left = at->acked;
    out->syn_acked = (uint32_t)take(&left, end->end == END_SRC);
    out->token_acked = (uint32_t)take(&left, token);
    out->acked = take(&left, at->written);
    out->fin_acked = (uint32_t)take(&left, end->shut);
    if (left)
        differs(out, "%" PRIu64 " bytes were acknowledged that nobody wrote", left);
    else if (out->acked > out->sent_first)
        differs(out, "%" PRIu64 " bytes were acknowledged, but %" PRIu64 " were transmitted",
                out->acked, out->sent_first);
    else
        out->unacked = out->sent_first - out->acked;
}

/* ---- The end that receives ---- */

/* Whether data may still have come, when the reading was taken. */
static bool is_receiving(const struct reading *at)
{
    return at->state == LINUX_TCP_ESTABLISHED || at->state == LINUX_TCP_FIN_WAIT1 ||
           at->state == LINUX_TCP_FIN_WAIT2;
}

static void add_received(struct ledger *out, const struct end_report *end, uint32_t token)
{
    const struct reading *at = closing(end);
    uint64_t left = at->received;
    out->token_received = (uint32_t)take(&left, token);
    out->read = at->read;
    if (left < at->read) {
        differs(out, "%" PRIu64 " bytes were read, but the kernel received %" PRIu64, at->read,
                left);
        return;
    }
    left -= at->read;
    /* While data come, SIOCINQ is of a later moment than the rest.  Afterwards it agrees, and what
     * it leaves over is the FIN, which has come or not when a reset ends the connection. */
    out->unread = is_receiving(at) ? left : at->unread;
    const uint64_t over = left - out->unread;
    if (left < out->unread || over > 1)
        differs(out, "%" PRIu64 " bytes were received and not read, but %" PRIu64 " wait", left,
                out->unread);
    else
        out->fin_received = (uint32_t)over;
    out->received = out->read + out->unread;
}

/* ---- One end against the other ---- */

/* The source saw more acknowledged than the sink's last reading has: it came behind it, unless the
 * sink had heard the end of all. */
static void settle_received(struct ledger *out)
{
    if (out->acked <= out->received)
        return;
    const uint64_t late = out->acked - out->received;
    if (out->fin_received) {
        differs(out, "%" PRIu64 " bytes were acknowledged, but %" PRIu64 " were received",
                out->acked, out->received);
        return;
    }
    out->received_late = late;
    out->received += late;
    out->unread += late;
}

static void settle_sent(struct ledger *out)
{
    if (out->received <= out->sent_first)
        return;
    const uint64_t late = out->received - out->sent_first;
    if (late > out->never_sent) {
        differs(out, "%" PRIu64 " bytes were received, but %" PRIu64 " were transmitted",
                out->received, out->sent_first);
        return;
    }
    out->sent_late = late;
    out->never_sent -= late;
    out->sent_first += late;
    out->unacked += late;
}

static void compare(struct ledger *out, const struct end_report *source,
                    const struct end_report *sink)
{
    settle_received(out);
    settle_sent(out);
    if (source->shut && source->status == END_COMPLETE && sink->status == END_COMPLETE &&
        out->written != out->read)
        differs(out, "%" PRIu64 " bytes were written, and %" PRIu64 " were read at the end",
                out->written, out->read);
    if (out->fin_acked > out->fin_received && !out->received_late && sink->status == END_COMPLETE)
        differs(out, "the end was acknowledged, but not received");
}

/* ---- */

/* 0 where an end is not known that says how much of the token went this way. */
static uint32_t token_of(const struct end_report *source, const struct end_report *sink)
{
    if (source && source->end == END_SRC)
        return source->token_bytes;
    return sink && sink->end == END_DST ? sink->token_bytes : 0;
}

static bool has_fields(const struct reading *at)
{
    return tcp_field_exists(at->info_length, TCP_bytes_retrans);
}

static void judge_missing(struct ledger *out, const struct end_report *source,
                          const struct end_report *sink)
{
    if (out->state == LEDGER_DIFFERS)
        return;
    if (!source || !sink)
        unknown(out, source ? "the receiving end's report is missing"
                            : "the sending end's report is missing");
    else if (was_connected(source) != was_connected(sink))
        unknown(out, "one end was connected, and the other never knew");
    else
        unknown(out, "a report has no closing counters");
}

void ledger_build(struct ledger *out, const struct end_report *source,
                  const struct end_report *sink)
{
    const struct reading *sent = closing(source), *received = closing(sink);
    *out = (struct ledger){.state = LEDGER_RECONCILES};
    if (source && sink && !was_connected(source) && !was_connected(sink))
        return; /* nothing ever moved */
    if ((sent && !has_fields(sent)) || (received && !has_fields(received))) {
        unknown(out, "this kernel does not count what it transmits (Linux 4.19 does)");
        return;
    }
    if (sent) {
        out->written = sent->written;
        add_sent(out, source, token_of(source, NULL));
        add_acked(out, source, token_of(source, NULL));
    }
    if (received)
        add_received(out, sink, token_of(NULL, sink));
    if (sent && received && out->state == LEDGER_RECONCILES)
        compare(out, source, sink);
    else if (!sent || !received)
        judge_missing(out, source, sink);
}
