/* Several runs: a row a flow, with medians and spreads; then totals, and the worst that was said of
 * any run's clocks and machines, and each warning once. */
#include "report/repeats_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/host_figures.h"
#include "report/paragraph.h"
#include "report/settings.h"
#include "report/table.h"
#include "report/trouble.h"
#include "report/warnings.h"
#include "util/duration.h"
#include "util/units.h"

#define CELL_MAX      TABLE_CELL_MAX
#define MEDIAN_MIN    3  /* runs; of two the middle is their mean */
#define QUARTILES_MIN 4  /* runs; of fewer the spread is from the least to the most */
#define WARNINGS_MAX  30 /* that are told */

static bool has_quartiles(const struct summary *summary)
{
    return summary->run_count >= QUARTILES_MIN;
}

static const char *spread_name(const struct summary *summary)
{
    return has_quartiles(summary) ? "quartiles" : "min..max";
}

/* ---- cells ---- */

/* A figure with its unit. */
typedef void print_figure(double value, char out[UNITS_TEXT_MAX]);

static void print_rate(double value, char out[UNITS_TEXT_MAX])
{
    units_rate(value, out);
}

static void print_doubtful(double value, char out[UNITS_TEXT_MAX])
{
    char rate[UNITS_TEXT_MAX];
    snprintf(out, UNITS_TEXT_MAX, "~%.30s", units_rate(value, rate));
}

/* Three digits, as rates have. */
static void print_rtt(double ns, char out[UNITS_TEXT_MAX])
{
    const bool small = ns < 1e6;
    const double value = ns / (small ? 1e3 : 1e6);
    snprintf(out, UNITS_TEXT_MAX, "%.*f %s",
             value < 10    ? 2
             : value < 100 ? 1
                           : 0,
             value, small ? "us" : "ms");
}

static void print_count(double value, char out[UNITS_TEXT_MAX])
{
    snprintf(out, UNITS_TEXT_MAX, "%.10g", value);
}

static void print_median(char out[CELL_MAX], const struct stats *stats, print_figure *print)
{
    char text[UNITS_TEXT_MAX] = "-";
    if (stats->count)
        print(stats->median, text);
    snprintf(out, CELL_MAX, "%s", text);
}

/* Takes the unit off a figure that has the other's. */
static void drop_unit(char *figure, const char *other)
{
    char *unit = strchr(figure, ' ');
    const char *same = strchr(other, ' ');
    if (unit && same && strcmp(unit, same) == 0)
        *unit = '\0';
}

/* "9.38..9.44", with a unit where it is not the median's. */
static void print_spread(char out[CELL_MAX], const struct stats *stats, bool quartiles,
                         print_figure *print)
{
    char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX], median[UNITS_TEXT_MAX];
    if (stats->count == 0) {
        snprintf(out, CELL_MAX, "-");
        return;
    }
    print(quartiles ? stats->quartile_1 : stats->min, low);
    print(quartiles ? stats->quartile_3 : stats->max, high);
    print(stats->median, median);
    drop_unit(low, high);
    if (!strchr(low, ' '))
        drop_unit(high, median);
    snprintf(out, CELL_MAX, "%s..%s", low, high);
}

/* The verdict of most runs. */
static void print_limit(char out[CELL_MAX], const struct flow_repeats *flow)
{
    size_t most = 0;
    for (size_t limit = 0; limit < LIMITS; limit++)
        most = flow->limits[limit] > flow->limits[most] ? limit : most;
    const char *text = limit_text((enum limit)most);
    if (flow->limits[most] == flow->runs)
        snprintf(out, CELL_MAX, "%s", text);
    else
        snprintf(out, CELL_MAX, "%s %zu/%zu", text, flow->limits[most], flow->runs);
}

static void print_done(char out[CELL_MAX], const struct flow_repeats *flow)
{
    if (flow->complete + flow->partial + flow->failed == 0)
        snprintf(out, CELL_MAX, "-"); /* not known */
    else
        snprintf(out, CELL_MAX, "%zu/%zu", flow->complete, flow->runs);
}

