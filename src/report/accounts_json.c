#include "report/accounts_json.h"

#include "model/phases.h"

static json_t *integer(bool known, int64_t value)
{
    return known ? json_integer(value) : json_null();
}

static json_t *share(double value)
{
    return value >= 0 && value <= 1 ? json_real(value) : json_null();
}

/* ---- verdict ---- */

static json_t *shares_json(const struct verdict *verdict)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "network", share(verdict->share[LIMIT_NETWORK]),
                     "receiver", share(verdict->share[LIMIT_RECEIVER]), "send_buffer",
                     share(verdict->share[LIMIT_SEND_BUFFER]), "traffic",
                     share(verdict->share[LIMIT_TRAFFIC]), "host",
                     share(verdict->share[LIMIT_HOST]));
}

static json_t *worker_json(struct worker_share worker)
{
    return json_pack("{s:o, s:o}", "cpu", share(worker.cpu), "wait", share(worker.wait));
}

static json_t *verdict_json(const struct verdict *verdict)
{
    const bool known = verdict->limit != LIMIT_UNKNOWN;
    return json_pack("{s:o, s:o, s:o, s:{s:o, s:o}}", "limited_by",
                     known ? json_string(limit_text(verdict->limit)) : json_null(), "limit_reason",
                     json_string(verdict->reason), "limit_shares",
                     known ? shares_json(verdict) : json_null(), "workers", "src",
                     worker_json(verdict->source), "dst", worker_json(verdict->sink));
}

/* ---- ledger ---- */

static const char *state_text(enum ledger_state state)
{
    return state == LEDGER_RECONCILES ? "reconciles"
           : state == LEDGER_DIFFERS  ? "differs"
                                      : "unknown";
}

/* In the order in which the bytes move. */
static json_t *ledger_json(const struct ledger *ledger)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } rows[] = {
        {"written", ledger->written},
        {"never_sent", ledger->never_sent},
        {"sent_first", ledger->sent_first},
        {"retransmitted", ledger->retransmitted},
        {"requeued", ledger->requeued},
        {"acked", ledger->acked},
        {"unacked", ledger->unacked},
        {"received", ledger->received},
        {"read", ledger->read},
        {"unread", ledger->unread},
        {"sent_late", ledger->sent_late},
        {"received_late", ledger->received_late},
        {"token_acked", ledger->token_acked},
        {"token_received", ledger->token_received},
        {"syn_acked", ledger->syn_acked},
        {"fin_acked", ledger->fin_acked},
        {"fin_received", ledger->fin_received},
    };
    json_t *json = json_pack("{s:s, s:o}", "state", state_text(ledger->state), "why",
                             ledger->why[0] ? json_string(ledger->why) : json_null());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_object_set_new(json, rows[i].name, json_integer((json_int_t)rows[i].bytes));
    return json;
}

/* ---- sampling ---- */

static json_t *sampling_json(const struct end_report *report)
{
    if (!report)
        return json_null();
    const int64_t max_ns = report->lateness_max_ns;
    const bool any = lateness_count(report->lateness) > 0;
    json_t *buckets = json_array();
    for (unsigned i = 0; i < LATENESS_BUCKETS; i++)
        json_array_append_new(buckets, json_integer((json_int_t)report->lateness[i]));
    return json_pack(
        "{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "expected", (json_int_t)report->samples_expected,
        "taken", (json_int_t)report->samples_taken, "missed", (json_int_t)report->samples_missed,
        "late_p50_ns", integer(any, lateness_percentile(report->lateness, 0.5, max_ns)),
        "late_p99_ns", integer(any, lateness_percentile(report->lateness, 0.99, max_ns)),
        "late_max_ns", integer(any, max_ns), "lateness", buckets);
}

/* ---- */

static json_t *phases_json(const struct end_report *source)
{
    const struct phases phases = phases_of(source);
    return json_pack("{s:o, s:o, s:o}", "setup_ns", integer(phases.setup_ns >= 0, phases.setup_ns),
                     "transfer_ns", integer(phases.transfer_ns >= 0, phases.transfer_ns),
                     "drain_ns", integer(phases.drain_ns >= 0, phases.drain_ns));
}

json_t *accounts_json(const struct flow_result *flow)
{
    const struct end_report *src = flow_result_report(flow, END_SRC);
    const struct end_report *dst = flow_result_report(flow, END_DST);
    const bool has_ledger = flow->ledger.state != LEDGER_UNKNOWN || flow->ledger.why[0];
    json_t *json = json_pack("{s:o, s:{s:o, s:o}}", "ledger",
                             has_ledger ? ledger_json(&flow->ledger) : json_null(), "sampling",
                             "src", sampling_json(src), "dst", sampling_json(dst));
    json_t *verdict = verdict_json(&flow->verdict), *phases = phases_json(src);
    if (json_object_update(json, verdict) || json_object_update(json, phases)) {
        json_decref(json);
        json = NULL;
    }
    json_decref(verdict);
    json_decref(phases);
    return json;
}
