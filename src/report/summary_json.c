/* The summary for programs.  json_pack() with "o" takes its values over, also when it fails. */
#include <jansson.h>
#include <math.h>

#include "format/json_print.h"
#include "report/accounts_json.h"
#include "report/host_figures.h"
#include "report/run_sets.h"
#include "report/summary.h"
#include "report/totals.h"
#include "report/tuning_json.h"
#include "report/warnings.h"
#include "util/cleanup.h"

static json_t *text(const char *value)
{
    return json_string(value ? value : "");
}

static json_t *text_or_null(const char *value)
{
    return value && value[0] ? json_string(value) : json_null();
}

static json_t *integer(bool known, int64_t value)
{
    return known ? json_integer(value) : json_null();
}

static json_t *real(bool known, double value)
{
    return known && isfinite(value) ? json_real(value) : json_null();
}

/* ---- the run ---- */

/* null: not known. */
static json_t *discipline_json(const struct clock_discipline *before,
                               const struct clock_discipline *after)
{
    if (!before->known)
        return json_null();
    bool both = after->known;
    return json_pack(
        "{s:b, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:o}", "synchronized", (int)before->synchronized,
        "status", (json_int_t)before->status, "rate_ppm", real(true, before->rate_ppm),
        "rate_change_ppm", real(both, after->rate_ppm - before->rate_ppm), "tick_ns",
        (json_int_t)before->tick_ns, "offset_ns", (json_int_t)before->offset_ns, "max_error_ns",
        (json_int_t)before->max_error_ns, "estimated_error_ns",
        (json_int_t)before->estimated_error_ns, "tai_s", integer(before->tai_s, before->tai_s));
}

static json_t *metrics_json(const struct cached_metrics *metrics)
{
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "peer", metrics->peer, "local",
        metrics->local, "age_ms", integer(metrics->age_ms >= 0, metrics->age_ms), "rtt_us",
        integer(metrics->rtt_us, metrics->rtt_us), "rttvar_us",
        integer(metrics->rttvar_us, metrics->rttvar_us), "ssthresh",
        integer(metrics->ssthresh, metrics->ssthresh), "cwnd",
        integer(metrics->cwnd, metrics->cwnd), "reordering",
        integer(metrics->reordering, metrics->reordering), "matters", (int)metrics->matters);
}

static json_t *machine_json(const struct machine *machine)
{
    json_t *settings = json_object(), *metrics = json_array();
    for (size_t i = 0; i < machine->setting_count; i++)
        json_object_set_new(settings, machine->settings[i].name,
                            text_or_null(machine->settings[i].value));
    for (size_t i = 0; i < machine->metrics_count; i++)
        json_array_append_new(metrics, metrics_json(&machine->metrics[i]));
    return json_pack("{s:o, s:o, s:b}", "settings", settings, "metrics", metrics, "metrics_flushed",
                     (int)machine->metrics_flushed);
}

static json_t *agent_json(const struct run_agent *agent)
{
    const struct clock_fit *clock = &agent->clock;
    const bool fitted = clock->exchanges > 0; /* else no more is known than an axis, if that */
    const bool mapped = fitted || clock->reference_ns;
    json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "mgmt",
                             text(agent->mgmt), "hostname", text(agent->hostname), "version",
                             text(agent->version), "kernel", text(agent->kernel), "machine",
                             text(agent->machine), "cpus", integer(agent->cpus, agent->cpus),
                             "interval_ns", integer(agent->interval_ns, agent->interval_ns),
                             "clock_offset_ns", integer(mapped, clock->offset_ns), "clock_error_ns",
                             integer(fitted, clock->error_ns), "clock_rate_ppm",
                             real(mapped, clock->rate * 1e6), "lost", text_or_null(agent->lost));
    json_t *host = host_json(&agent->host);
    json_object_set_new(json, "host", host ? host : json_null());
    json_object_set_new(json, "other_runs", json_integer(agent->other_runs));
    json_object_set_new(json, "clock_method",
                        text_or_null(fitted ? clock_method_name(clock->method) : NULL));
    json_object_set_new(json, "clock_network", text_or_null(agent->clock_network));
    json_object_set_new(json, "clock_residual_ns", integer(fitted, clock->residual_ns));
    json_object_set_new(json, "clock_discipline",
                        discipline_json(&agent->clock_before, &agent->clock_after));
    json_object_set_new(json, "about", machine_json(&agent->about));
    return json;
}

