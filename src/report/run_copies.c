#include "report/run_copies.h"

#include <stdlib.h>
#include <string.h>

/* What makes one of two copies the better one; the first that differs decides. */
struct extent {
    size_t reports, rows, clocks;
};

static struct extent extent_of(const struct run_summary *run)
{
    struct extent extent = {0};
    for (size_t i = 0; i < run->flow_count; i++)
        for (int end = END_SRC; end <= END_DST; end++) {
            extent.reports += run->flows[i].flow.has_report[end];
            extent.rows += run->flows[i].samples[end];
        }
    for (size_t i = 0; i < run->run.agent_count; i++)
        extent.clocks += run->run.agents[i].clock.exchanges > 0;
    return extent;
}

static bool has_more(const struct run_summary *one, const struct run_summary *other)
{
    const struct extent a = extent_of(one), b = extent_of(other);
    if (a.reports != b.reports)
        return a.reports > b.reports;
    if (a.rows != b.rows)
        return a.rows > b.rows;
    return a.clocks > b.clocks;
}

static bool is_same(const struct run_summary *one, const struct run_summary *other)
{
    const char *a = one->run.id, *b = other->run.id;
    return one->has_run && other->has_run && a && b && *a && strcmp(a, b) == 0;
}

/* Appends the other's file, and those that it had stood for. */
static int tell_copy(struct run_summary *stays, const struct run_summary *goes)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -1;
    fprintf(out, "%s%s%s%s%s", stays->copies ? stays->copies : "", stays->copies ? ", " : "",
            goes->file ? goes->file : "-", goes->copies ? ", " : "",
            goes->copies ? goes->copies : "");
    if (fclose(out)) {
        free(text);
        return -1;
    }
    free(stays->copies);
    stays->copies = text;
    return 0;
}

void run_summary_fini(struct run_summary *run)
{
    run_info_fini(&run->run);
    free(run->file);
    free(run->copies);
    free(run->damage);
}

/* Those behind it move up, with their flows. */
static void drop(struct summary *summary, size_t place)
{
    struct run_summary *run = &summary->runs[place];
    const size_t gone = run->flow_count, behind = run->first_flow + gone;
    summary->complete -= run->complete;
    summary->partial -= run->partial;
    summary->failed -= run->failed;
    run_summary_fini(run);
    memmove(run->flows, run->flows + gone, (summary->flow_count - behind) * sizeof *run->flows);
    summary->flow_count -= gone;
    summary->run_count--;
    memmove(run, run + 1, (summary->run_count - place) * sizeof *run);
    summary->damaged = false;
    for (size_t r = 0; r < summary->run_count; r++) {
        struct run_summary *left = &summary->runs[r];
        left->first_flow -= r < place ? 0 : gone;
        left->flows = summary->flows + left->first_flow;
        summary->damaged |= left->damage != NULL;
        for (size_t i = 0; i < left->flow_count; i++)
            left->flows[i].run = r;
    }
}

int run_copies_drop(struct summary *summary)
{
    for (size_t r = 0; r < summary->run_count; r++)
        for (size_t s = r + 1; s < summary->run_count;) {
            struct run_summary *first = &summary->runs[r], *second = &summary->runs[s];
            if (!is_same(first, second)) {
                s++;
                continue;
            }
            const bool other = has_more(second, first);
            if (tell_copy(other ? second : first, other ? first : second))
                return -1;
            drop(summary, other ? r : s);
            if (other)
                s = r + 1;
        }
    return 0;
}
