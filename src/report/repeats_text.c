/* Several runs: a row a flow, with medians and spreads; then totals, and the worst that was said of
 * any run's clocks, and each warning once. */
#include "report/repeats_text.h"

#include <inttypes.h>
#include <string.h>

#include "report/table.h"
#include "util/duration.h"
#include "util/units.h"

#define COLUMNS       10
#define CELL_MAX      TABLE_CELL_MAX
#define QUARTILES_MIN 4 /* runs; of fewer the spread is from the least to the most */

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

static void print_ms(double value, char out[UNITS_TEXT_MAX])
{
    snprintf(out, UNITS_TEXT_MAX, "%.3f ms", value / 1e6);
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

/* "9.38..9.44 Gbit/s": a unit that both have is said once. */
static void print_spread(char out[CELL_MAX], const struct stats *stats, bool quartiles,
                         print_figure *print)
{
    char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];
    if (stats->count == 0) {
        snprintf(out, CELL_MAX, "-");
        return;
    }
    print(quartiles ? stats->quartile_1 : stats->min, low);
    print(quartiles ? stats->quartile_3 : stats->max, high);
    char *unit = strchr(low, ' ');
    const char *other = strchr(high, ' ');
    if (unit && other && strcmp(unit, other) == 0)
        *unit = '\0';
    snprintf(out, CELL_MAX, "%s..%s", low, high);
}

static void append(char out[CELL_MAX], size_t count, const char *what)
{
    size_t used = strlen(out);
    if (count)
        snprintf(out + used, CELL_MAX - used, "%s%zu %s", used ? ", " : "", count, what);
}

static void print_status(char out[CELL_MAX], const struct flow_repeats *flow)
{
    out[0] = '\0';
    append(out, flow->complete, "complete");
    append(out, flow->partial, "partial");
    append(out, flow->failed, "failed");
    append(out, flow->runs - flow->complete - flow->partial - flow->failed, "unknown");
    size_t used = strlen(out);
    if (flow->trouble && flow->trouble->flow.error[0])
        snprintf(out + used, CELL_MAX - used, ": run %zu: %s", flow->trouble->run + 1,
                 flow->trouble->flow.error);
}

static void fill_row(const void *of, size_t index, struct table_row *row)
{
    const struct summary *summary = of;
    const struct flow_repeats *flow = &summary->repeats[index];
    bool quartiles = has_quartiles(summary);
    char(*room)[CELL_MAX] = row->room;
    for (size_t i = 0; i < COLUMNS; i++)
        row->cells[i] = row->room[i];
    snprintf(room[0], CELL_MAX, "%" PRId32, flow->first->flow.id);
    row->cells[1] = flow->first->flow.src;
    row->cells[2] = flow->first->flow.dst;
    print_median(room[3], &flow->goodput_bps, print_rate);
    print_spread(room[4], &flow->goodput_bps, quartiles, print_rate);
    print_median(room[5], &flow->rtt_mean_ns, print_ms);
    print_spread(room[6], &flow->rtt_mean_ns, quartiles, print_ms);
    print_median(room[7], &flow->retransmits, print_count);
    print_spread(room[8], &flow->retransmits, quartiles, print_count);
    print_status(room[9], flow);
}

static void print_flows(const struct summary *summary, size_t rows, FILE *out)
{
    const char *spread = spread_name(summary);
    const struct table table = {rows,
                                COLUMNS,
                                {"flow", "src", "dst", "goodput", spread, "RTT mean", spread,
                                 "retransmits", spread, "status"},
                                fill_row,
                                summary};
    size_t more = summary->repeat_count - rows;
    table_print(&table, out);
    if (more)
        fprintf(out, "... and %zu more flow%s\n", more, more == 1 ? "" : "s");
}

/* ---- below the table ---- */

