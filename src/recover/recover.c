#include "recover/recover.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/results_writer.h"
#include "model/host_names.h"
#include "recover/spools.h"
#include "util/clock.h"
#include "util/version.h"

#define PIECE_ROWS 1024

/* ---- clocks ---- */

/* As if the run's axis were the master's clock: what the master found in the end, or what it had
 * told the agent at last; without either, the agent's own clock. */
static struct clock_fit fit_of(const struct recovered *r, uint32_t agent)
{
    if (agent < r->agent_count && r->run.agents[agent].clock.exchanges)
        return r->run.agents[agent].clock;
    if (agent >= r->agent_count || !r->agents[agent].has_axis)
        return (struct clock_fit){0};
    const struct axis *axis = &r->agents[agent].axis;
    return (struct clock_fit){
        .reference_ns = axis->local_ns,
        .offset_ns = axis->local_ns - axis->axis_ns,
        .rate = axis->rate / (1 + axis->rate),
    };
}

/* ---- a flow's samples ---- */

struct source {
    const struct recovered *r;
    uint32_t flow;
    size_t next[2], end[2]; /* pieces, by enum flow_end */
    struct series series;
    struct buffer record;
};

/* Reads records from *next on, as far as they fit together.  1: some, 0: none left. */
static int read_pieces(struct source *source, size_t *next, size_t end, struct error *err)
{
    struct series *series = &source->series;
    series_clear(series);
    while (*next < end && series->count < PIECE_ROWS) {
        const uint8_t *data;
        size_t size;
        int got = recovered_read(source->r, &source->r->pieces[*next], &source->record, &data,
                                 &size, err);
        if (!got)
            got = spool_record_rows(data, size, series, err);
        if (got < 0)
            return got;
        if (got > 0) /* another kernel's length: the next piece */
            break;
        ++*next;
    }
    return series->count > 0;
}

static int next_piece(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    struct source *source = arg;
    struct series *series = &source->series;
    struct clock_fit fit = fit_of(source->r, source->r->flows[source->flow]->agent[end]);
    int got = read_pieces(source, &source->next[end], source->end[end], err);
    for (size_t i = 0; got > 0 && i < series->count; i++)
        series->t_ns[i] = clock_fit_to_axis(&fit, series->t_ns[i], 0);
    *piece = series;
    return got;
}

/* Finds the flow's pieces from *at on. */
static void find_pieces(struct source *source, size_t *at)
{
    const struct recovered *r = source->r;
    for (int end = END_SRC; end <= END_DST; end++) {
        source->next[end] = *at;
        while (*at < r->piece_count && r->pieces[*at].flow == source->flow &&
               r->pieces[*at].end == end)
            ++*at;
        source->end[end] = *at;
    }
}

/* ---- what became of a flow ---- */

/* Whether an end without a report had payload under way, as its last sample says. */
static bool moved_payload(struct source *source, enum flow_end end)
{
    size_t last = source->end[end] - 1;
    if (source->next[end] == source->end[end] ||
        read_pieces(source, &last, source->end[end], NULL) <= 0)
        return false;
    return series_shows_payload(&source->series, end);
}

static void explain(const struct recovered *r, const struct recover_flow *flow,
                    struct flow_result *result)
{
    char name[HOST_NAMES_MAX];
    for (int end = END_DST; end >= END_SRC; end--) {
        uint32_t agent = flow->agent[end];
        if (result->has_report[end])
            continue;
        if (agent < r->agent_count && r->run.agents[agent].lost)
            snprintf(result->error, sizeof result->error, "%s: %s",
                     host_names_of_agent(&r->run, agent, name), r->run.agents[agent].lost);
    }
}

static void judge(struct source *source, struct flow_result *result)
{
    const struct recover_flow *flow = source->r->flows[source->flow];
    *result = flow->result;
    for (int end = END_SRC; end <= END_DST; end++) {
        struct clock_fit fit = fit_of(source->r, flow->agent[end]);
        end_report_to_axis(&result->report[end], &fit, 0);
    }
    flow_result_judge(result);
    flow_result_account(result);
    for (int end = END_SRC; end <= END_DST && result->status == FLOW_FAILED; end++)
        if (!result->has_report[end] && moved_payload(source, end))
            result->status = FLOW_PARTIAL;
    explain(source->r, flow, result);
}

static void count_flow(struct recover_outcome *outcome, enum flow_status status)
{
    outcome->complete += status == FLOW_COMPLETE;
    outcome->partial += status == FLOW_PARTIAL;
    outcome->failed += status == FLOW_FAILED || status == FLOW_UNKNOWN;
}

/* ---- the run ---- */

static bool lose(struct recovered *r, size_t agent, const char *why)
{
    free(r->run.agents[agent].lost);
    r->run.agents[agent].lost = strdup(why);
    return r->run.agents[agent].lost;
}

static void put_on_axis(struct run_agent *agent)
{
    for (size_t i = 0; i < agent->host.count; i++) {
        int64_t *t_ns = &host_series_row(&agent->host, i)[HOST_t_ns];
        *t_ns = clock_fit_to_axis(&agent->clock, *t_ns, 0);
    }
}