/* ---- the table ---- */

struct view {
    const struct summary *summary;
    bool differs[SETTINGS], marks;
};

/* Spreads of RTT and retransmits, where there is no room for them. */
#define SPREADS (1U << 6 | 1U << 8)

#define ALWAYS 9 /* columns; behind them are those that there may be, and then two more */

static void fill_row(const void *of, size_t index, struct table_row *row)
{
    const struct view *view = of;
    const struct flow_repeats *flow = &view->summary->repeats[index];
    const bool quartiles = has_quartiles(view->summary);
    char(*room)[CELL_MAX] = row->room;
    for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
        row->cells[i] = row->room[i];
    snprintf(room[0], CELL_MAX, "%" PRId32, flow->first->flow.id);
    row->cells[1] = flow->first->flow.src;
    row->cells[2] = flow->first->flow.dst;
    print_median(room[3], &flow->goodput_bps, flow->doubtful ? print_doubtful : print_rate);
    print_spread(room[4], &flow->goodput_bps, quartiles, print_rate);
    print_median(room[5], &flow->rtt_mean_ns, print_rtt);
    print_spread(room[6], &flow->rtt_mean_ns, quartiles, print_rtt);
    print_median(room[7], &flow->retransmits, print_count);
    print_spread(room[8], &flow->retransmits, quartiles, print_count);
    room += ALWAYS;
    if (view->marks)
        print_median(*room++, &flow->ce_marks, print_count);
    for (int s = 0; s < SETTINGS; s++)
        if (view->differs[s])
            setting_text((enum setting)s, &flow->first->flow, *room++);
    print_limit(*room++, flow);
    print_done(*room, flow);
}

static const struct flow_result *flow_of(const void *of, size_t index)
{
    const struct summary *summary = of;
    return &summary->repeats[index].first->flow;
}

static void print_flows(const struct summary *summary, size_t rows, FILE *out)
{
    const char *spread = spread_name(summary);
    const size_t more = summary->repeat_count - rows;
    struct view view = {.summary = summary};
    settings_print(flow_of, summary, summary->repeat_count, view.differs, out);
    for (size_t i = 0; i < summary->repeat_count; i++)
        view.marks |= summary->repeats[i].ce_marks.count && summary->repeats[i].ce_marks.max > 0;
    struct table table = {
        .rows = rows,
        .columns = ALWAYS,
        .head = {"flow", "src", "dst", "goodput", spread, "RTT", spread, "retr", spread},
        .fill = fill_row,
        .of = &view,
        .expendable = SPREADS};
    if (view.marks)
        table.head[table.columns++] = "CE";
    for (int s = 0; s < SETTINGS; s++)
        if (view.differs[s])
            table.head[table.columns++] = setting_names[s];
    table.head[table.columns++] = "limit";
    table.head[table.columns++] = "done";
    if (table_print(&table, out))
        fprintf(out, "(for want of room without some of the %s: summary --json has them all)\n",
                has_quartiles(summary) ? "quartiles" : "ranges");
    if (more)
        fprintf(out, "... and %zu more flow%s\n", more, more == 1 ? "" : "s");
}

/* ---- below the table ---- */

static void print_totals(const struct summary *summary, FILE *out)
{
    char counts[96] = "", rate[CELL_MAX], spread[CELL_MAX], text[160] = "";
    if (summary->complete + summary->partial + summary->failed > 0)
        snprintf(counts, sizeof counts, ": %zu complete, %zu partial, %zu failed",
                 summary->complete, summary->partial, summary->failed);
    print_median(rate, &summary->together_bps, print_rate);
    print_spread(spread, &summary->together_bps, has_quartiles(summary), print_rate);
    if (summary->together_bps.count && !summary->unlike)
        snprintf(text, sizeof text, "; the flows of a run together %.31s (%.63s)", rate, spread);
    paragraph_print(out, "%zu runs%s %zu flow%s%s%s", summary->run_count,
                    summary->unlike ? ", in all" : " of", summary->repeat_count,
                    summary->repeat_count == 1 ? "" : "s", counts, text);
    paragraph_print(out, "figures are %s of the runs that have the flow, with their %s",
                    summary->run_count < MEDIAN_MIN ? "means" : "medians", spread_name(summary));
}

