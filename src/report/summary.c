/* Reads a result file once and keeps a few figures a flow. */
#include "report/summary.h"

#include <stdlib.h>

#include "format/results_reader.h"
#include "util/clock.h"

#define BITS_PER_BYTE 8.0
#define NO_MIN_RTT    UINT32_MAX /* the kernel's, before the first measurement */

/* Of the flow that is being read, over its parts. */
struct figures {
    bool has_row; /* of the src end: a row was seen */
    uint64_t acked;
    double rtt_sum_us;
    uint64_t rtt_count;
    int64_t rtt_smallest_us;
    int64_t min_rtt_us; /* the kernel's own, last one */

    bool receiving; /* the dst end: a row with data was seen */
    int64_t first_ns, grown_ns;
    uint64_t first_bytes, bytes;
};

struct loader {
    struct summary *out;
    size_t capacity;
    bool open; /* the last flow of out has a part to come */
    struct figures figures;
};

/* ---- samples ---- */

/* An RTT counts while data move: before and after, it only ages. */
static void add_src_rows(struct figures *figures, const struct series *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        uint64_t acked = (uint64_t)rows->field[TCP_bytes_acked][i];
        int64_t rtt = rows->field[TCP_rtt][i], min_rtt = rows->field[TCP_min_rtt][i];
        if (figures->has_row && acked > figures->acked && rtt > 0) {
            figures->rtt_sum_us += (double)rtt;
            if (figures->rtt_count++ == 0 || rtt < figures->rtt_smallest_us)
                figures->rtt_smallest_us = rtt;
        }
        if (min_rtt > 0 && min_rtt < NO_MIN_RTT)
            figures->min_rtt_us = min_rtt;
        figures->acked = acked;
        figures->has_row = true;
    }
}

/* The kernel's counter only grows, but for a connection that was reset: the largest is the last. */
static void add_retransmits(struct flow_summary *flow, const struct series *rows)
{
    if (!tcp_field_exists(rows->info_length, TCP_total_retrans))
        return;
    for (size_t i = 0; i < rows->count; i++) {
        uint64_t value = (uint64_t)rows->field[TCP_total_retrans][i];
        if (value > flow->retransmits)
            flow->retransmits = value;
        flow->has_retransmits = true;
    }
}

/* For files without reports: from the first row with data to the last that has more. */
static void add_dst_rows(struct figures *figures, const struct series *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        uint64_t bytes = (uint64_t)rows->field[TCP_bytes_received][i];
        if (!figures->receiving && bytes > 0) {
            figures->receiving = true;
            figures->first_ns = figures->grown_ns = rows->t_ns[i];
            figures->first_bytes = figures->bytes = bytes;
        } else if (bytes > figures->bytes) {
            figures->grown_ns = rows->t_ns[i];
            figures->bytes = bytes;
        }
    }
}

/* ---- a flow's figures ---- */

static void set_goodput(struct flow_summary *flow, uint64_t bytes, int64_t from_ns, int64_t to_ns)
{
    int64_t span;
    if (__builtin_sub_overflow(to_ns, from_ns, &span) || span <= 0)
        return;
    flow->has_goodput = true;
    flow->goodput_ns = span;
    flow->goodput_bps = (double)bytes * BITS_PER_BYTE / ((double)span / (double)NS_PER_S);
}

static void finish_goodput(struct flow_summary *flow, const struct figures *figures)
{
    const struct end_report *dst = &flow->flow.report[END_DST];
    const uint32_t needed = 1u << T_FIRST_BYTE | 1u << T_STOP;
    if (!flow->flow.has_report[END_DST]) {
        set_goodput(flow, figures->bytes - figures->first_bytes, figures->first_ns,
                    figures->grown_ns);
        return;
    }
    if ((dst->times & needed) == needed)
        set_goodput(flow, dst->payload_bytes_stop, dst->at[T_FIRST_BYTE], dst->at[T_STOP]);
    if (dst->payload_bytes > dst->payload_bytes_stop)
        flow->drained_bytes = dst->payload_bytes - dst->payload_bytes_stop;
}