/* The last sample of the agent's, on the axis; INT64_MIN: there is none. */
static int64_t last_sample(const struct recovered *r, uint32_t agent)
{
    const struct clock_fit fit = fit_of(r, agent);
    struct series series = {0};
    struct buffer record = {0};
    int64_t last_ns = INT64_MIN;
    for (size_t i = 0; i < r->piece_count; i++) {
        const struct recover_piece *piece = &r->pieces[i];
        const bool goes_on =
            i + 1 < r->piece_count && piece[1].flow == piece->flow && piece[1].end == piece->end;
        const uint8_t *data;
        size_t size;
        if (goes_on || r->flows[piece->flow]->agent[piece->end] != agent)
            continue;
        series_clear(&series);
        if (recovered_read(r, piece, &record, &data, &size, NULL) ||
            spool_record_rows(data, size, &series, NULL) || !series.count)
            continue;
        const int64_t t_ns = clock_fit_to_axis(&fit, series.t_ns[series.count - 1], 0);
        last_ns = t_ns > last_ns ? t_ns : last_ns;
    }
    series_fini(&series);
    buffer_fini(&record);
    return last_ns;
}

static bool lose_endless(struct recovered *r, uint32_t agent)
{
    const int64_t last_ns = last_sample(r, agent);
    char text[160] = "its spool has no end: the agent was killed, or the run goes on";
    if (last_ns != INT64_MIN && r->agents[agent].has_axis)
        snprintf(text, sizeof text,
                 "its spool ends at %.1f s: the agent was killed, or the run goes on",
                 (double)last_ns / (double)NS_PER_S);
    return lose(r, agent, text);
}

static bool judge_agents(struct recovered *r, struct recover_outcome *outcome)
{
    bool good = true;
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct recover_agent *agent = &r->agents[i];
        r->run.agents[i].clock = fit_of(r, (uint32_t)i);
        put_on_axis(&r->run.agents[i]);
        if (!agent->seen)
            good &= lose(r, i, "its spool is not among the files given to recover");
        else if (!agent->ended)
            good &= lose_endless(r, (uint32_t)i);
        outcome->lost += !agent->seen || !agent->ended;
        char text[512], name[HOST_NAMES_MAX];
        snprintf(text, sizeof text, "%s: it was never started, its times are on its own clock",
                 host_names_of_agent(&r->run, i, name));
        if (agent->seen && !agent->has_axis)
            good &= run_info_add_warning(&r->run, text) == 0;
    }
    return good;
}

static bool knows_clocks(const struct recovered *r)
{
    for (size_t i = 0; i < r->run.agent_count; i++)
        if (!r->run.agents[i].clock.exchanges)
            return false;
    return true;
}

static int describe(struct recovered *r, struct recover_outcome *outcome, struct error *err)
{
    bool good = judge_agents(r, outcome);
    good &= run_info_add_warning(
                &r->run, knows_clocks(r) ? "recovered from spools, and from what the master found "
                                           "of the agents' clocks"
                                         : "recovered from spools: times are on the axis as far as "
                                           "the master had measured the agents' clocks by then, "
                                           "and their error is not known") == 0;
    r->run.recovered = true;
    if (!r->described) {
        r->run.version = strdup(TCP_FLOWGEN_VERSION);
        good &= r->run.version != NULL;
        good &= run_info_add_warning(
                    &r->run, "the spools do not say what was asked for: flows have their numbers "
                             "as ids, and times are on the agents' own clocks") == 0;
    }
    outcome->warnings = r->run.warning_count;
    return good ? 0 : error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

static int write_flows(const struct recovered *r, struct results_writer *writer,
                       struct recover_outcome *outcome, struct error *err)
{
    size_t at = 0;
    bool first = true;
    int failed = 0;
    for (uint32_t i = 0; !failed && i < r->flow_count; i++) {
        struct source source = {.r = r, .flow = i};
        struct flow_result result;
        if (!r->flows[i])
            continue;
        find_pieces(&source, &at);
        judge(&source, &result);
        count_flow(outcome, result.status);
        failed =
            results_writer_flow(writer, &result, first ? &r->run : NULL, next_piece, &source, err);
        first = false;
        series_fini(&source.series);
        buffer_fini(&source.record);
    }
    return failed;
}

static int write_results(struct recovered *r, const char *output, struct recover_outcome *outcome,
                         struct error *err)
{
    struct results_writer *writer = NULL;
    int failed = describe(r, outcome, err);
    if (!failed)
        failed = results_writer_open(&writer, output, 0, err);
    if (failed)
        return failed;
    failed = write_flows(r, writer, outcome, err);
    if (!failed)
        return results_writer_close(writer, err);
    results_writer_abort(writer);
    return failed;
}

int recover_run(const char *const *spools, size_t count, const char *output,
                struct recover_outcome *outcome, struct error *err)
{
    struct recovered r = {0};
    *outcome = (struct recover_outcome){0};
    int failed = recovered_load(&r, spools, count, err);
    if (!failed && !r.flow_count) {
        failed = error_set(err, ERROR_INPUT, NULL, "there is no flow in the spools");
        error_cure(err, "nothing was prepared: there is nothing to recover");
    }
    if (!failed)
        failed = write_results(&r, output, outcome, err);
    outcome->mixed = r.mixed;
    outcome->broken = r.broken;
    recovered_fini(&r);
    return failed;
}