static json_t *run_json(const struct run_info *run)
{
    json_t *agents = json_array(), *events = json_array(), *warnings = json_array();
    for (size_t i = 0; i < run->agent_count; i++)
        json_array_append_new(agents, agent_json(&run->agents[i]));
    for (size_t i = 0; i < run->event_count; i++)
        json_array_append_new(events,
                              json_pack("{s:I, s:o}", "t_ns", (json_int_t)run->events[i].t_ns,
                                        "text", text(run->events[i].text)));
    for (size_t i = 0; i < run->warning_count; i++)
        json_array_append_new(warnings, text(run->warnings[i]));
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "id", text(run->id), "label",
                  text_or_null(run->label), "version", text(run->version), "started_unix_ns",
                  integer(run->started_unix_ns, run->started_unix_ns), "interrupted",
                  (int)run->interrupted, "agents", agents, "events", events, "warnings", warnings);
    json_object_set_new(json, "clock_discipline",
                        discipline_json(&run->clock_before, &run->clock_after));
    if (run->repeats > 1) {
        json_object_set_new(json, "repeat", json_integer(run->repeat));
        json_object_set_new(json, "repeats", json_integer(run->repeats));
    }
    return json;
}

/* ---- a flow ---- */

static const char *status_text(enum flow_status status)
{
    switch (status) {
    case FLOW_COMPLETE:
        return "complete";
    case FLOW_PARTIAL:
        return "partial";
    case FLOW_FAILED:
        return "failed";
    case FLOW_UNKNOWN:
        break;
    }
    return "unknown";
}