static void finish_rtt(struct flow_summary *flow, const struct figures *figures)
{
    if (figures->rtt_count == 0)
        return;
    int64_t smallest = figures->min_rtt_us ? figures->min_rtt_us : figures->rtt_smallest_us;
    flow->has_rtt = true;
    flow->rtt_mean_ns = figures->rtt_sum_us / (double)figures->rtt_count * (double)NS_PER_US;
    flow->rtt_min_ns = smallest * NS_PER_US;
}

static void count_status(struct summary *summary, enum flow_status status)
{
    summary->complete += status == FLOW_COMPLETE;
    summary->partial += status == FLOW_PARTIAL;
    summary->failed += status == FLOW_FAILED;
}

static void finish_flow(struct loader *loader)
{
    if (!loader->open)
        return;
    struct flow_summary *flow = &loader->out->flows[loader->out->flow_count - 1];
    finish_goodput(flow, &loader->figures);
    finish_rtt(flow, &loader->figures);
    count_status(loader->out, flow->flow.status);
    loader->open = false;
}

/* ---- the file ---- */

static int begin_flow(struct loader *loader)
{
    struct summary *out = loader->out;
    if (out->flow_count == loader->capacity) {
        size_t capacity = loader->capacity ? loader->capacity * 2 : 16;
        struct flow_summary *flows = reallocarray(out->flows, capacity, sizeof *flows);
        if (!flows)
            return -1;
        out->flows = flows;
        loader->capacity = capacity;
    }
    out->flows[out->flow_count++] = (struct flow_summary){0};
    loader->figures = (struct figures){0};
    loader->open = true;
    return 0;
}

/* The part belongs to the flow before it, unless that one's end is missing. */
static bool goes_on(const struct loader *loader, const struct results_record *record)
{
    const struct summary *out = loader->out;
    return loader->open && out->flows[out->flow_count - 1].flow.id == record->flow.id;
}

static int add_record(struct loader *loader, const struct results_record *record, struct error *err)
{
    if (!goes_on(loader, record)) {
        finish_flow(loader);
        if (begin_flow(loader))
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    struct flow_summary *flow = &loader->out->flows[loader->out->flow_count - 1];
    flow->flow = record->flow; /* the last part's counts */
    for (int end = 0; end < 2; end++)
        flow->samples[end] += record->samples[end].count;
    add_src_rows(&loader->figures, &record->samples[END_SRC]);
    add_retransmits(flow, &record->samples[END_SRC]);
    add_dst_rows(&loader->figures, &record->samples[END_DST]);
    if (record->last)
        finish_flow(loader);
    return 0;
}

static void find_shared_agents(struct summary *summary)
{
    const struct run_info *run = &summary->run;
    for (size_t i = 0; i < summary->flow_count; i++) {
        struct flow_summary *flow = &summary->flows[i];
        uint32_t src = flow->flow.src_host, dst = flow->flow.dst_host;
        if (src < run->host_count && dst < run->host_count)
            flow->same_agent = run->hosts[src].agent == run->hosts[dst].agent &&
                               run->hosts[src].agent < run->agent_count;
    }
}

static int read_records(struct loader *loader, struct results_reader *reader, struct error *err)
{
    const struct results_record *record;
    int got;
    while ((got = results_reader_next(reader, &record, err)) > 0) {
        int failed = add_record(loader, record, err);
        if (failed)
            return failed;
        if (record->run && !loader->out->has_run)
            loader->out->has_run = results_reader_take_run(reader, &loader->out->run);
    }
    finish_flow(loader);
    find_shared_agents(loader->out);
    return got;
}

int summary_load(struct summary *out, const char *path, struct error *err)
{
    struct results_reader *reader;
    struct loader loader = {.out = out};
    *out = (struct summary){0};
    int failed = results_reader_open(&reader, path, err);
    if (failed)
        return failed;
    failed = read_records(&loader, reader, err);
    results_reader_close(reader);
    if (failed)
        summary_fini(out);
    return failed;
}

void summary_fini(struct summary *summary)
{
    run_info_fini(&summary->run);
    free(summary->flows);
    *summary = (struct summary){0};
}
