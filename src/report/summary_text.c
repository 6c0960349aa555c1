/* The summary for people: a table, then totals, clocks and warnings. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/host_names.h"
#include "report/host_figures.h"
#include "report/paragraph.h"
#include "report/repeats_text.h"
#include "report/settings.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/totals.h"
#include "report/trouble.h"
#include "report/warnings.h"
#include "util/duration.h"
#include "util/units.h"

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- the table ---- */

#define CELL_MAX TABLE_CELL_MAX

static void print_counted(char out[CELL_MAX], struct counted counter)
{
    if (counter.known)
        snprintf(out, CELL_MAX, "%" PRIu64, counter.value);
    else
        snprintf(out, CELL_MAX, "-");
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

static void print_id(char out[CELL_MAX], const struct flow_summary *flow)
{
    snprintf(out, CELL_MAX, "%" PRId32, flow->flow.id);
}

static void print_label(char out[CELL_MAX], const struct flow_summary *flow)
{
    label_text(&flow->flow, out);
}

static void print_src(char out[CELL_MAX], const struct flow_summary *flow)
{
    snprintf(out, CELL_MAX, "%s", flow->flow.src);
}

static void print_dst(char out[CELL_MAX], const struct flow_summary *flow)
{
    snprintf(out, CELL_MAX, "%s", flow->flow.dst);
}

static void print_goodput(char out[CELL_MAX], const struct flow_summary *flow)
{
    const struct goodput *goodput = &flow->goodput;
    char rate[UNITS_TEXT_MAX];
    units_rate(goodput->lack == GOODPUT_THERE_IS ? goodput->bps : -1, rate);
    snprintf(out, CELL_MAX, "%s%s", goodput->doubtful ? "~" : "", rate);
}

static void print_rtt(char out[CELL_MAX], const struct flow_summary *flow)
{
    if (flow->has_rtt)
        snprintf(out, CELL_MAX, "%.3f ms", flow->rtt_mean_ns / 1e6);
    else
        snprintf(out, CELL_MAX, "-");
}

static void print_retransmits(char out[CELL_MAX], const struct flow_summary *flow)
{
    print_counted(out, flow->retransmits);
}

static void print_marks(char out[CELL_MAX], const struct flow_summary *flow)
{
    print_counted(out, flow->ce_marks);
}

static void print_ccalg(char out[CELL_MAX], const struct flow_summary *flow)
{
    setting_text(SETTING_CCALG, &flow->flow, out);
}

static void print_ecn(char out[CELL_MAX], const struct flow_summary *flow)
{
    setting_text(SETTING_ECN, &flow->flow, out);
}

static void print_nodelay(char out[CELL_MAX], const struct flow_summary *flow)
{
    setting_text(SETTING_NODELAY, &flow->flow, out);
}

static void print_limit(char out[CELL_MAX], const struct flow_summary *flow)
{
    snprintf(out, CELL_MAX, "%s", limit_text(flow->flow.verdict.limit));
}

static void print_status(char out[CELL_MAX], const struct flow_summary *flow)
{
    snprintf(out, CELL_MAX, "%s", status_text(flow->flow.status));
}

struct column {
    const char *head;
    void (*print)(char out[CELL_MAX], const struct flow_summary *flow);
    unsigned char rank; /* of struct table */
};

#define COLUMNS 13

#define RECEIVE_APART 0.05 /* of goodput, to be told */

#define PAIRS_MAX 4 /* of hosts, that are told one by one */

/* Those of the run that have something to tell. */
struct view {
    const struct run_summary *run;
    struct column columns[COLUMNS];
    size_t count;
};

static void add_column(struct view *view, bool shown, struct column column)
{
    if (shown)
        view->columns[view->count++] = column;
}

static void choose_columns(struct view *view, const bool differs[SETTINGS])
{
    bool labels = false, marks = false;
    for (size_t i = 0; i < view->run->flow_count; i++) {
        labels |= view->run->flows[i].flow.label[0] != '\0';
        marks |= view->run->flows[i].ce_marks.value > 0;
    }
    add_column(view, true, (struct column){"flow", print_id, 0});
    add_column(view, labels, (struct column){"label", print_label, 1});
    add_column(view, true, (struct column){"src", print_src, 0});
    add_column(view, true, (struct column){"dst", print_dst, 0});
    add_column(view, true, (struct column){"goodput", print_goodput, 0});
    add_column(view, true, (struct column){"RTT mean", print_rtt, 1});
    add_column(view, true, (struct column){"retrans", print_retransmits, 1});
    add_column(view, marks, (struct column){"CE", print_marks, 0});
    add_column(view, differs[SETTING_CCALG], (struct column){"ccalg", print_ccalg, 0});
    add_column(view, differs[SETTING_ECN], (struct column){"ecn", print_ecn, 2});
    add_column(view, differs[SETTING_NODELAY], (struct column){"nodelay", print_nodelay, 2});
    add_column(view, true, (struct column){"limited by", print_limit, 0});
    add_column(view, true, (struct column){"status", print_status, 0});
}

static void fill_row(const void *of, size_t index, struct table_row *row)
{
    const struct view *view = of;
    for (size_t i = 0; i < view->count; i++) {
        view->columns[i].print(row->room[i], &view->run->flows[index]);
        row->cells[i] = row->room[i];
    }
}

static const struct flow_result *flow_of(const void *of, size_t index)
{
    const struct run_summary *run = of;
    return &run->flows[index].flow;
}

static void print_flows(const struct run_summary *run, size_t rows, const char *how, FILE *out)
{
    bool differs[SETTINGS];
    struct view view = {.run = run};
    settings_print(flow_of, run, run->flow_count, differs, out);
    choose_columns(&view, differs);
    struct table table = {.rows = rows, .columns = view.count, .fill = fill_row, .of = &view};
    for (size_t i = 0; i < view.count; i++) {
        table.head[i] = view.columns[i].head;
        table.yielding |= (view.columns[i].print == print_label ? 1U : 0U) << i;
        table.rank[i] = view.columns[i].rank;
    }
    table_print(&table, out);
    if (rows < run->flow_count)
        paragraph_print(out, "... and %zu more flow%s: %s", run->flow_count - rows,
                        plural(run->flow_count - rows), how);
}

/* ---- below the table ---- */

/* "; 5 retransmits"; nothing of what is neither there nor wanted. */
static void print_count(struct counted counter, bool wanted, const char *one, const char *more,
                        FILE *out)
{
    if (counter.value || (counter.known && wanted))
        fprintf(out, "; %" PRIu64 " %s%s", counter.value, counter.value == 1 ? one : more,
                counter.known ? "" : " or more");
    else if (wanted)
        fprintf(out, "; %s not known", more);
}

/* An echo that goes on until it is answered does not count marks. */
static char *counters_text(const struct totals *totals)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    const struct counted marks = {totals->ce_marks.known, totals->ce_marks.value - totals->echoes};
    const struct counted echoes = {totals->ce_marks.known, totals->echoes};
    print_count(totals->retransmits, true, "retransmit", "retransmits", out);
    print_count(marks, false, "CE mark", "CE marks", out);
    print_count(echoes, false, "ECN echo", "ECN echoes", out);
    fclose(out);
    return text;
}

