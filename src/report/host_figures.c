#include "report/host_figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- figures ---- */

static int64_t growth(const struct host_series *series, size_t place, size_t first, size_t last)
{
    int64_t from = host_series_row(series, first)[place];
    int64_t to = host_series_row(series, last)[place];
    int64_t grown;
    if (from == HOST_UNKNOWN || to < from || __builtin_sub_overflow(to, from, &grown))
        return HOST_UNKNOWN;
    return grown;
}

int64_t host_growth(const struct host_series *series, enum host_field field)
{
    return series->count ? growth(series, field, 0, series->count - 1) : HOST_UNKNOWN;
}

int64_t host_interface_growth(const struct host_series *series, size_t interface,
                              enum interface_field field)
{
    size_t place = host_series_place(interface) + field;
    return series->count ? growth(series, place, 0, series->count - 1) : HOST_UNKNOWN;
}

static void add_known(int64_t *sum, int64_t count)
{
    if (count > 0 && __builtin_add_overflow(*sum, count, sum))
        *sum = INT64_MAX;
}

int64_t host_drops(const struct host_series *series)
{
    int64_t sum = 0;
    add_known(&sum, host_growth(series, HOST_softnet_dropped));
    for (size_t i = 0; i < series->interface_count; i++) {
        add_known(&sum, host_interface_growth(series, i, INTERFACE_qdisc_drops));
        add_known(&sum, host_interface_growth(series, i, INTERFACE_rx_dropped));
        add_known(&sum, host_interface_growth(series, i, INTERFACE_tx_dropped));
    }
    return sum;
}

/* The first and the last row on a tick; of a run that has but one, the row of its end.  False:
 * there are no two. */
static bool find_rows(const struct host_series *series, size_t *first, size_t *last)
{
    size_t count = 0;
    for (size_t i = 0; i < series->count; i++) {
        if (host_series_row(series, i)[HOST_tick] < 0)
            continue;
        if (count++ == 0)
            *first = i;
        *last = i;
    }
    if (count == 1)
        *last = series->count - 1;
    return count > 0 && *last > *first;
}

/* The kernel counts these in ticks of its own, mostly 10 ms: of less than our own 50 ms they tell
 * nothing. */
static void judge_machine(struct host_cpu *cpu, const struct host_series *series, size_t first,
                          size_t last)
{
    double part[HOST_FIELD_COUNT] = {0}, all = 0;
    if (host_series_row(series, last)[HOST_tick] < 0)
        return;
    for (int field = HOST_user_ns; field <= HOST_steal_ns; field++) {
        int64_t ns = growth(series, (size_t)field, first, last);
        if (ns == HOST_UNKNOWN && host_series_row(series, last)[field] == HOST_UNKNOWN)
            return;
        part[field] = ns > 0 ? (double)ns : 0; /* the kernel's idle time is known to step back */
        all += part[field];
    }
    if (all <= 0)
        return;
    cpu->known = true;
    cpu->busy = (all - part[HOST_idle_ns]) / all; /* never less than what is a part of it */
    cpu->softirq = part[HOST_softirq_ns] / all;
    cpu->steal = part[HOST_steal_ns] / all;
}

struct host_cpu host_cpu(const struct host_series *series)
{
    struct host_cpu cpu = {0};
    size_t first = 0, last = 0;
    if (!find_rows(series, &first, &last))
        return cpu;
    const int64_t passed = growth(series, HOST_t_ns, first, last);
    const int64_t agent = growth(series, HOST_agent_cpu_ns, first, last);
    if (passed <= 0)
        return cpu;
    cpu.agent_known = agent != HOST_UNKNOWN;
    cpu.agent = cpu.agent_known ? (double)agent / (double)passed : 0;
    judge_machine(&cpu, series, first, last);
    return cpu;
}

/* ---- text ---- */

static void print_cpu(const struct host_series *series, FILE *out)
{
    struct host_cpu cpu = host_cpu(series);
    if (cpu.known)
        fprintf(out, "CPU %.0f %% busy, softirq %.0f %%", cpu.busy * 100, cpu.softirq * 100);
    else
        fprintf(out, "CPU not known");
    if (cpu.steal >= 0.005)
        fprintf(out, ", stolen %.0f %%", cpu.steal * 100);
    if (cpu.agent_known)
        fprintf(out, ", the agent %.0f %% of one", cpu.agent * 100);
}

