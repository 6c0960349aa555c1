/* The summary for people: a table, then totals, clocks and warnings. */
#include <inttypes.h>
#include <string.h>

#include "report/host_figures.h"
#include "report/repeats_text.h"
#include "report/summary.h"
#include "report/table.h"
#include "util/clock.h"
#include "util/duration.h"
#include "util/units.h"

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- cells ---- */

#define COLUMNS  11
#define CELL_MAX TABLE_CELL_MAX
#define LATE_NS  NS_PER_MS /* of a sample: not worth a word up to here */

static void print_ms(char out[CELL_MAX], bool known, double ns)
{
    if (known)
        snprintf(out, CELL_MAX, "%.3f ms", ns / 1e6);
    else
        snprintf(out, CELL_MAX, "-");
}

/* "asked -> effective", or one of them where they are the same. */
static void print_option(char out[CELL_MAX], const char *asked, const char *effective)
{
    if (strcmp(asked, effective) == 0)
        snprintf(out, CELL_MAX, "%s", asked);
    else
        snprintf(out, CELL_MAX, "%s -> %s", asked, effective);
}

static void print_switch(char out[CELL_MAX], bool asked, bool known, bool effective)
{
    const char *is = !known ? "?" : effective ? "on" : "off";
    print_option(out, asked ? "on" : "off", is);
}

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
    return "-";
}

static void print_status(char out[CELL_MAX], const struct flow_result *flow)
{
    snprintf(out, CELL_MAX, "%s%s%s", status_text(flow->status), flow->error[0] ? ": " : "",
             flow->error);
}

static void fill_row(const void *of, size_t index, struct table_row *row)
{
    const struct run_summary *run = of;
    const struct flow_summary *summary = &run->flows[index];
    const struct flow_result *flow = &summary->flow;
    const struct end_report *src = &flow->report[END_SRC];
    bool known = flow->has_report[END_SRC] && flow->report[END_SRC].ccalg[0];
    char(*cell)[CELL_MAX] = row->room;
    for (size_t i = 0; i < COLUMNS; i++)
        row->cells[i] = row->room[i];
    snprintf(*cell++, CELL_MAX, "%" PRId32, flow->id);
    row->cells[1] = flow->src;
    row->cells[2] = flow->dst;
    cell += 2;
    units_rate(summary->has_goodput ? summary->goodput_bps : -1, *cell++);
    print_ms(*cell++, summary->has_rtt, summary->rtt_mean_ns);
    if (summary->has_retransmits)
        snprintf(*cell++, CELL_MAX, "%" PRIu64, summary->retransmits);
    else
        snprintf(*cell++, CELL_MAX, "-");
    print_option(*cell++, flow->ccalg[0] ? flow->ccalg : "default", known ? src->ccalg : "?");
    print_switch(*cell++, flow->ecn, known, src->ecn);
    print_switch(*cell++, flow->nodelay, known, src->nodelay);
    snprintf(*cell++, CELL_MAX, "%s", limit_text(flow->verdict.limit));
    print_status(*cell, flow);
}

static void print_flows(const struct run_summary *run, size_t rows, FILE *out)
{
    const struct table table = {rows,
                                COLUMNS,
                                {"flow", "src", "dst", "goodput", "RTT mean", "retransmits",
                                 "ccalg", "ecn", "nodelay", "limited by", "status"},
                                fill_row,
                                run};
    table_print(&table, out);
    if (rows < run->flow_count)
        fprintf(out, "... and %zu more flow%s\n", run->flow_count - rows,
                plural(run->flow_count - rows));
}

/* ---- below the table ---- */

static void print_totals(const struct run_summary *summary, FILE *out)
{
    double goodput = 0;
    uint64_t retransmits = 0;
    bool has_goodput = false;
    char text[UNITS_TEXT_MAX];
    for (size_t i = 0; i < summary->flow_count; i++) {
        const struct flow_summary *flow = &summary->flows[i];
        has_goodput |= flow->has_goodput;
        goodput += flow->goodput_bps;
        retransmits += flow->retransmits;
    }
    fprintf(out, "%zu flow%s", summary->flow_count, plural(summary->flow_count));
    if (summary->complete + summary->partial + summary->failed > 0)
        fprintf(out, ": %zu complete, %zu partial, %zu failed", summary->complete, summary->partial,
                summary->failed);
    fprintf(out, "; goodputs add up to %s; %" PRIu64 " retransmit%s\n",
            units_rate(has_goodput ? goodput : -1, text), retransmits, plural(retransmits));
}

/* Against the world's time, which no figure here depends on. */
static void print_discipline(const struct clock_discipline *clock, FILE *out)
{
    if (clock->known && clock->synchronized)
        fprintf(out, "; wall clock synchronized, within %.1f ms of UTC",
                (double)clock->max_error_ns / 1e6);
    else if (clock->known)
        fprintf(out, "; wall clock not synchronized");
}

