/* The summary for people: a table, then totals, clocks and warnings. */
#include <inttypes.h>
#include <string.h>

#include "report/summary.h"
#include "util/units.h"

#define COLUMNS  10
#define CELL_MAX 72

struct row {
    char cell[COLUMNS][CELL_MAX];
};

static const char *const head[COLUMNS] = {"flow",        "src",   "dst", "goodput", "RTT mean",
                                          "retransmits", "ccalg", "ecn", "nodelay", "status"};

/* What a file says goes to a terminal: control characters must not. */
static char *tame(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return text;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- cells ---- */

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

static void fill_row(struct row *row, const struct flow_summary *summary)
{
    const struct flow_result *flow = &summary->flow;
    const struct end_report *src = &flow->report[END_SRC];
    bool known = flow->has_report[END_SRC] && flow->report[END_SRC].ccalg[0];
    char(*cell)[CELL_MAX] = row->cell;
    snprintf(*cell++, CELL_MAX, "%" PRId32, flow->id);
    snprintf(*cell++, CELL_MAX, "%s", flow->src);
    snprintf(*cell++, CELL_MAX, "%s", flow->dst);
    units_rate(summary->has_goodput ? summary->goodput_bps : -1, *cell++);
    print_ms(*cell++, summary->has_rtt, summary->rtt_mean_ns);
    if (summary->has_retransmits)
        snprintf(*cell++, CELL_MAX, "%" PRIu64, summary->retransmits);
    else
        snprintf(*cell++, CELL_MAX, "-");
    print_option(*cell++, flow->ccalg[0] ? flow->ccalg : "default", known ? src->ccalg : "?");
    print_switch(*cell++, flow->ecn, known, src->ecn);
    print_switch(*cell++, flow->nodelay, known, src->nodelay);
    snprintf(*cell, CELL_MAX, "%s", status_text(flow->status));
    for (size_t i = 0; i < COLUMNS; i++)
        tame(row->cell[i]);
}

/* ---- the table: its rows are made twice, to measure and to print ---- */

/* Characters of UTF-8: bytes that do not go on with one. */
static int width(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static void widen(int widths[COLUMNS], size_t column, const char *text)
{
    int wide = width(text);
    widths[column] = wide > widths[column] ? wide : widths[column];
}

static void print_cell(FILE *out, const char *text, int wide)
{
    fprintf(out, "%s%*s", text, wide - width(text) + 2, "");
}

static void print_table(const struct summary *summary, size_t rows, FILE *out)
{
    int widths[COLUMNS] = {0};
    struct row row;
    for (size_t i = 0; i < COLUMNS; i++)
        widen(widths, i, head[i]);
    for (size_t n = 0; n < rows; n++) {
        fill_row(&row, &summary->flows[n]);
        for (size_t i = 0; i < COLUMNS; i++)
            widen(widths, i, row.cell[i]);
    }
    for (size_t i = 0; i + 1 < COLUMNS; i++)
        print_cell(out, head[i], widths[i]);
    fprintf(out, "%s\n", head[COLUMNS - 1]);
    for (size_t n = 0; n < rows; n++) {
        char error[sizeof summary->flows[n].flow.error];
        memcpy(error, summary->flows[n].flow.error, sizeof error);
        fill_row(&row, &summary->flows[n]);
        for (size_t i = 0; i + 1 < COLUMNS; i++)
            print_cell(out, row.cell[i], widths[i]);
        fprintf(out, "%s%s%s\n", row.cell[COLUMNS - 1], error[0] ? ": " : "", tame(error));
    }
    if (rows < summary->flow_count)
        fprintf(out, "... and %zu more flow%s\n", summary->flow_count - rows,
                plural(summary->flow_count - rows));
}

/* ---- below the table ---- */

static void print_totals(const struct summary *summary, FILE *out)
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

static void print_tame(FILE *out, const char *text)
{
    for (; text && *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

static void print_agents(const struct run_info *run, FILE *out)
{
    for (size_t i = 0; i < run->agent_count; i++) {
        const struct run_agent *agent = &run->agents[i];
        if (agent->clock.exchanges == 0) /* never measured */
            continue;
        fprintf(out, "clock of agent ");
        print_tame(out, agent->mgmt);
        fprintf(out, ": times are right to %.1f us (rate %+.2f ppm)\n",
                (double)agent->clock.error_ns / 1e3, agent->clock.rate * 1e6);
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
        print_tame(out, run->agents[i].mgmt);
        fprintf(out, " was lost: ");
        print_tame(out, run->agents[i].lost);
        fprintf(out, "\n");
    }
    for (size_t i = 0; i < run->warning_count; i++) {
        fprintf(out, "warning: ");
        print_tame(out, run->warnings[i]);
        fprintf(out, "\n");
    }
}

void summary_text(const struct summary *summary, FILE *out, size_t max_flows)
{
    size_t rows = max_flows && max_flows < summary->flow_count ? max_flows : summary->flow_count;
    print_table(summary, rows, out);
    fprintf(out, "\n");
    print_totals(summary, out);
    print_agents(&summary->run, out);
    print_warnings(&summary->run, out);
}
