#include "report/flow_goodput.h"

#include "util/clock.h"

#define FIRST_READ_LATE_NS (10 * NS_PER_MS) /* more than clocks are off */

static bool has(const struct end_report *report, enum end_time which)
{
    return report && report->times >> which & 1;
}

static bool is_cut(const struct flow_summary *flow)
{
    return flow->from_ns > INT64_MIN;
}

static int64_t sum(int64_t a, int64_t b)
{
    int64_t result;
    return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

/* Of the difference between times of the two ends; -1: not known. */
static int64_t clock_error(const struct flow_summary *flow, const struct run_info *run)
{
    const uint32_t src = flow->flow.src_host, dst = flow->flow.dst_host;
    if (flow->same_agent)
        return 0;
    if (src >= run->host_count || dst >= run->host_count)
        return -1;
    const uint32_t one = run->hosts[src].agent, other = run->hosts[dst].agent;
    if (one >= run->agent_count || other >= run->agent_count)
        return -1;
    const struct clock_fit *a = &run->agents[one].clock, *b = &run->agents[other].clock;
    const bool known = a->exchanges && b->exchanges && a->error_ns >= 0 && b->error_ns >= 0;
    return known ? sum(a->error_ns, b->error_ns) : -1;
}

/* Of the counter, which has the token too. */
static uint64_t payload_of(const struct flow_summary *flow, const struct counted_row *row)
{
    const struct end_report *report = flow->flow.report;
    const uint32_t token = report[END_DST].preamble_bytes > report[END_SRC].preamble_bytes
                               ? report[END_DST].preamble_bytes
                               : report[END_SRC].preamble_bytes;
    return row->bytes > token ? row->bytes - token : 0;
}

/* What the span has behind a row of the receiver's, on its clock alone.  If nothing came behind it,
 * nothing came until the receiver's reading at stop. */
static struct goodput behind(const struct flow_summary *flow, const struct goodput_span *whole,
                             const struct counted_row *row)
{
    struct goodput_span span = *whole;
    const struct end_report *dst = flow_result_report(&flow->flow, END_DST);
    const uint64_t before = payload_of(flow, row);
    span.bytes = span.bytes > before ? span.bytes - before : 0;
    if (span.bytes == 0 && has(dst, T_STOP)) {
        span.to_ns = dst->at[T_STOP];
        span.early_ns = 0;
    }
    if (!row->known || row->t_ns >= span.to_ns)
        return goodput_none(is_cut(flow) ? GOODPUT_BEHIND : GOODPUT_NO_TIMES);
    span.from_ns = row->t_ns;
    span.error_ns = 0;
    return goodput_of(&span);
}

/* Of a flow of which no payload is known to have come. */
static enum goodput_lack why_none(const struct flow_summary *flow, const struct end_report *dst)
{
    const bool silent = !dst && flow->samples[END_DST] == 0;
    return silent && flow->acked_row.known ? GOODPUT_NO_SINK : GOODPUT_NO_DATA;
}

/* ---- by what there is ---- */

static void by_kernels(struct flow_summary *flow, const struct run_info *run)
{
    const struct end_report *src = &flow->flow.report[END_SRC], *dst = &flow->flow.report[END_DST];
    struct goodput_span span = goodput_span_of(src, dst);
    if (!has(dst, T_STOP)) {
        const bool came = span.bytes || has(dst, T_FIRST_BYTE);
        flow->goodput = goodput_none(came ? GOODPUT_NO_TIMES : GOODPUT_NO_DATA);
        return;
    }
    span.from_ns = flow->begin_ns;
    span.error_ns = clock_error(flow, run);
    flow->goodput = is_cut(flow) ? behind(flow, &span, &flow->first_row) : goodput_of(&span);
    flow->receive = behind(flow, &span, &flow->data_row);
}

/* Up to the last row in which there was more. */
static void by_samples(struct flow_summary *flow, const struct run_info *run)
{
    if (!flow->data_row.known && (flow->first_row.known || flow->samples[END_DST] == 0)) {
        flow->goodput = goodput_none(why_none(flow, NULL));
        return;
    }
    const struct goodput_span span = {.bytes = payload_of(flow, &flow->last_row),
                                      .from_ns = flow->begin_ns,
                                      .to_ns = flow->last_row.t_ns,
                                      .error_ns = clock_error(flow, run)};
    flow->goodput = is_cut(flow) ? behind(flow, &span, &flow->first_row) : goodput_of(&span);
}

static void by_reads(struct flow_summary *flow)
{
    const struct end_report *dst = flow_result_report(&flow->flow, END_DST);
    struct goodput_span span = {.from_ns = flow->begin_ns};
    if (dst && !(has(dst, T_FIRST_BYTE) && has(dst, T_STOP)))
        return;
    span.bytes = dst ? dst->payload_bytes_stop : payload_of(flow, &flow->last_row);
    span.to_ns = dst ? dst->at[T_STOP] : flow->last_row.t_ns;
    if (is_cut(flow) || !dst)
        flow->goodput = behind(flow, &span, &flow->data_row);
    else
        flow->goodput = goodput_of(&span);
}

/* ---- which ---- */

static enum goodput_basis basis_of(const struct flow_summary *flow)
{
    const struct end_report *src = flow_result_report(&flow->flow, END_SRC);
    const struct end_report *dst = flow_result_report(&flow->flow, END_DST);
    if (!has(src, T_FIRST_BYTE) || !goodput_is_told(dst ? dst : src))
        return BY_READS;
    return dst ? BY_KERNELS : BY_SAMPLES;
}

/* Bytes that waited for the receiver's program have not come at its first read. */
static void begin_by_reads(struct flow_summary *flow)
{
    const struct end_report *dst = flow_result_report(&flow->flow, END_DST);
    const struct counted_row *acked = &flow->acked_row;
    flow->has_begin = dst ? has(dst, T_FIRST_BYTE) : flow->data_row.known;
    flow->begin_ns = dst ? dst->at[T_FIRST_BYTE] : flow->data_row.t_ns;
    flow->read_late = dst && flow->has_begin && acked->known && acked->t_ns < flow->begin_ns &&
                      (uint64_t)flow->begin_ns - (uint64_t)acked->t_ns > FIRST_READ_LATE_NS;
    if (flow->read_late)
        flow->begin_ns = acked->t_ns;
}

void flow_goodput_set(struct flow_summary *flow, const struct run_info *run)
{
    const struct end_report *dst = flow_result_report(&flow->flow, END_DST);
    flow->goodput = flow->receive = goodput_none(GOODPUT_NO_TIMES);
    flow->basis = basis_of(flow);
    if (flow->basis == BY_READS) {
        begin_by_reads(flow);
        by_reads(flow);
        if (!flow->has_begin && !(dst && dst->payload_bytes_stop))
            flow->goodput = goodput_none(why_none(flow, dst));
    } else {
        flow->has_begin = true;
        flow->begin_ns = flow->flow.report[END_SRC].at[T_FIRST_BYTE];
        (dst ? by_kernels : by_samples)(flow, run);
    }
}