static void print_warmups(const struct summary *summary, FILE *out)
{
    int64_t least = INT64_MAX, most = 0;
    char texts[2][DURATION_TEXT_MAX];
    for (size_t r = 0; r < summary->run_count; r++) {
        int64_t warmup = summary->runs[r].warmup_ns;
        least = warmup < least ? warmup : least;
        most = warmup > most ? warmup : most;
    }
    if (most == 0)
        return;
    fprintf(out, "the first %s%s%s of each flow's data are not in the figures\n",
            least < most ? duration_format(least, texts[0]) : "", least < most ? " to " : "",
            duration_format(most, texts[1]));
}

/* ---- agents ---- */

/* Run r's part of the agent; NULL: it has none. */
static const struct run_agent *find_agent(const struct summary *summary, size_t r, const char *mgmt)
{
    const struct run_info *run = &summary->runs[r].run;
    for (size_t i = 0; i < run->agent_count; i++)
        if (mgmt && run->agents[i].mgmt && strcmp(run->agents[i].mgmt, mgmt) == 0)
            return &run->agents[i];
    return NULL;
}

/* The worst bound of all runs. */
static void print_clock(const struct summary *summary, const char *mgmt, FILE *out)
{
    int64_t worst_ns = -1;
    for (size_t r = 0; r < summary->run_count; r++) {
        const struct run_agent *agent = find_agent(summary, r, mgmt);
        if (agent && agent->clock.exchanges && agent->clock.error_ns > worst_ns)
            worst_ns = agent->clock.error_ns;
    }
    if (worst_ns >= 0)
        paragraph_print(out, "clock of agent %s: times are right to %.1f us", mgmt,
                        (double)worst_ns / 1e3);
}

/* The run in which it was busiest, and in how many packets were dropped. */
static void print_machine(const struct summary *summary, const char *mgmt, FILE *out)
{
    const struct run_agent *busiest = NULL;
    size_t at = 0, dropping = 0;
    for (size_t r = 0; r < summary->run_count; r++) {
        const struct run_agent *agent = find_agent(summary, r, mgmt);
        if (!agent || agent->host.count == 0)
            continue;
        dropping += host_drops(&agent->host) > 0;
        if (busiest && host_cpu(&agent->host).busy <= host_cpu(&busiest->host).busy)
            continue;
        busiest = agent;
        at = r;
    }
    char *text = busiest ? host_text(&busiest->host) : NULL, drops[64] = "";
    if (dropping)
        snprintf(drops, sizeof drops, "; it dropped packets in %zu run%s", dropping,
                 dropping == 1 ? "" : "s");
    if (text)
        paragraph_print(out, "machine of agent %s: at its busiest, in run %zu: %s%s", mgmt, at + 1,
                        text, drops);
    free(text);
}

static bool has_agent_before(const struct summary *summary, size_t run, const char *mgmt)
{
    for (size_t r = 0; r < run; r++)
        if (find_agent(summary, r, mgmt))
            return true;
    return false;
}

/* Each once, though mostly all runs have the same. */
static void print_agents(const struct summary *summary, FILE *out,
                         void (*print)(const struct summary *, const char *, FILE *))
{
    for (size_t r = 0; r < summary->run_count; r++) {
        const struct run_info *run = &summary->runs[r].run;
        for (size_t i = 0; i < run->agent_count; i++)
            if (!has_agent_before(summary, r, run->agents[i].mgmt))
                print(summary, run->agents[i].mgmt, out);
    }
}

/* ---- warnings ---- */

