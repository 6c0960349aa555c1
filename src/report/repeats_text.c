/* Several runs: a row a flow, with medians and spreads; then totals, and the worst that was said of
 * any run's clocks and machines, and each warning once. */
#include "report/repeats_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/host_names.h"
#include "report/host_figures.h"
#include "report/paragraph.h"
#include "report/run_sets.h"
#include "report/settings.h"
#include "report/table.h"
#include "report/trouble.h"
#include "report/warnings.h"
#include "util/cleanup.h"
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

/* Some flow is in several runs. */
static bool has_spreads(const struct summary *summary)
{
    for (size_t i = 0; i < summary->repeat_count; i++)
        if (summary->repeats[i].runs > 1)
            return true;
    return false;
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
    if (stats->count < 2) {
        snprintf(out, CELL_MAX, "-");
        return;
    }
    print(quartiles ? stats->quartile_1 : stats->min, low);
    print(quartiles ? stats->quartile_3 : stats->max, high);
    print(stats->median, median);
    drop_unit(low, strncmp(low, "0 ", 2) == 0 ? low : high);
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
    bool differs[SETTINGS], labels, marks, sets, spreads;
};

/* The columns of a row, one behind the other. */
static char *next_cell(struct table_row *row, size_t *column)
{
    row->cells[*column] = row->room[*column];
    return row->room[(*column)++];
}

static void fill_figure(const struct view *view, struct table_row *row, size_t *column,
                        const struct stats *stats, print_figure *print)
{
    print_median(next_cell(row, column), stats, print);
    if (view->spreads)
        print_spread(next_cell(row, column), stats, has_quartiles(view->summary), print);
}

static void fill_row(const void *of, size_t index, struct table_row *row)
{
    const struct view *view = of;
    const struct flow_repeats *flow = &view->summary->repeats[index];
    size_t column = 0;
    if (view->sets)
        snprintf(next_cell(row, &column), CELL_MAX, "%zu", flow->first->set + 1);
    snprintf(next_cell(row, &column), CELL_MAX, "%" PRId32, flow->first->flow.id);
    if (view->labels)
        label_text(&flow->first->flow, next_cell(row, &column));
    row->cells[column++] = flow->first->flow.src;
    row->cells[column++] = flow->first->flow.dst;
    print_median(next_cell(row, &column), &flow->goodput_bps,
                 flow->doubtful ? print_doubtful : print_rate);
    if (view->spreads)
        print_spread(next_cell(row, &column), &flow->goodput_bps, has_quartiles(view->summary),
                     print_rate);
    fill_figure(view, row, &column, &flow->rtt_mean_ns, print_rtt);
    fill_figure(view, row, &column, &flow->retransmits, print_count);
    if (view->marks)
        print_median(next_cell(row, &column), &flow->ce_marks, print_count);
    for (int s = 0; s < SETTINGS; s++)
        if (view->differs[s])
            setting_text((enum setting)s, &flow->first->flow, next_cell(row, &column));
    print_limit(next_cell(row, &column), flow);
    print_done(next_cell(row, &column), flow);
}

static const struct flow_result *flow_of(const void *of, size_t index)
{
    const struct summary *summary = of;
    return &summary->repeats[index].first->flow;
}

static void add_head(struct table *table, const char *head, unsigned char rank)
{
    table->rank[table->columns] = rank;
    table->head[table->columns++] = head;
}

static void add_spread(struct table *table, const struct view *view, unsigned char rank)
{
    if (view->spreads)
        add_head(table, spread_name(view->summary), rank);
}

static void add_heads(struct table *table, const struct view *view)
{
    if (view->sets)
        add_head(table, "set", 0);
    add_head(table, "flow", 0);
    if (view->labels) {
        table->yielding = 1U << table->columns;
        add_head(table, "label", 1);
    }
    add_head(table, "src", 0);
    add_head(table, "dst", 0);
    add_head(table, "goodput", 0);
    add_spread(table, view, 1);
    add_head(table, "RTT", 1);
    add_spread(table, view, 3);
    add_head(table, "retr", 1);
    add_spread(table, view, 3);
    if (view->marks)
        add_head(table, "CE", 0);
    for (int s = 0; s < SETTINGS; s++)
        if (view->differs[s])
            add_head(table, setting_names[s], s == SETTING_CCALG ? 0 : 2);
    add_head(table, "limit", 0);
    add_head(table, "done", 0);
}