static json_t *options_json(const char *ccalg, bool ecn, bool nodelay, const struct tuning *tuning)
{
    json_t *json = json_pack("{s:o, s:b, s:b}", "ccalg", text_or_null(ccalg), "ecn", (int)ecn,
                             "nodelay", (int)nodelay);
    if (json_object_update_new(json, tuning_json(tuning)) == 0)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *asked_json(const struct flow_result *flow)
{
    return options_json(flow->ccalg, flow->ecn, flow->nodelay, &flow->tuning);
}

/* What the kernels had: the receive buffer at the receiver, all else at the sender.  The two rates
 * are the program's own. */
static json_t *effective_json(const struct flow_result *flow)
{
    const struct end_report *src = &flow->report[END_SRC], *dst = &flow->report[END_DST];
    const struct tuning tuning = {
        .send_rate = flow->tuning.send_rate,
        .read_rate = flow->tuning.read_rate,
        .pacing_rate = src->pacing_rate,
        .send_buffer = src->send_buffer,
        .receive_buffer = flow->has_report[END_DST] ? dst->receive_buffer : 0,
        .mss = src->mss,
    };
    if (!flow->has_report[END_SRC] || !src->ccalg[0])
        return json_null();
    return options_json(src->ccalg, src->ecn, src->nodelay, &tuning);
}

/* {"paced_bytes", "skipped_bytes", "skipped_share", "neglected_bytes"} of an end that has a rate to
 * keep to; null: it has none. */
static json_t *pace_json(const struct flow_result *flow, enum flow_end end, uint64_t rate)
{
    const struct end_report *report = &flow->report[end];
    if (!rate || !flow->has_report[end])
        return json_null();
    const double paced = (double)report->paced_bytes, skipped = (double)report->skipped_bytes;
    json_t *json = json_pack("{s:I, s:I, s:o}", "paced_bytes", (json_int_t)report->paced_bytes,
                             "skipped_bytes", (json_int_t)report->skipped_bytes, "skipped_share",
                             real(paced + skipped > 0, skipped / (paced + skipped)));
    if (end == END_DST)
        json_object_set_new(json, "neglected_bytes",
                            json_integer((json_int_t)report->neglected_bytes));
    return json;
}

static json_t *time_json(const struct flow_result *flow, enum flow_end end, enum end_time time)
{
    const struct end_report *report = &flow->report[end];
    return integer(flow->has_report[end] && report->times >> time & 1, report->at[time]);
}

static json_t *counter_json(struct counted counter)
{
    return integer(counter.known, (int64_t)counter.value);
}

static json_t *gap_json(struct gap gap)
{
    return gap.ns ? json_pack("{s:I, s:I}", "gap_ns", (json_int_t)gap.ns, "from_ns",
                              (json_int_t)gap.from_ns)
                  : json_null();
}

static json_t *gaps_json(const struct flow_summary *flow)
{
    return json_pack("{s:o, s:o}", "src", gap_json(flow->gap[END_SRC]), "dst",
                     gap_json(flow->gap[END_DST]));
}

static json_t *standstill_json(const struct standstill *standstill)
{
    return standstill->ns
               ? json_pack("{s:I, s:I, s:b}", "standstill_ns", (json_int_t)standstill->ns,
                           "from_ns", (json_int_t)standstill->from_ns, "window_shut",
                           (int)standstill->shut)
               : json_null();
}

static json_t *hole_json(const struct mtu_hole *hole)
{
    return hole->verdict ? json_pack("{s:b, s:I, s:o}", "certain", hole->verdict == MTU_HOLE,
                                     "packet_bytes", (json_int_t)hole->packet, "passed_bytes",
                                     integer(hole->passed > 0, hole->passed))
                         : json_null();
}

static json_t *figures_json(const struct flow_summary *summary)
{
    const struct flow_result *flow = &summary->flow;
    const struct end_report *dst = &flow->report[END_DST];
    bool has_dst = flow->has_report[END_DST];
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "payload_bytes",
                     integer(has_dst, (int64_t)dst->payload_bytes), "drained_bytes",
                     integer(has_dst, (int64_t)summary->drained_bytes), "rtt_mean_ns",
                     real(summary->has_rtt, summary->rtt_mean_ns), "rtt_min_ns",
                     integer(summary->has_rtt, summary->rtt_min_ns), "retransmits",
                     counter_json(summary->retransmits), "ce_marks",
                     counter_json(summary->ce_marks), "first_byte_ns",
                     time_json(flow, END_DST, T_FIRST_BYTE), "last_byte_ns",
                     time_json(flow, END_DST, T_LAST_BYTE), "longest_gap", gaps_json(summary),
                     "longest_standstill", standstill_json(&summary->standstill), "mtu_black_hole",
                     hole_json(&summary->hole));
}

static json_t *rate(double bps)
{
    return real(bps >= 0, bps);
}

static json_t *goodput_json(const struct flow_summary *summary)
{
    static const char *const bases[] = {
        [BY_KERNELS] = "kernels", [BY_SAMPLES] = "samples", [BY_READS] = "reads"};
    const struct goodput *goodput = &summary->goodput;
    const struct goodput_span *span = &goodput->span;
    const struct flow_result *flow = &summary->flow;
    const bool known = goodput_has_span(goodput);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "goodput_bps",
        real(goodput->lack == GOODPUT_THERE_IS, goodput->bps), "goodput_lack",
        text_or_null(goodput_lack_text(goodput->lack)), "goodput_least_bps",
        rate(goodput->least_bps), "goodput_most_bps", rate(goodput->most_bps), "goodput_error_ns",
        integer(known && span->error_ns >= 0, span->error_ns), "goodput_doubtful",
        (int)goodput->doubtful, "goodput_basis", text_or_null(known ? bases[summary->basis] : NULL),
        "goodput_bytes", integer(known, (int64_t)span->bytes), "goodput_ns",
        integer(known, span->to_ns - span->from_ns), "goodput_from_ns",
        integer(known, span->from_ns), "receive_rate_bps",
        real(summary->receive.lack == GOODPUT_THERE_IS, summary->receive.bps), "first_left_ns",
        time_json(flow, END_SRC, T_FIRST_LEFT), "first_acked_ns",
        time_json(flow, END_SRC, T_FIRST_ACKED));
}

