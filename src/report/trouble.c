#include "report/trouble.h"

#include <inttypes.h>
#include <string.h>

#include "report/paragraph.h"

#define REASONS_MAX 10
#define IDS_MAX     12
#define IDS_TEXT    (IDS_MAX * 40 + 16)

struct reason {
    size_t count;
    const struct flow_summary *flows[IDS_MAX];
};

static bool is_trouble(const struct flow_summary *flow)
{
    return flow->flow.status == FLOW_PARTIAL || flow->flow.status == FLOW_FAILED;
}

static bool alike(const struct flow_summary *a, const struct flow_summary *b)
{
    return a->flow.status == b->flow.status && strcmp(a->flow.error, b->flow.error) == 0;
}

/* Returns how many flows have reasons for which there was no room. */
static size_t collect(const struct flow_summary *flows, size_t count, struct reason *reasons)
{
    size_t known = 0, more = 0;
    for (size_t i = 0; i < count; i++) {
        size_t place = 0;
        if (!is_trouble(&flows[i]))
            continue;
        while (place < known && !alike(reasons[place].flows[0], &flows[i]))
            place++;
        if (place == REASONS_MAX) {
            more++;
            continue;
        }
        if (place == known)
            known++;
        struct reason *reason = &reasons[place];
        if (reason->count < IDS_MAX)
            reason->flows[reason->count] = &flows[i];
        reason->count++;
    }
    return more;
}

static const char *list_flows(const struct reason *reason, bool runs, char out[IDS_TEXT])
{
    size_t used = 0, told = reason->count < IDS_MAX ? reason->count : IDS_MAX;
    for (size_t i = 0; i < told; i++) {
        const struct flow_summary *flow = reason->flows[i];
        used += (size_t)snprintf(out + used, IDS_TEXT - used, "%s%" PRId32, i ? ", " : "",
                                 flow->flow.id);
        if (runs)
            used += (size_t)snprintf(out + used, IDS_TEXT - used, " of run %zu", flow->run + 1);
    }
    if (reason->count > told)
        snprintf(out + used, IDS_TEXT - used, ", ...");
    return out;
}

#define WAS_LOST " was lost"

/* Of an error: how much to print.  Why an agent was lost is told once, in a warning. */
static int told_size(const char *error, const struct run_info *run)
{
    const char *lost = strstr(error, WAS_LOST ": ");
    const char *why = lost ? lost + strlen(WAS_LOST ": ") : "";
    for (size_t i = 0; i < run->agent_count && *why; i++)
        if (run->agents[i].lost && strncmp(run->agents[i].lost, why, strlen(why)) == 0)
            return (int)(lost + strlen(WAS_LOST) - error);
    return (int)strlen(error);
}

static void print_reason(const struct reason *reason, const struct summary *summary, FILE *out)
{
    const struct flow_summary *first = reason->flows[0];
    const char *error = first->flow.error;
    const char *status = first->flow.status == FLOW_PARTIAL ? "partial" : "failed";
    const int size = told_size(error, &summary->runs[first->run].run);
    char list[IDS_TEXT], what[32];
    snprintf(what, sizeof what, reason->count > 1 ? "%zu flows:" : "flow", reason->count);
    paragraph_print(out, "%s: %s %s%s%.*s", status, what,
                    list_flows(reason, summary->run_count > 1, list), size ? ": " : "", size,
                    error);
}

void trouble_text(const struct summary *summary, FILE *out)
{
    struct reason reasons[REASONS_MAX] = {{0}};
    const size_t more = collect(summary->flows, summary->flow_count, reasons);
    for (size_t i = 0; i < REASONS_MAX && reasons[i].count; i++)
        print_reason(&reasons[i], summary, out);
    if (more)
        paragraph_print(out, "... and %zu more flow%s for other reasons, which summary --json has",
                        more, more == 1 ? "" : "s");
}