static void print_totals(const struct summary *summary, FILE *out)
{
    char sum[CELL_MAX], spread[CELL_MAX];
    fprintf(out, "%zu runs of %zu flow%s", summary->run_count, summary->repeat_count,
            summary->repeat_count == 1 ? "" : "s");
    if (summary->complete + summary->partial + summary->failed > 0)
        fprintf(out, ": %zu complete, %zu partial, %zu failed", summary->complete, summary->partial,
                summary->failed);
    print_median(sum, &summary->goodput_sum_bps, print_rate);
    print_spread(spread, &summary->goodput_sum_bps, has_quartiles(summary), print_rate);
    fprintf(out, "; goodputs of a run add up to %s", sum);
    if (summary->goodput_sum_bps.count)
        fprintf(out, " (%s)", spread);
    fputc('\n', out);
    fprintf(out, "figures are medians of the runs, with their %s\n", spread_name(summary));
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

/* The worst bound of the agent's runs; -1: its clock was never measured. */
static int64_t worst_clock_ns(const struct summary *summary, const char *mgmt)
{
    int64_t worst_ns = -1;
    for (size_t r = 0; r < summary->run_count; r++) {
        const struct run_info *run = &summary->runs[r].run;
        for (size_t i = 0; i < run->agent_count; i++) {
            const struct run_agent *agent = &run->agents[i];
            if (agent->clock.exchanges && agent->clock.error_ns > worst_ns &&
                strcmp(agent->mgmt, mgmt) == 0)
                worst_ns = agent->clock.error_ns;
        }
    }
    return worst_ns;
}

/* Repeats have the same agents. */
static void print_clocks(const struct summary *summary, FILE *out)
{
    const struct run_info *first = &summary->runs[0].run;
    for (size_t i = 0; i < first->agent_count; i++) {
        int64_t error_ns = worst_clock_ns(summary, first->agents[i].mgmt);
        if (error_ns < 0)
            continue;
        fprintf(out, "clock of agent ");
        table_tame(out, first->agents[i].mgmt);
        fprintf(out, ": times are right to %.1f us\n", (double)error_ns / 1e3);
    }
}

static bool warns(const struct run_summary *run, const char *text)
{
    for (size_t i = 0; i < run->run.warning_count; i++)
        if (strcmp(run->run.warnings[i], text) == 0)
            return true;
    return false;
}

/* A warning that an earlier run had was told there. */
static void print_warning(const struct summary *summary, size_t first, const char *text, FILE *out)
{
    size_t runs = 0;
    for (size_t r = 0; r < first; r++)
        if (warns(&summary->runs[r], text))
            return;
    for (size_t r = first; r < summary->run_count; r++)
        runs += warns(&summary->runs[r], text);
    fprintf(out, "warning: ");
    if (runs == 1)
        fprintf(out, "run %zu: ", first + 1);
    table_tame(out, text);
    if (runs > 1 && runs < summary->run_count)
        fprintf(out, " (in %zu of %zu runs)", runs, summary->run_count);
    fprintf(out, "\n");
}

static void print_run_warnings(const struct summary *summary, size_t index, FILE *out)
{
    const struct run_info *run = &summary->runs[index].run;
    if (run->interrupted)
        fprintf(out, "warning: run %zu was interrupted\n", index + 1);
    for (size_t i = 0; i < run->agent_count; i++) {
        if (!run->agents[i].lost || !run->agents[i].lost[0])
            continue;
        fprintf(out, "warning: run %zu: agent ", index + 1);
        table_tame(out, run->agents[i].mgmt);
        fprintf(out, " was lost: ");
        table_tame(out, run->agents[i].lost);
        fprintf(out, "\n");
    }
    for (size_t i = 0; i < run->warning_count; i++)
        print_warning(summary, index, run->warnings[i], out);
}

void repeats_text(const struct summary *summary, FILE *out, size_t max_flows)
{
    bool all = max_flows == 0 || max_flows > summary->repeat_count;
    print_flows(summary, all ? summary->repeat_count : max_flows, out);
    fprintf(out, "\n");
    print_totals(summary, out);
    print_warmups(summary, out);
    print_clocks(summary, out);
    if (summary->unlike)
        fprintf(out, "warning: these are not runs of one scenario\n");
    for (size_t r = 0; r < summary->run_count; r++)
        print_run_warnings(summary, r, out);
}