/* What is lost or marked at one interface; nothing if that is nothing. */
static void print_interface(const struct host_series *series, size_t i, FILE *out)
{
    static const struct {
        enum interface_field field;
        const char *what;
    } told[] = {
        {INTERFACE_qdisc_drops, "dropped by the queue of"},
        {INTERFACE_qdisc_marks, "marked by the queue of"},
        {INTERFACE_rx_dropped, "dropped on receipt by"},
        {INTERFACE_tx_dropped, "dropped on sending by"},
        {INTERFACE_rx_errors, "received with errors by"},
        {INTERFACE_tx_errors, "sent with errors by"},
    };
    for (size_t t = 0; t < sizeof told / sizeof *told; t++) {
        int64_t count = host_interface_growth(series, i, told[t].field);
        if (count <= 0)
            continue;
        fprintf(out, "; %" PRId64 " packet%s %s %s", count, count == 1 ? "" : "s", told[t].what,
                series->interfaces[i].name);
    }
}

char *host_text(const struct host_series *series)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    print_cpu(series, out);
    int64_t dropped = host_growth(series, HOST_softnet_dropped);
    if (dropped > 0)
        fprintf(out, "; %" PRId64 " packet%s dropped by full CPU backlogs", dropped,
                dropped == 1 ? "" : "s");
    for (size_t i = 0; i < series->interface_count; i++)
        print_interface(series, i, out);
    if (series->stride > 1)
        fprintf(out, "; a row of %" PRIu64 " was kept", series->stride);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- JSON ---- */

static json_t *counted(int64_t value)
{
    return value == HOST_UNKNOWN ? json_null() : json_integer(value);
}

static json_t *share(bool known, double value)
{
    return known ? json_real(value) : json_null();
}

static int64_t largest(const struct host_series *series, size_t place)
{
    int64_t most = HOST_UNKNOWN;
    for (size_t i = 0; i < series->count; i++)
        if (host_series_row(series, i)[place] > most)
            most = host_series_row(series, i)[place];
    return most;
}

static json_t *interface_json(const struct host_series *series, size_t i)
{
    const struct host_interface *interface = &series->interfaces[i];
    json_t *json = json_object();
    json_object_set_new(json, "qdisc",
                        interface->qdisc[0] ? json_string(interface->qdisc) : json_null());
    for (int f = 0; f < INTERFACE_FIELD_COUNT; f++)
        if (f != INTERFACE_qdisc_backlog && f != INTERFACE_qdisc_qlen)
            json_object_set_new(json, interface_field_names[f],
                                counted(host_interface_growth(series, i, (enum interface_field)f)));
    json_object_set_new(json, "qdisc_backlog_max",
                        counted(largest(series, host_series_place(i) + INTERFACE_qdisc_backlog)));
    json_object_set_new(json, "qdisc_qlen_max",
                        counted(largest(series, host_series_place(i) + INTERFACE_qdisc_qlen)));
    return json;
}

json_t *host_json(const struct host_series *series)
{
    if (series->count == 0)
        return NULL;
    json_t *interfaces = json_object();
    for (size_t i = 0; i < series->interface_count; i++)
        json_object_set_new(interfaces, series->interfaces[i].name, interface_json(series, i));
    struct host_cpu cpu = host_cpu(series);
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rows",
                     (json_int_t)series->count, "rows_seen", (json_int_t)series->seen, "cpu_busy",
                     share(cpu.known, cpu.busy), "cpu_softirq", share(cpu.known, cpu.softirq),
                     "cpu_steal", share(cpu.known, cpu.steal), "agent_cpus",
                     share(cpu.agent_known, cpu.agent), "softnet_dropped",
                     counted(host_growth(series, HOST_softnet_dropped)), "softnet_squeezed",
                     counted(host_growth(series, HOST_softnet_squeezed)), "interfaces", interfaces);
}
