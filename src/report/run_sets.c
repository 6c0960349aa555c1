#include "report/run_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "util/duration.h"

#define TOLD_MAX  6  /* differences */
#define VALUE_MAX 48 /* bytes of a value that are told */

/* Of two runs; stops when it returns true. */
typedef bool on_difference(void *arg, const char *host, const char *what, const char *one,
                           const char *other);

struct pair {
    const struct run_info *one, *other;
    on_difference *tell;
    void *arg;
};

static const char *known(const char *text)
{
    return text ? text : "";
}

/* Where both are known and differ. */
static bool differ(const struct pair *pair, const char *host, const char *what, const char *one,
                   const char *other)
{
    return *known(one) && *known(other) && strcmp(one, other) != 0 &&
           pair->tell(pair->arg, host, what, one, other);
}

/* ---- machines ---- */

/* The setting of that name, which mostly stands at the same place. */
static const char *value_at(const struct machine *machine, size_t place, const char *name)
{
    if (place < machine->setting_count && strcmp(machine->settings[place].name, name) == 0)
        return machine->settings[place].value;
    return machine_value(machine, name);
}

/* What differs between equal machines, or while one does what it always does: modules are loaded.
 */
static bool is_told(const char *name)
{
    return !machine_is_own(name) && strcmp(name, "net.ipv4.tcp_allowed_congestion_control") != 0;
}

static bool machines_differ(const struct pair *pair, const char *host, const struct run_agent *one,
                            const struct run_agent *other)
{
    if (!one->about.setting_count || !other->about.setting_count)
        return differ(pair, host, "kernel", one->kernel, other->kernel);
    for (size_t i = 0; i < one->about.setting_count; i++) {
        const struct machine_setting *setting = &one->about.settings[i];
        if (is_told(setting->name) && differ(pair, host, setting->name, setting->value,
                                             value_at(&other->about, i, setting->name)))
            return true;
    }
    return false;
}

static const struct run_host *find_host(const struct run_info *run, size_t place, const char *name)
{
    if (place < run->host_count && strcmp(known(run->hosts[place].name), name) == 0)
        return &run->hosts[place];
    for (size_t i = 0; i < run->host_count; i++)
        if (strcmp(known(run->hosts[i].name), name) == 0)
            return &run->hosts[i];
    return NULL;
}

static bool hosts_differ(const struct pair *pair)
{
    for (size_t i = 0; i < pair->one->host_count; i++) {
        const struct run_host *one = &pair->one->hosts[i];
        const struct run_host *other = find_host(pair->other, i, known(one->name));
        if (!other || one->agent >= pair->one->agent_count ||
            other->agent >= pair->other->agent_count)
            continue;
        if (machines_differ(pair, known(one->name), &pair->one->agents[one->agent],
                            &pair->other->agents[other->agent]))
            return true;
    }
    return false;
}

/* ---- runs ---- */

static bool runs_differ(const struct run_summary *one, const struct run_summary *other,
                        on_difference *tell, void *arg)
{
    const struct pair pair = {&one->run, &other->run, tell, arg};
    char warmups[2][DURATION_TEXT_MAX];
    if (!one->has_run || !other->has_run)
        return false;
    const char *labels[] = {known(one->run.label), known(other->run.label)};
    if (strcmp(labels[0], labels[1]) != 0 && tell(arg, "", "label", labels[0], labels[1]))
        return true;
    duration_format(one->warmup_ns, warmups[0]);
    duration_format(other->warmup_ns, warmups[1]);
    return differ(&pair, "", "scenario", one->run.scenario, other->run.scenario) ||
           differ(&pair, "", "warm-up", warmups[0], warmups[1]) || hosts_differ(&pair);
}

static bool stop(void *arg, const char *host, const char *what, const char *one, const char *other)
{
    (void)arg;
    (void)host;
    (void)what;
    (void)one;
    (void)other;
    return true;
}

/* The first run of a set. */
static const struct run_summary *first_of(const struct summary *summary, size_t set)
{
    const struct run_summary *run = summary->runs;
    while (run->set != set)
        run++;
    return run;
}

void run_sets_find(struct summary *summary)
{
    summary->set_count = 0;
    for (size_t r = 0; r < summary->run_count; r++) {
        struct run_summary *run = &summary->runs[r];
        run->set = SIZE_MAX; /* first_of() goes by it */
        size_t set = 0;
        while (set < summary->set_count && runs_differ(first_of(summary, set), run, stop, NULL))
            set++;
        run->set = set;
        summary->set_count += set == summary->set_count;
        for (size_t i = 0; i < run->flow_count; i++)
            run->flows[i].set = set;
    }
}

/* ---- in words ---- */

struct list {
    FILE *out;
    size_t count;
};

/* Of all hosts in which something differs alike the first is told. */
static bool tell(void *arg, const char *host, const char *what, const char *one, const char *other)
{
    struct list *list = arg;
    if (list->count++ >= TOLD_MAX)
        return false;
    fprintf(list->out, "%s%s%s%s", list->count > 1 ? ", " : "", what, *host ? " of " : "", host);
    if (strcmp(what, "scenario") != 0)
        fprintf(list->out, " (\"%.*s\", here \"%.*s\")", VALUE_MAX, one, VALUE_MAX, other);
    return false;
}

char *run_sets_difference(const struct summary *summary, size_t set)
{
    char *text = NULL;
    size_t size;
    struct list list = {.out = open_memstream(&text, &size)};
    if (!list.out)
        return NULL;
    runs_differ(first_of(summary, 0), first_of(summary, set), tell, &list);
    if (list.count > TOLD_MAX)
        fprintf(list.out, " and %zu more", list.count - TOLD_MAX);
    fclose(list.out);
    if (text)
        utf8_repair(text); /* characters may have been cut */
    return text;
}

static bool goes_on(const struct run_summary *run, const struct run_summary *next)
{
    return next->set == run->set && strcmp(known(next->file), known(run->file)) == 0;
}

static size_t runs_of(const struct summary *summary, size_t set)
{
    size_t count = 0;
    for (size_t r = 0; r < summary->run_count; r++)
        count += summary->runs[r].set == set;
    return count;
}

char *run_sets_runs(const struct summary *summary, size_t set)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *before = runs_of(summary, set) == 1 ? "run " : "runs ";
    for (size_t r = 0, end; out && r < summary->run_count; r = end) {
        end = r + 1;
        const struct run_summary *run = &summary->runs[r];
        if (run->set != set)
            continue;
        while (end < summary->run_count && goes_on(run, &summary->runs[end]))
            end++;
        fprintf(out, "%s%zu", before, r + 1);
        if (end > r + 1)
            fprintf(out, " to %zu", end);
        if (run->file)
            fprintf(out, " (%s)", run->file);
        before = ", ";
    }
    if (out)
        fclose(out);
    return text;
}
