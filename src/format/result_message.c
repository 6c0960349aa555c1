#include "format/result_message.h"

#include <string.h>

#include "format/account_message.h"
#include "format/report_message.h"
#include "format/utf8.h"
#include "model/phases.h"
#include "model/scenario.h"
#include "util/clock.h"

#define MS_MAX (UINT64_MAX / 2 / NS_PER_MS)

/* ---- to messages ---- */

static uint64_t to_ms(int64_t ns)
{
    return ns > 0 ? ((uint64_t)ns + NS_PER_MS / 2) / NS_PER_MS : 0;
}

static void repair(struct flow_result *flow)
{
    utf8_repair(flow->src);
    utf8_repair(flow->dst);
    utf8_repair(flow->ccalg);
    utf8_repair(flow->error);
    utf8_repair(flow->family);
    utf8_repair(flow->label);
    utf8_repair(flow->verdict.reason);
    utf8_repair(flow->ledger.why);
    for (int end = 0; end < 2; end++) {
        struct end_report *report = &flow->report[end];
        utf8_repair(report->error);
        utf8_repair(report->local_address);
        utf8_repair(report->peer_address);
        utf8_repair(report->ccalg);
        utf8_repair(report->device);
        utf8_repair(flow->capture_file[end]);
        utf8_repair(flow->captured[end].error);
    }
}

static void fill_params(Tcpflowgen__FlowParams *out, struct flow_result *flow)
{
    tcpflowgen__flow_params__init(out);
    out->id = flow->id;
    out->src = flow->src;
    out->dst = flow->dst;
    out->port = flow->port;
    out->duration = to_ms(flow->duration_ns);
    out->start = to_ms(flow->start_ns);
    out->ccalg = flow->ccalg;
    out->ecn = flow->ecn;
    out->nodelay = flow->nodelay;
}

static void fill_account(struct result_message *out)
{
    const struct phases phases = phases_of(flow_result_report(&out->flow, END_SRC));
    verdict_to_message(&out->verdict, &out->flow.verdict);
    ledger_to_message(&out->ledger, &out->flow.ledger);
    out->result.verdict = &out->verdict;
    out->result.ledger = &out->ledger;
    out->result.setup_ns = phases.setup_ns;
    out->result.transfer_ns = phases.transfer_ns;
    out->result.drain_ns = phases.drain_ns;
}

static void fill_captures(struct result_message *out)
{
    const struct flow_result *flow = &out->flow;
    for (int end = 0; end < 2; end++) {
        Tcpflowgen__Capture *message = &out->captured[end];
        tcpflowgen__capture__init(message);
        message->file = (char *)flow->capture_file[end];
        message->packets = flow->captured[end].packets;
        message->dropped = flow->captured[end].dropped;
        message->lost = flow->captured[end].lost;
        message->error_ns = flow->captured[end].error_ns;
        message->error = (char *)flow->captured[end].error;
    }
    out->result.capture =
        flow->capture ? (char *)scenario_capture_words[flow->capture] : (char *)"";
    out->result.src_capture = flow->has_captured[END_SRC] ? &out->captured[END_SRC] : NULL;
    out->result.dst_capture = flow->has_captured[END_DST] ? &out->captured[END_DST] : NULL;
}

void result_to_message(struct result_message *out, const struct flow_result *from)
{
    out->flow = *from;
    struct flow_result *flow = &out->flow;
    repair(flow);
    fill_params(&out->params, flow);
    Tcpflowgen__FlowResult *result = &out->result;
    tcpflowgen__flow_result__init(result);
    result->status = (Tcpflowgen__FlowResult__Status)flow->status;
    result->error = flow->error;
    result->start_ns = flow->start_ns;
    result->duration_ns = flow->duration_ns;
    result->connect = (char *)scenario_connect_words[flow->connect];
    result->end = (char *)scenario_finish_words[flow->finish];
    result->src_host = flow->src_host;
    result->dst_host = flow->dst_host;
    result->family = flow->family;
    result->label = flow->label;
    result->send_rate = flow->tuning.send_rate;
    result->read_rate = flow->tuning.read_rate;
    result->pacing_rate = flow->tuning.pacing_rate;
    result->send_buffer = flow->tuning.send_buffer;
    result->receive_buffer = flow->tuning.receive_buffer;
    result->mss = flow->tuning.mss;
    fill_captures(out);
    for (int end = 0; end < 2; end++)
        report_to_message(&out->report[end], &flow->report[end]);
    result->src = flow->has_report[END_SRC] ? &out->report[END_SRC].report : NULL;
    result->dst = flow->has_report[END_DST] ? &out->report[END_DST].report : NULL;
    fill_account(out);
}

