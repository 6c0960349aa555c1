/* Reads result files and keeps a few figures a flow.
 *
 * A flow's samples stand before the report that tells when its first data byte came, and a run's
 * warm-up stands behind its first flow.  So where a warm-up is to be left out, the files are read
 * a second time, with what the first pass knows. */
#include "report/summary.h"

#include <stdlib.h>
#include <string.h>

#include "format/results_reader.h"
#include "format/utf8.h"
#include "model/ns.h"
#include "report/flow_goodput.h"
#include "report/over_repeats.h"
#include "report/run_copies.h"
#include "report/run_sets.h"
#include "util/clock.h"

#define NO_MIN_RTT UINT32_MAX /* the kernel's, before the first measurement */

/* Of the flow that is being read, over its parts. */
struct figures {
    int64_t from_ns; /* rows before it do not count */
    bool sampled[2]; /* each end: a row was seen, the last at: */
    int64_t sampled_ns[2];

    bool has_row; /* of the src end: a row was seen */
    uint64_t acked;
    double rtt_sum_us;
    uint64_t rtt_count;
    int64_t rtt_smallest_us;
    int64_t min_rtt_us; /* the kernel's own, last one */
    uint64_t retransmits_before, ce_marks_before;

    struct standstill_watch standstill;
    struct mtu_watch mtu;
};

struct loader {
    struct summary *out;
    const struct summary *known; /* by the first pass; NULL: this is it */
    size_t capacity;
    bool open; /* the last flow of out has a part to come */
    struct figures figures;
};

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

/* ---- samples ---- */

/* Rows are in the order of time. */
static size_t rows_to_skip(const struct figures *figures, const struct series *rows)
{
    size_t count = 0;
    while (count < rows->count && rows->t_ns[count] < figures->from_ns)
        count++;
    return count;
}