static void print_agents(const struct run_info *run, FILE *out)
{
    for (size_t i = 0; i < run->agent_count; i++) {
        const struct run_agent *agent = &run->agents[i];
        if (agent->clock.exchanges == 0) /* never measured */
            continue;
        fprintf(out, "clock of agent ");
        table_tame(out, agent->mgmt);
        fprintf(out, ": times are right to %.1f us (rate %+.2f ppm, by %s%s)",
                (double)agent->clock.error_ns / 1e3, agent->clock.rate * 1e6,
                clock_method_name(agent->clock.method),
                strcmp(agent->clock_network, "test") == 0 ? " over the test network" : "");
        print_discipline(&agent->clock_before, out);
        fputc('\n', out);
    }
}

#define DIFFERS_MAX 10 /* lines */

/* Bytes that do not reconcile are a fault, of the program or of the kernel: never keep it back. */
static void print_ledgers(const struct run_summary *run, FILE *out)
{
    size_t differ = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_result *flow = &run->flows[i].flow;
        if (flow->ledger.state != LEDGER_DIFFERS || differ++ >= DIFFERS_MAX)
            continue;
        fprintf(out, "warning: the bytes of flow %" PRId32 " do not reconcile: ", flow->id);
        table_tame(out, flow->ledger.why);
        fprintf(out, "\n");
    }
    if (differ > DIFFERS_MAX)
        fprintf(out, "warning: ... and those of %zu more flows do not\n", differ - DIFFERS_MAX);
}

static int64_t longest_interval(const struct run_info *run)
{
    int64_t interval_ns = 0;
    for (size_t i = 0; i < run->agent_count; i++)
        if (run->agents[i].interval_ns > interval_ns)
            interval_ns = run->agents[i].interval_ns;
    return interval_ns;
}

static void add_lateness(uint64_t sum[LATENESS_BUCKETS], int64_t *max_ns,
                         const struct end_report *report)
{
    for (unsigned b = 0; b < LATENESS_BUCKETS; b++)
        sum[b] += report->lateness[b];
    if (report->lateness_max_ns > *max_ns)
        *max_ns = report->lateness_max_ns;
}

/* Only where it is bad: one sample of a hundred later than a tenth of the interval, and a ms. */
static void print_lateness(const struct run_summary *run, FILE *out)
{
    uint64_t sum[LATENESS_BUCKETS] = {0};
    int64_t max_ns = 0, bad_ns = longest_interval(&run->run) / 10;
    for (size_t i = 0; i < run->flow_count; i++)
        for (int end = 0; end < 2; end++)
            add_lateness(sum, &max_ns, &run->flows[i].flow.report[end]);
    const int64_t p99 = lateness_percentile(sum, 0.99, max_ns);
    if (p99 <= bad_ns || p99 <= LATE_NS)
        return;
    fprintf(out,
            "warning: samples were taken late: half of them by up to %.3f ms, 99 %% by up to %.3f "
            "ms, the last by %.3f ms\n",
            (double)lateness_percentile(sum, 0.5, max_ns) / 1e6, (double)p99 / 1e6,
            (double)max_ns / 1e6);
}

static void print_hosts(const struct run_info *run, FILE *out)
{
    for (size_t i = 0; i < run->agent_count; i++) {
        if (run->agents[i].host.count == 0)
            continue;
        fprintf(out, "machine of agent ");
        table_tame(out, run->agents[i].mgmt);
        fprintf(out, ": ");
        host_text(&run->agents[i].host, out);
        fputc('\n', out);
    }
}

/* That ends share a machine is among the run's own warnings: only its master could know. */
static void print_warnings(const struct run_info *run, FILE *out)
{
    if (run->interrupted)
        fprintf(out, "warning: the run was interrupted\n");
    for (size_t i = 0; i < run->agent_count; i++) {
        if (!run->agents[i].lost || !run->agents[i].lost[0])
            continue;
        fprintf(out, "warning: agent ");
        table_tame(out, run->agents[i].mgmt);
        fprintf(out, " was lost: ");
        table_tame(out, run->agents[i].lost);
        fprintf(out, "\n");
    }
    for (size_t i = 0; i < run->warning_count; i++) {
        fprintf(out, "warning: ");
        table_tame(out, run->warnings[i]);
        fprintf(out, "\n");
    }
}

static void print_warmup(const struct run_summary *run, FILE *out)
{
    char text[DURATION_TEXT_MAX];
    if (run->warmup_ns > 0)
        fprintf(out, "the first %s of each flow's data are not in the figures\n",
                duration_format(run->warmup_ns, text));
}

static void run_text(const struct run_summary *run, FILE *out, size_t max_flows)
{
    size_t rows = max_flows && max_flows < run->flow_count ? max_flows : run->flow_count;
    print_flows(run, rows, out);
    fprintf(out, "\n");
    print_totals(run, out);
    print_warmup(run, out);
    print_agents(&run->run, out);
    print_hosts(&run->run, out);
    print_warnings(&run->run, out);
    print_ledgers(run, out);
    print_lateness(run, out);
}

void summary_text(const struct summary *summary, FILE *out, size_t max_flows)
{
    if (summary->run_count == 1)
        run_text(&summary->runs[0], out, max_flows);
    else
        repeats_text(summary, out, max_flows);
}