/* ---- from messages ---- */

static int64_t from_ms(uint64_t ms)
{
    return (int64_t)(ms < MS_MAX ? ms : MS_MAX) * NS_PER_MS;
}

#define COPY(to, from) utf8_copy((to), sizeof(to), (from))

void params_from_message(struct flow_result *out, const Tcpflowgen__FlowParams *message)
{
    out->id = message->id;
    COPY(out->src, message->src);
    COPY(out->dst, message->dst);
    out->port = (uint16_t)message->port;
    out->duration_ns = from_ms(message->duration);
    out->start_ns = from_ms(message->start);
    COPY(out->ccalg, message->ccalg);
    out->ecn = message->ecn;
    out->nodelay = message->nodelay;
}

static void take_report(struct flow_result *out, enum flow_end end,
                        const Tcpflowgen__EndReport *message)
{
    out->has_report[end] = message != NULL;
    if (message)
        report_from_message(&out->report[end], message);
    out->report[end].end = end;
}

static void take_capture(struct flow_result *out, enum flow_end end,
                         const Tcpflowgen__Capture *message)
{
    out->has_captured[end] = message != NULL;
    if (!message)
        return;
    struct capture_report *captured = &out->captured[end];
    *captured = (struct capture_report){.end = end,
                                        .packets = message->packets,
                                        .dropped = message->dropped,
                                        .lost = message->lost,
                                        .error_ns = message->error_ns};
    COPY(captured->error, message->error);
    COPY(out->capture_file[end], message->file);
}

void result_from_message(struct flow_result *out, const Tcpflowgen__FlowResult *message)
{
    out->status = message->status >= 0 && (int)message->status <= FLOW_FAILED
                      ? (enum flow_status)message->status
                      : FLOW_UNKNOWN;
    COPY(out->error, message->error);
    out->start_ns = message->start_ns;
    out->duration_ns = message->duration_ns;
    out->connect = strcmp(message->connect, scenario_connect_words[CONNECT_AT_START]) == 0
                       ? CONNECT_AT_START
                       : CONNECT_AHEAD;
    out->finish = strcmp(message->end, scenario_finish_words[FINISH_ABORT]) == 0 ? FINISH_ABORT
                                                                                 : FINISH_DRAIN;
    out->src_host = message->src_host;
    out->dst_host = message->dst_host;
    COPY(out->family, message->family);
    COPY(out->label, message->label);
    out->tuning = (struct tuning){
        .send_rate = message->send_rate,
        .read_rate = message->read_rate,
        .pacing_rate = message->pacing_rate,
        .send_buffer = message->send_buffer,
        .receive_buffer = message->receive_buffer,
        .mss = message->mss,
    };
    out->capture = strcmp(message->capture, scenario_capture_words[CAPTURE_HEADERS]) == 0
                       ? CAPTURE_HEADERS
                       : CAPTURE_NONE;
    take_capture(out, END_SRC, message->src_capture);
    take_capture(out, END_DST, message->dst_capture);
    take_report(out, END_SRC, message->src);
    take_report(out, END_DST, message->dst);
    if (message->verdict)
        verdict_from_message(&out->verdict, message->verdict);
    if (message->ledger)
        ledger_from_message(&out->ledger, message->ledger);
}