static void print_totals(const struct run_summary *run, FILE *out)
{
    const struct totals totals = totals_of(run);
    char counts[96] = "", rate[UNITS_TEXT_MAX], text[160] = "", *counters = counters_text(&totals);
    if (run->complete + run->partial + run->failed > 0)
        snprintf(counts, sizeof counts, ": %zu complete, %zu partial, %zu failed", run->complete,
                 run->partial, run->failed);
    const struct goodput *goodput = &totals.goodput;
    if (goodput->lack == GOODPUT_THERE_IS)
        snprintf(text, sizeof text, "; together %s%s over %.4g s", goodput->doubtful ? "~" : "",
                 units_rate(goodput->bps, rate),
                 ((double)goodput->span.to_ns - (double)goodput->span.from_ns) / 1e9);
    paragraph_print(out, "%zu flow%s%s%s%s", run->flow_count, plural(run->flow_count), counts, text,
                    counters ? counters : "");
    free(counters);
}

/* What goes one way shares no queue with what comes back. */
static void print_pairs(const struct run_summary *run, FILE *out)
{
    struct pair pairs[PAIRS_MAX];
    const size_t count = totals_of_pairs(run, pairs, PAIRS_MAX);
    char text[PAIRS_MAX * (UNITS_TEXT_MAX + 4 + 2 * sizeof run->flows->flow.src)], *at = text;
    for (size_t i = 0; i < count; i++) {
        char rate[UNITS_TEXT_MAX] = "-";
        if (pairs[i].totals.goodput.lack == GOODPUT_THERE_IS)
            units_rate(pairs[i].totals.goodput.bps, rate);
        at += sprintf(at, "%s%s to %s %s", i ? "; " : "", pairs[i].src, pairs[i].dst, rate);
    }
    if (count > 1)
        paragraph_print(out, "%s", text);
}

/* The kernel counts every segment, the ledger bytes of payload: one may have what the other lacks.
 */