static json_t *capture_json(const struct flow_result *flow, enum flow_end end)
{
    const struct capture_report *captured = &flow->captured[end];
    if (!flow->has_captured[end])
        return json_null();
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}", "file",
                     text_or_null(flow->capture_file[end]), "packets",
                     (json_int_t)captured->packets, "dropped", (json_int_t)captured->dropped,
                     "lost", (json_int_t)captured->lost, "error_ns", (json_int_t)captured->error_ns,
                     "error", text_or_null(captured->error));
}

static json_t *flow_json(const struct flow_summary *summary)
{
    const struct flow_result *flow = &summary->flow;
    json_t *json = json_pack(
        "{s:i, s:o, s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:{s:o, s:o}, s:{s:I, s:I}, s:b}",
        "id", (int)flow->id, "label", text_or_null(flow->label), "src", text(flow->src), "dst",
        text(flow->dst), "status", status_text(flow->status), "error", text_or_null(flow->error),
        "start_ns", (json_int_t)flow->start_ns, "duration_ns", (json_int_t)flow->duration_ns,
        "family", text_or_null(flow->family), "asked", asked_json(flow), "effective",
        effective_json(flow), "pace", "src", pace_json(flow, END_SRC, flow->tuning.send_rate),
        "dst", pace_json(flow, END_DST, flow->tuning.read_rate), "samples", "src",
        (json_int_t)summary->samples[END_SRC], "dst", (json_int_t)summary->samples[END_DST],
        "same_agent", (int)summary->same_agent);
    if (flow->capture)
        json_object_set_new(json, "capture",
                            json_pack("{s:o, s:o}", "src", capture_json(flow, END_SRC), "dst",
                                      capture_json(flow, END_DST)));
    json_t *parts[] = {goodput_json(summary), figures_json(summary), accounts_json(flow)};
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        failed |= json_object_update(json, parts[i]);
        json_decref(parts[i]);
    }
    if (!failed)
        return json;
    json_decref(json);
    return NULL;
}

/* ---- a run ---- */

static json_t *totals_json(const struct run_summary *run)
{
    const struct totals totals = totals_of(run);
    const struct goodput *goodput = &totals.goodput;
    const bool known = goodput->lack == GOODPUT_THERE_IS;
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "flows",
                     (json_int_t)run->flow_count, "complete", (json_int_t)run->complete, "partial",
                     (json_int_t)run->partial, "failed", (json_int_t)run->failed, "together_bps",
                     real(known, goodput->bps), "together_least_bps", rate(goodput->least_bps),
                     "together_most_bps", rate(goodput->most_bps), "together_ns",
                     integer(known, goodput->span.to_ns - goodput->span.from_ns), "payload_bytes",
                     counter_json(totals.payload_bytes), "retransmits",
                     counter_json(totals.retransmits), "ce_marks", counter_json(totals.ce_marks));
}

/* All that the text warns of: run.warnings, and what the figures give reason to. */
static json_t *warnings_json(const struct run_summary *run)
{
    struct warnings warnings = {0};
    json_t *json = json_array();
    warnings_of(&warnings, run);
    for (size_t i = 0; i < warnings.count; i++)
        json_array_append_new(json, json_string(warnings.texts[i]));
    warnings_fini(&warnings);
    return json;
}

static json_t *run_summary_json(const struct run_summary *run)
{
    json_t *flows = json_array();
    for (size_t i = 0; i < run->flow_count; i++) {
        if (json_array_append_new(flows, flow_json(&run->flows[i]))) {
            json_decref(flows);
            return NULL;
        }
    }
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:o}", "run", run->has_run ? run_json(&run->run) : json_null(),
                  "flows", flows, "totals", totals_json(run), "warnings", warnings_json(run));
    if (run->warmup_ns > 0)
        json_object_set_new(json, "warmup_ns", json_integer(run->warmup_ns));
    return json;
}

/* ---- several runs ---- */