/* False: an earlier run had the warning, and it was told there. */
static bool is_new(const struct warnings *of_runs, size_t run, const char *text)
{
    for (size_t r = 0; r < run; r++)
        if (warnings_have_like(&of_runs[r], text))
            return false;
    return true;
}

static void print_warning(const struct warnings *of_runs, size_t count, size_t run,
                          const char *text, FILE *out)
{
    size_t runs = 0, same = 0;
    char only[48] = "", some[112] = "";
    for (size_t r = run; r < count; r++) {
        runs += warnings_have_like(&of_runs[r], text);
        same += warnings_have(&of_runs[r], text);
    }
    if (runs == 1)
        snprintf(only, sizeof only, "run %zu: ", run + 1);
    else if (same < runs)
        snprintf(some, sizeof some, " (in run %zu, and the like in %zu more of %zu)", run + 1,
                 runs - 1, count);
    else if (runs < count)
        snprintf(some, sizeof some, " (in %zu of %zu runs)", runs, count);
    paragraph_print(out, "warning: %s%s%s", only, text, some);
}

static void print_warnings(const struct summary *summary, FILE *out)
{
    struct warnings *of_runs = calloc(summary->run_count, sizeof *of_runs);
    size_t told = 0;
    for (size_t r = 0; of_runs && r < summary->run_count; r++)
        warnings_of(&of_runs[r], &summary->runs[r]);
    for (size_t r = 0; of_runs && r < summary->run_count; r++)
        for (size_t i = 0; i < of_runs[r].count; i++) {
            const char *text = of_runs[r].texts[i];
            if (is_new(of_runs, r, text) && told++ < WARNINGS_MAX)
                print_warning(of_runs, summary->run_count, r, text, out);
        }
    if (told > WARNINGS_MAX)
        paragraph_print(out, "... and %zu more warnings, which summary --json has",
                        told - WARNINGS_MAX);
    for (size_t r = 0; of_runs && r < summary->run_count; r++)
        warnings_fini(&of_runs[r]);
    free(of_runs);
}

static const char *label_of(const struct summary *summary, size_t run)
{
    const char *label = summary->runs[run].run.label;
    return label && label[0] ? label : "-";
}

static size_t runs_labelled(const struct summary *summary, size_t end, const char *label)
{
    size_t count = 0;
    for (size_t r = 0; r < end; r++)
        count += strcmp(label_of(summary, r), label) == 0;
    return count;
}

/* "run: label", or where there are several "runs: one (3), other (2)". */
static void print_labels(const struct summary *summary, FILE *out)
{
    const char *first = label_of(summary, 0);
    if (runs_labelled(summary, summary->run_count, first) == summary->run_count) {
        if (strcmp(first, "-") != 0)
            paragraph_print(out, "run: %s", first);
        return;
    }
    char *text = NULL;
    size_t size;
    FILE *list = open_memstream(&text, &size);
    for (size_t r = 0; list && r < summary->run_count; r++) {
        const char *label = label_of(summary, r);
        if (runs_labelled(summary, r, label) == 0)
            fprintf(list, "%s%s (%zu)", r ? ", " : "", label,
                    runs_labelled(summary, summary->run_count, label));
    }
    if (list)
        fclose(list);
    paragraph_print(out, "runs: %s", text ? text : "");
    free(text);
}

void repeats_text(const struct summary *summary, FILE *out, size_t max_flows)
{
    bool all = max_flows == 0 || max_flows > summary->repeat_count;
    print_labels(summary, out);
    print_flows(summary, all ? summary->repeat_count : max_flows, out);
    fprintf(out, "\n");
    print_totals(summary, out);
    trouble_text(summary, out);
    print_warmups(summary, out);
    print_agents(summary, out, print_clock);
    print_agents(summary, out, print_machine);
    if (summary->unlike)
        paragraph_print(out, "warning: these are not runs of one scenario");
    if (summary->split)
        paragraph_print(out, "warning: flows of one id have other hosts, ccalg or ecn in other "
                             "runs: they are told apart, each with the runs that have it");
    print_warnings(summary, out);
}