static void print_bare_retransmits(const struct run_summary *run, FILE *out)
{
    uint64_t segments = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct ledger *ledger = &run->flows[i].flow.ledger;
        if (ledger->state == LEDGER_RECONCILES && !ledger->retransmitted)
            segments += run->flows[i].retransmits.value;
    }
    if (segments)
        paragraph_print(out, "%" PRIu64 " of the retransmits had no data in them: SYN or FIN",
                        segments);
}

/* Share of goodput by which the receive rate is another; 0: by 5 % at most, or one is not known. */
static double apart(const struct flow_summary *flow)
{
    if (flow->goodput.lack || flow->receive.lack || flow->goodput.bps <= 0)
        return 0;
    const double share = fabs(flow->receive.bps / flow->goodput.bps - 1);
    return share > RECEIVE_APART ? share : 0;
}

/* The flow was slower, or faster, before that sample than behind it. */
static void print_receive_rates(const struct run_summary *run, FILE *out)
{
    const struct flow_summary *most = NULL;
    char receive[UNITS_TEXT_MAX], goodput[UNITS_TEXT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        count += apart(flow) > 0;
        if (apart(flow) > (most ? apart(most) : 0))
            most = flow;
    }
    if (most)
        paragraph_print(out,
                        "receive rate (counted from the receiver's first data, not from the "
                        "sender's first write) differs from goodput by over 5 %% in %zu flow%s; "
                        "most in flow %" PRId32 ": %s, goodput %s",
                        count, plural(count), most->flow.id, units_rate(most->receive.bps, receive),
                        units_rate(most->goodput.bps, goodput));
}

/* Against the world's time, which no figure here depends on. */
static void describe_discipline(char *out, size_t size, const struct clock_discipline *clock)
{
    if (clock->known && clock->synchronized)
        snprintf(out, size, "; wall clock synchronized, within %.1f ms of UTC",
                 (double)clock->max_error_ns / 1e6);
    else
        snprintf(out, size, "%s", clock->known ? "; wall clock not synchronized" : "");
}

static void print_agents(const struct run_info *run, FILE *out)
{
    char discipline[96], name[HOST_NAMES_MAX];
    for (size_t i = 0; i < run->agent_count; i++) {
        const struct run_agent *agent = &run->agents[i];
        if (agent->clock.exchanges == 0) /* never measured */
            continue;
        describe_discipline(discipline, sizeof discipline, &agent->clock_before);
        paragraph_print(out, "clock of %s: times are right to %.1f us (rate %+.2f ppm, by %s%s)%s",
                        host_names_of_agent(run, i, name), (double)agent->clock.error_ns / 1e3,
                        agent->clock.rate * 1e6, clock_method_name(agent->clock.method),
                        strcmp(agent->clock_network, "test") == 0 ? " over the test network" : "",
                        discipline);
    }
}

static void print_hosts(const struct run_info *run, FILE *out)
{
    char name[HOST_NAMES_MAX];
    for (size_t i = 0; i < run->agent_count; i++) {
        if (run->agents[i].host.count == 0)
            continue;
        char *text = host_text(&run->agents[i].host);
        paragraph_print(out, "machine of %s: %s", host_names_of_agent(run, i, name),
                        text ? text : "-");
        free(text);
    }
}

static void print_warnings(const struct run_summary *run, FILE *out)
{
    struct warnings warnings = {0};
    warnings_of(&warnings, run);
    for (size_t i = 0; i < warnings.count; i++)
        paragraph_print(out, "warning: %s", warnings.texts[i]);
    if (warnings.incomplete)
        paragraph_print(out, "warning: there are more warnings, but no memory for them");
    warnings_fini(&warnings);
}

static void print_warmup(const struct run_summary *run, FILE *out)
{
    char text[DURATION_TEXT_MAX];
    if (run->warmup_ns > 0)
        fprintf(out, "the first %s of each flow's data are not in the figures\n",
                duration_format(run->warmup_ns, text));
}

static void run_text(const struct summary *summary, FILE *out, size_t max_flows, const char *how)
{
    const struct run_summary *run = &summary->runs[0];
    size_t rows = max_flows && max_flows < run->flow_count ? max_flows : run->flow_count;
    if (run->run.label && run->run.label[0])
        paragraph_print(out, "run: %s", run->run.label);
    print_flows(run, rows, how, out);
    fprintf(out, "\n");
    print_totals(run, out);
    print_pairs(run, out);
    trouble_text(summary, out);
    print_receive_rates(run, out);
    print_bare_retransmits(run, out);
    print_warmup(run, out);
    print_agents(&run->run, out);
    print_hosts(&run->run, out);
    print_warnings(run, out);
}

void summary_text(const struct summary *summary, FILE *out, size_t max_flows, const char *how)
{
    if (summary->run_count == 1)
        run_text(summary, out, max_flows, how);
    else
        repeats_text(summary, out, max_flows, how);
}