/* Of `count` of `runs` runs. */
static json_t *stats_json(const struct stats *stats, size_t runs)
{
    if (stats->count == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)stats->count,
                     "runs", (json_int_t)runs, "median", real(true, stats->median), "min",
                     real(true, stats->min), "max", real(true, stats->max), "quartile_1",
                     real(true, stats->quartile_1), "quartile_3", real(true, stats->quartile_3));
}

/* {"network": 3, ...}: runs by verdict. */
static json_t *limits_json(const size_t limits[LIMITS])
{
    json_t *json = json_object();
    for (int limit = 0; limit < LIMITS; limit++)
        if (limits[limit])
            json_object_set_new(json, limit ? limit_text((enum limit)limit) : "unknown",
                                json_integer((json_int_t)limits[limit]));
    return json;
}

static json_t *repeated_flow_json(const struct flow_repeats *flow)
{
    const struct flow_result *first = &flow->first->flow;
    return json_pack(
        "{s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:o, s:o}",
        "set", (json_int_t)flow->first->set + 1, "id", (int)first->id, "label",
        text_or_null(first->label), "src", text(first->src), "dst", text(first->dst), "asked",
        asked_json(first), "effective", effective_json(first), "runs", (json_int_t)flow->runs,
        "complete", (json_int_t)flow->complete, "partial", (json_int_t)flow->partial, "failed",
        (json_int_t)flow->failed, "limited_by", limits_json(flow->limits), "goodput_bps",
        stats_json(&flow->goodput_bps, flow->runs), "goodput_doubtful", (json_int_t)flow->doubtful,
        "rtt_mean_ns", stats_json(&flow->rtt_mean_ns, flow->runs), "retransmits",
        stats_json(&flow->retransmits, flow->runs), "ce_marks",
        stats_json(&flow->ce_marks, flow->runs));
}

static json_t *over_totals_json(const struct summary *summary)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "runs", (json_int_t)summary->run_count,
                     "flows", (json_int_t)summary->flow_count, "complete",
                     (json_int_t)summary->complete, "partial", (json_int_t)summary->partial,
                     "failed", (json_int_t)summary->failed, "together_bps",
                     stats_json(&summary->together_bps, summary->run_count));
}

static json_t *set_json(const struct summary *summary, size_t set)
{
    json_t *runs = json_array(), *files = json_array();
    char *differs = set ? run_sets_difference(summary, set) : NULL;
    for (size_t r = 0; r < summary->run_count; r++) {
        if (summary->runs[r].set != set)
            continue;
        json_array_append_new(runs, json_integer((json_int_t)r + 1));
        json_array_append_new(files, text_or_null(summary->runs[r].file));
    }
    json_t *json = json_pack("{s:o, s:o, s:o}", "runs", runs, "files", files, "differs",
                             differs ? text(differs) : json_null());
    free(differs);
    return json;
}

static json_t *sets_json(const struct summary *summary)
{
    json_t *sets = json_array();
    for (size_t set = 0; set < summary->set_count; set++)
        json_array_append_new(sets, set_json(summary, set));
    return sets;
}

static json_t *repeats_json(const struct summary *summary)
{
    json_t *runs = json_array(), *flows = json_array();
    int failed = 0;
    for (size_t i = 0; i < summary->run_count && !failed; i++)
        failed = json_array_append_new(runs, run_summary_json(&summary->runs[i]));
    for (size_t i = 0; i < summary->repeat_count && !failed; i++)
        failed = json_array_append_new(flows, repeated_flow_json(&summary->repeats[i]));
    json_t *json =
        json_pack("{s:o, s:{s:o, s:o, s:o}}", "repeats", runs, "over_repeats", "sets",
                  sets_json(summary), "flows", flows, "totals", over_totals_json(summary));
    if (!failed)
        return json;
    json_decref(json);
    return NULL;
}

int summary_json(const struct summary *summary, FILE *out, struct error *err)
{
    json_t *root =
        summary->run_count == 1 ? run_summary_json(&summary->runs[0]) : repeats_json(summary);
    return json_print(root, JSON_INDENT(2), out, err);
}