static void print_flows(const struct summary *summary, size_t rows, const char *how, FILE *out)
{
    const size_t more = summary->repeat_count - rows;
    struct view view = {
        .summary = summary, .sets = summary->set_count > 1, .spreads = has_spreads(summary)};
    struct table table = {.rows = rows, .fill = fill_row, .of = &view};
    settings_print(flow_of, summary, summary->repeat_count, view.differs, out);
    for (size_t i = 0; i < summary->repeat_count; i++) {
        view.labels |= summary->repeats[i].first->flow.label[0] != '\0';
        view.marks |= summary->repeats[i].ce_marks.count && summary->repeats[i].ce_marks.max > 0;
    }
    add_heads(&table, &view);
    table_print(&table, out);
    if (more)
        paragraph_print(out, "... and %zu more flow%s: %s", more, more == 1 ? "" : "s", how);
}

/* ---- below the table ---- */

/* "; the flows of a run together 19.1 Mbit/s (16.5..19.2) in 2 of 3 runs" */
static void describe_together(const struct summary *summary, char *out, size_t size)
{
    char rate[CELL_MAX], spread[CELL_MAX], some[64] = "";
    const struct stats *stats = &summary->together_bps;
    *out = '\0';
    if (stats->count == 0 || summary->unlike)
        return;
    print_median(rate, stats, print_rate);
    print_spread(spread, stats, has_quartiles(summary), print_rate);
    if (stats->count < summary->run_count)
        snprintf(some, sizeof some, " in %zu of %zu runs", stats->count, summary->run_count);
    snprintf(out, size, "; the flows of a run together %.31s (%.63s)%s", rate, spread, some);
    if (stats->count == 1)
        snprintf(out, size, "; the flows of a run together %.31s%s", rate, some);
}

/* Flows of unlike runs are not the same ones: there they are counted in all. */
static void describe_runs(const struct summary *summary, char *out, size_t size)
{
    const bool alike = !summary->unlike && summary->set_count < 2;
    const size_t flows = alike ? summary->repeat_count : summary->flow_count;
    char sets[32] = "";
    if (summary->set_count > 1)
        snprintf(sets, sizeof sets, " in %zu sets", summary->set_count);
    snprintf(out, size, "%zu runs%s%s %zu flow%s%s", summary->run_count, sets, alike ? " of" : ",",
             flows, alike ? "" : " run", flows == 1 ? "" : "s");
}

static void print_totals(const struct summary *summary, FILE *out)
{
    char counts[96] = "", runs[112], together[192];
    if (summary->complete + summary->partial + summary->failed > 0)
        snprintf(counts, sizeof counts, ": %zu complete, %zu partial, %zu failed",
                 summary->complete, summary->partial, summary->failed);
    describe_runs(summary, runs, sizeof runs);
    describe_together(summary, together, sizeof together);
    paragraph_print(out, "%s%s%s", runs, counts, together);
    if (has_spreads(summary))
        paragraph_print(out, "figures are %s of the runs that have the flow, with their %s",
                        summary->run_count < MEDIAN_MIN ? "means" : "medians",
                        spread_name(summary));
}

/* Of the flows whose figure is of fewer runs than have the flow, the first, and how many more. */
static void list_lacking(const struct summary *summary, size_t place, const char *name, FILE *out)
{
    const struct flow_repeats *first = NULL;
    size_t count = 0, of = 0;
    for (size_t i = 0; i < summary->repeat_count; i++) {
        const struct flow_repeats *flow = &summary->repeats[i];
        const struct stats *const stats[] = {&flow->goodput_bps, &flow->rtt_mean_ns,
                                             &flow->retransmits, &flow->ce_marks};
        if (stats[place]->count == 0 || stats[place]->count >= flow->runs)
            continue;
        if (count++ == 0) {
            first = flow;
            of = stats[place]->count;
        }
    }
    if (!first)
        return;
    fprintf(out, "%s%s of %zu of %zu runs in flow %" PRId32, ftell(out) > 0 ? "; " : "", name, of,
            first->runs, first->first->flow.id);
    if (count > 1)
        fprintf(out, " (and so in %zu more)", count - 1);
}

