#include "format/account_message.h"

#include "format/utf8.h"

#define COPY(to, from) utf8_copy((to), sizeof(to), (from))

void verdict_to_message(Tcpflowgen__Verdict *out, const struct verdict *verdict)
{
    tcpflowgen__verdict__init(out);
    out->limit = (Tcpflowgen__Verdict__Limit)verdict->limit;
    out->reason = (char *)verdict->reason;
    out->network = verdict->share[LIMIT_NETWORK];
    out->receiver = verdict->share[LIMIT_RECEIVER];
    out->send_buffer = verdict->share[LIMIT_SEND_BUFFER];
    out->traffic = verdict->share[LIMIT_TRAFFIC];
    out->host = verdict->share[LIMIT_HOST];
    out->src_cpu = verdict->source.cpu;
    out->src_wait = verdict->source.wait;
    out->dst_cpu = verdict->sink.cpu;
    out->dst_wait = verdict->sink.wait;
}

void ledger_to_message(Tcpflowgen__Ledger *out, const struct ledger *ledger)
{
    tcpflowgen__ledger__init(out);
    out->state = (Tcpflowgen__Ledger__State)ledger->state;
    out->why = (char *)ledger->why;
    out->written = ledger->written;
    out->never_sent = ledger->never_sent;
    out->sent_first = ledger->sent_first;
    out->retransmitted = ledger->retransmitted;
    out->requeued = ledger->requeued;
    out->acked = ledger->acked;
    out->unacked = ledger->unacked;
    out->received = ledger->received;
    out->read = ledger->read;
    out->unread = ledger->unread;
    out->sent_late = ledger->sent_late;
    out->received_late = ledger->received_late;
    out->token_acked = ledger->token_acked;
    out->token_received = ledger->token_received;
    out->syn_acked = ledger->syn_acked;
    out->fin_acked = ledger->fin_acked;
    out->fin_received = ledger->fin_received;
}

/* A share, or -1. */
static double share(double value)
{
    return value >= 0 && value <= 1 ? value : -1;
}

static double known_share(double value)
{
    return share(value) < 0 ? 0 : value;
}

void verdict_from_message(struct verdict *out, const Tcpflowgen__Verdict *message)
{
    const bool known = message->limit >= 0 && (int)message->limit < LIMITS;
    *out = (struct verdict){
        .limit = known ? (enum limit)message->limit : LIMIT_UNKNOWN,
        .share =
            {
                [LIMIT_NETWORK] = known_share(message->network),
                [LIMIT_RECEIVER] = known_share(message->receiver),
                [LIMIT_SEND_BUFFER] = known_share(message->send_buffer),
                [LIMIT_TRAFFIC] = known_share(message->traffic),
                [LIMIT_HOST] = known_share(message->host),
            },
        .source = {share(message->src_cpu), share(message->src_wait)},
        .sink = {share(message->dst_cpu), share(message->dst_wait)},
    };
    COPY(out->reason, message->reason);
}

void ledger_from_message(struct ledger *out, const Tcpflowgen__Ledger *message)
{
    const bool known = message->state >= 0 && (int)message->state <= LEDGER_DIFFERS;
    *out = (struct ledger){
        .state = known ? (enum ledger_state)message->state : LEDGER_UNKNOWN,
        .written = message->written,
        .never_sent = message->never_sent,
        .sent_first = message->sent_first,
        .retransmitted = message->retransmitted,
        .requeued = message->requeued,
        .acked = message->acked,
        .unacked = message->unacked,
        .received = message->received,
        .read = message->read,
        .unread = message->unread,
        .sent_late = message->sent_late,
        .received_late = message->received_late,
        .token_acked = message->token_acked,
        .token_received = message->token_received,
        .syn_acked = message->syn_acked,
        .fin_acked = message->fin_acked,
        .fin_received = message->fin_received,
    };
    COPY(out->why, message->why);
}