/* An RTT counts while data move: before and after, it only ages. */
static void add_src_rows(struct figures *figures, const struct series *rows)
{
    for (size_t i = rows_to_skip(figures, rows); i < rows->count; i++) {
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
static void add_counter(struct counted *counter, uint64_t *before, const struct figures *figures,
                        const struct series *rows, enum tcp_field field)
{
    if (!tcp_field_exists(rows->info_length, field))
        return;
    for (size_t i = rows_to_skip(figures, rows); i < rows->count; i++) {
        uint64_t value = (uint64_t)rows->field[field][i];
        if (!counter->known && figures->from_ns > INT64_MIN)
            *before = value;
        if (value > counter->value)
            counter->value = value;
        counter->known = true;
    }
}

static void take_row(struct counted_row *out, const struct series *rows, enum tcp_field field,
                     size_t row)
{
    *out = (struct counted_row){true, rows->t_ns[row], (uint64_t)rows->field[field][row]};
}

/* Behind SYN and token. */
static void find_acknowledged(struct flow_summary *flow, const struct series *rows)
{
    for (size_t i = 0; i < rows->count && !flow->acked_row.known; i++)
        if ((uint64_t)rows->field[TCP_bytes_acked][i] > TOKEN_SIZE + 1)
            take_row(&flow->acked_row, rows, TCP_bytes_acked, i);
}

static void add_dst_rows(struct flow_summary *flow, const struct figures *figures,
                         const struct series *rows)
{
    for (size_t i = rows_to_skip(figures, rows); i < rows->count; i++) {
        const uint64_t bytes = (uint64_t)rows->field[TCP_bytes_received][i];
        if (!flow->first_row.known)
            take_row(&flow->first_row, rows, TCP_bytes_received, i);
        if (!flow->data_row.known && bytes > TOKEN_SIZE)
            take_row(&flow->data_row, rows, TCP_bytes_received, i);
        if (bytes > flow->last_row.bytes)
            take_row(&flow->last_row, rows, TCP_bytes_received, i);
    }
}

static void add_gaps(struct flow_summary *flow, struct figures *figures, enum flow_end end,
                     const struct series *rows)
{
    struct gap *longest = &flow->gap[end];
    for (size_t i = 0; i < rows->count; i++) {
        const int64_t last = figures->sampled_ns[end];
        const struct gap gap = {last, ns_clamp((wide_ns)rows->t_ns[i] - last)};
        if (figures->sampled[end] && gap.ns > longest->ns)
            *longest = gap;
        figures->sampled[end] = true;
        figures->sampled_ns[end] = rows->t_ns[i];
    }
}

static void add_rows(struct flow_summary *flow, struct figures *figures,
                     const struct series samples[2])
{
    const struct series *src = &samples[END_SRC];
    add_src_rows(figures, src);
    find_acknowledged(flow, src);
    add_counter(&flow->retransmits, &figures->retransmits_before, figures, src, TCP_total_retrans);
    add_counter(&flow->ce_marks, &figures->ce_marks_before, figures, src, TCP_delivered_ce);
    add_dst_rows(flow, figures, &samples[END_DST]);
    mtu_watch_add(&figures->mtu, src);
    if (src->count)
        standstill_add_source(&figures->standstill, src);
    if (samples[END_DST].count)
        standstill_add_sink(&figures->standstill, &samples[END_DST]);
    for (int end = END_SRC; end <= END_DST; end++)
        add_gaps(flow, figures, (enum flow_end)end, &samples[end]);
}

/* ---- a flow's figures ---- */

static void finish_rtt(struct flow_summary *flow, const struct figures *figures)
{
    if (figures->rtt_count == 0)
        return;
    int64_t smallest = figures->min_rtt_us ? figures->min_rtt_us : figures->rtt_smallest_us;
    flow->has_rtt = true;
    flow->rtt_mean_ns = figures->rtt_sum_us / (double)figures->rtt_count * (double)NS_PER_US;
    flow->rtt_min_ns = smallest * NS_PER_US;
}

#define IPV4_HEADER 20
#define IPV6_HEADER 40

/* Nothing passed, says the source; what its sink has, did. */
static void finish_hole(struct flow_summary *flow, const struct figures *figures)
{
    const bool ipv6 = strcmp(flow->flow.family, "ipv6") == 0;
    flow->hole = mtu_watch_judge(&figures->mtu, ipv6 ? IPV6_HEADER : IPV4_HEADER);
    if (!flow->hole.passed && flow->last_row.bytes > (uint64_t)TOKEN_SIZE + flow->hole.packet)
        flow->hole = (struct mtu_hole){0};
}

/* Since when the receiver has all that was written; INT64_MAX: it has not. */
static int64_t all_came_ns(const struct flow_summary *flow)
{
    const struct end_report *src = flow_result_report(&flow->flow, END_SRC);
    const struct end_report *dst = flow_result_report(&flow->flow, END_DST);
    const bool all = src && dst && src->payload_bytes == dst->payload_bytes;
    return all && dst->times >> T_LAST_BYTE & 1 ? dst->at[T_LAST_BYTE] : INT64_MAX;
}

static void finish_flow(struct loader *loader)
{
    if (!loader->open)
        return;
    struct flow_summary *flow = &loader->out->flows[loader->out->flow_count - 1];
    struct figures *figures = &loader->figures;
    const struct end_report *dst = &flow->flow.report[END_DST];
    if (dst->payload_bytes > dst->payload_bytes_stop)
        flow->drained_bytes = dst->payload_bytes - dst->payload_bytes_stop;
    finish_rtt(flow, figures);
    finish_hole(flow, figures);
    flow->standstill = standstill_longest(&figures->standstill, flow->flow.tuning.read_rate > 0,
                                          all_came_ns(flow));
    flow->retransmits.value -= figures->retransmits_before;
    flow->ce_marks.value -= figures->ce_marks_before;
    loader->open = false;
}

/* ---- flows and runs ---- */

static int begin_flow(struct loader *loader)
{
    struct summary *out = loader->out;
    const struct summary *known = loader->known;
    if (out->flow_count == loader->capacity) {
        size_t capacity = loader->capacity ? loader->capacity * 2 : 16;
        struct flow_summary *flows = reallocarray(out->flows, capacity, sizeof *flows);
        if (!flows)
            return -1;
        out->flows = flows;
        loader->capacity = capacity;
    }
    int64_t from_ns = known && out->flow_count < known->flow_count
                          ? known->flows[out->flow_count].from_ns
                          : INT64_MIN;
    out->flows[out->flow_count++] = (struct flow_summary){.from_ns = from_ns};
    loader->figures = (struct figures){.from_ns = from_ns};
    loader->open = true;
    return 0;
}

static struct run_summary *last_run(const struct summary *summary)
{
    return &summary->runs[summary->run_count - 1];
}

static int begin_run(struct summary *out, size_t first_flow, const char *path, struct error *err)
{
    bool failed = false;
    struct run_summary *runs = reallocarray(out->runs, out->run_count + 1, sizeof *runs);
    if (!runs)
        return no_memory(err);
    out->runs = runs;
    runs[out->run_count++] =
        (struct run_summary){.first_flow = first_flow, .file = utf8_text(path, &failed)};
    return failed ? no_memory(err) : 0;
}

/* The run's data stand with its first flow, the one that was read last. */
static int take_run(struct summary *out, struct results_reader *reader, struct error *err)
{
    size_t flow = out->flow_count - 1;
    const struct run_summary *run = last_run(out);
    int failed = 0;
    if (run->has_run || run->first_flow < flow)
        failed = begin_run(out, flow, run->file, err);
    if (!failed)
        last_run(out)->has_run = results_reader_take_run(reader, &last_run(out)->run);
    return failed;
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
            return no_memory(err);
    }
    struct flow_summary *flow = &loader->out->flows[loader->out->flow_count - 1];
    flow->flow = record->flow; /* the last part's counts */
    for (int end = 0; end < 2; end++)
        flow->samples[end] += record->samples[end].count;
    add_rows(flow, &loader->figures, record->samples);
    if (record->last)
        finish_flow(loader);
    return 0;
}

/* ---- files ---- */

static int read_records(struct loader *loader, struct results_reader *reader, struct error *err)
{
    const struct results_record *record;
    int got;
    while ((got = results_reader_next(reader, &record, err)) > 0) {
        int failed = add_record(loader, record, err);
        if (!failed && record->run)
            failed = take_run(loader->out, reader, err);
        if (failed)
            return failed;
    }
    finish_flow(loader);
    return got;
}

/* What can be said of a file in which there is no flow; *why the reader said. */
static int no_result(const char *path, bool like_result, const struct error *why, struct error *err)
{
    if (!why->code)
        error_set(err, ERROR_INPUT, path, "the file is empty");
    else
        error_set(err, ERROR_INPUT, path, "%s (%s)",
                  like_result ? "this result file is damaged in its first record"
                              : "this is no result file, or one that is damaged at its beginning",
                  why->what);
    if (like_result)
        return error_cure(err, "copy the file again");
    return error_cure(err, "a summary is of what `tcp-flowgen run SCENARIO --output FILE` wrote; "
                           "of agents' spools `tcp-flowgen recover` makes results");
}

/* What was read before the damage is kept. */
static int keep_damaged(struct summary *out, const struct error *why)
{
    char text[sizeof *why];
    error_text(why, text, sizeof text);
    free(last_run(out)->damage);
    last_run(out)->damage = strdup(text);
    return last_run(out)->damage ? 0 : ERROR_SYSTEM;
}

static int read_file(struct loader *loader, const char *path, struct error *err)
{
    struct summary *out = loader->out;
    const size_t before = out->flow_count;
    struct results_reader *reader;
    struct error why = {0};
    int failed = begin_run(out, before, path, err);
    if (!failed)
        failed = results_reader_open(&reader, path, err);
    if (failed)
        return failed;
    failed = read_records(loader, reader, &why);
    const bool like_result = results_reader_like_result(reader);
    results_reader_close(reader);
    if (err)
        *err = why;
    if (out->flow_count == before && (!failed || failed == ERROR_INPUT))
        return no_result(path, like_result, &why, err);
    return failed == ERROR_INPUT && !keep_damaged(out, &why) ? 0 : failed;
}

static void settle_flow(struct flow_summary *flow, struct run_summary *run)
{
    enum flow_status status = flow->flow.status;
    uint32_t src = flow->flow.src_host, dst = flow->flow.dst_host;
    if (src < run->run.host_count && dst < run->run.host_count)
        flow->same_agent = run->run.hosts[src].agent == run->run.hosts[dst].agent &&
                           run->run.hosts[src].agent < run->run.agent_count;
    flow_goodput_set(flow, &run->run);
    run->complete += status == FLOW_COMPLETE;
    run->partial += status == FLOW_PARTIAL;
    run->failed += status == FLOW_FAILED;
}

/* Gives each run its flows. */
static void settle_runs(struct summary *summary)
{
    for (size_t r = 0; r < summary->run_count; r++) {
        struct run_summary *run = &summary->runs[r];
        size_t end = r + 1 < summary->run_count ? run[1].first_flow : summary->flow_count;
        run->flows = summary->flows + run->first_flow;
        run->flow_count = end - run->first_flow;
        for (size_t i = 0; i < run->flow_count; i++) {
            run->flows[i].run = r;
            settle_flow(&run->flows[i], run);
        }
        summary->complete += run->complete;
        summary->partial += run->partial;
        summary->failed += run->failed;
        summary->damaged |= run->damage != NULL;
    }
}

static int read_files(struct summary *out, const struct summary *known, const char *const *paths,
                      size_t path_count, struct error *err)
{
    struct loader loader = {.out = out, .known = known};
    int failed = 0;
    *out = (struct summary){0};
    for (size_t i = 0; i < path_count && !failed; i++)
        failed = read_file(&loader, paths[i], err);
    if (failed)
        summary_fini(out);
    else
        settle_runs(out);
    return failed;
}

/* ---- warm-up ---- */

static int64_t sum(int64_t a, int64_t b)
{
    int64_t result;
    return __builtin_add_overflow(a, b, &result) ? INT64_MAX : result;
}

/* Where the flows' figures shall begin; false: all with their first sample. */
static bool set_warmups(struct summary *summary, int64_t warmup_ns)
{
    bool any = false;
    for (size_t r = 0; r < summary->run_count; r++) {
        struct run_summary *run = &summary->runs[r];
        run->warmup_ns = warmup_ns < 0 ? run->run.warmup_ns : warmup_ns;
        any |= run->warmup_ns > 0;
        for (size_t i = 0; i < run->flow_count && run->warmup_ns > 0; i++) {
            struct flow_summary *flow = &run->flows[i];
            flow->from_ns = flow->has_begin ? sum(flow->begin_ns, run->warmup_ns) : INT64_MAX;
        }
    }
    return any;
}

static int check_files(const char *const *paths, size_t path_count, struct error *err)
{
    for (size_t i = 0; i < path_count; i++) {
        if (strcmp(paths[i], "-") != 0)
            continue;
        error_set(err, ERROR_INPUT, paths[i],
                  "leaving out a warm-up takes two passes, and standard input can be read once");
        return error_cure(err, "name the file, or take the whole flows with --warmup 0");
    }
    return 0;
}

/* Reads again, without the warm-ups that are set in *summary. */
static int read_again(struct summary *summary, const char *const *paths, size_t path_count,
                      struct error *err)
{
    struct summary cut = {0};
    int failed = check_files(paths, path_count, err);
    if (!failed)
        failed = read_files(&cut, summary, paths, path_count, err);
    for (size_t r = 0; r < cut.run_count && r < summary->run_count; r++)
        cut.runs[r].warmup_ns = summary->runs[r].warmup_ns;
    summary_fini(summary);
    *summary = cut;
    return failed;
}

int summary_load(struct summary *out, const char *const *paths, size_t path_count,
                 int64_t warmup_ns, struct error *err)
{
    int failed = read_files(out, NULL, paths, path_count, err);
    if (!failed && set_warmups(out, warmup_ns))
        failed = read_again(out, paths, path_count, err);
    if (failed)
        return failed;
    failed = run_copies_drop(out);
    run_sets_find(out);
    if (failed || (out->run_count > 1 && over_repeats_build(out))) {
        summary_fini(out);
        failed = no_memory(err);
    }
    return failed;
}

int summary_pool(struct summary *summary, struct error *err)
{
    if (summary->set_count < 2)
        return 0;
    for (size_t r = 0; r < summary->run_count; r++)
        summary->runs[r].set = 0;
    for (size_t i = 0; i < summary->flow_count; i++)
        summary->flows[i].set = 0;
    summary->set_count = 1;
    return over_repeats_build(summary) ? no_memory(err) : 0;
}

void summary_fini(struct summary *summary)
{
    for (size_t i = 0; i < summary->run_count; i++)
        run_summary_fini(&summary->runs[i]);
    free(summary->runs);
    free(summary->flows);
    free(summary->repeats);
    *summary = (struct summary){0};
}