/* Medians that not all runs are in. */
static void print_lacking(const struct summary *summary, FILE *out)
{
    static const char *const names[] = {"goodput", "RTT", "retransmits", "CE marks"};
    char *text = NULL;
    size_t size;
    FILE *list = open_memstream(&text, &size);
    for (size_t i = 0; list && i < COUNT_OF(names); i++)
        list_lacking(summary, i, names[i], list);
    if (list)
        fclose(list);
    if (text && *text)
        paragraph_print(out, "not known of all runs: %s", text);
    free(text);
}

/* Under what conditions the runs were made, where that is not one. */
static void print_sets(const struct summary *summary, FILE *out)
{
    for (size_t set = 0; summary->set_count > 1 && set < summary->set_count; set++) {
        char *runs = run_sets_runs(summary, set);
        char *differs = set ? run_sets_difference(summary, set) : NULL;
        paragraph_print(out, "set %zu: %s%s%s", set + 1, runs ? runs : "",
                        differs ? "; differs from set 1: " : "", differs ? differs : "");
        free(runs);
        free(differs);
    }
    if (summary->set_count > 1)
        paragraph_print(out, "(sets were run under different conditions, and stay apart unless "
                             "summary has --pool)");
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

#define NAME_SIZE (HOST_NAMES_MAX + 128)

/* As the first run that has it calls it.  Other scenarios may call others so. */
static char *name_agent(const struct summary *summary, const char *mgmt, char out[NAME_SIZE])
{
    const struct run_agent *agent = NULL;
    size_t r = 0;
    while (!(agent = find_agent(summary, r, mgmt)))
        r++;
    const struct run_info *run = &summary->runs[r].run;
    host_names_of_agent(run, (size_t)(agent - run->agents), out);
    const size_t used = strlen(out);
    if (summary->unlike)
        snprintf(out + used, NAME_SIZE - used, " (agent %s)", mgmt);
    return out;
}

/* The worst bound of all runs. */
static void print_clock(const struct summary *summary, const char *mgmt, FILE *out)
{
    int64_t worst_ns = -1;
    char name[NAME_SIZE];
    for (size_t r = 0; r < summary->run_count; r++) {
        const struct run_agent *agent = find_agent(summary, r, mgmt);
        if (agent && agent->clock.exchanges && agent->clock.error_ns > worst_ns)
            worst_ns = agent->clock.error_ns;
    }
    if (worst_ns >= 0)
        paragraph_print(out, "clock of %s: times are right to %.1f us",
                        name_agent(summary, mgmt, name), (double)worst_ns / 1e3);
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
    char *text = busiest ? host_text(&busiest->host) : NULL, drops[64] = "", name[NAME_SIZE];
    if (dropping)
        snprintf(drops, sizeof drops, "; it dropped packets in %zu run%s", dropping,
                 dropping == 1 ? "" : "s");
    if (text)
        paragraph_print(out, "machine of %s: at its busiest, in run %zu: %s%s",
                        name_agent(summary, mgmt, name), at + 1, text, drops);
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

void repeats_text(const struct summary *summary, FILE *out, size_t max_flows, const char *how)
{
    bool all = max_flows == 0 || max_flows > summary->repeat_count;
    print_labels(summary, out);
    print_flows(summary, all ? summary->repeat_count : max_flows, how, out);
    fprintf(out, "\n");
    print_totals(summary, out);
    print_lacking(summary, out);
    print_sets(summary, out);
    trouble_text(summary, out);
    print_warmups(summary, out);
    print_agents(summary, out, print_clock);
    print_agents(summary, out, print_machine);
    const bool apart = summary->set_count > 1; /* which is told of each set */
    if (summary->unlike && !apart)
        paragraph_print(out, "warning: these are not runs of one scenario");
    if (summary->split && !apart)
        paragraph_print(out, "warning: flows of one id have other hosts, ccalg or ecn in other "
                             "runs: they are told apart, each with the runs that have it");
    print_warnings(summary, out);
}
