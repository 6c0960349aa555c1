/* struct run_info <-> Run of messages.proto.  The message is built in memory of its own, as if it
 * had been unpacked, so that protobuf-c's own function frees it, half built ones, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/host_message.h"
#include "format/machine_message.h"
#include "format/message.h"
#include "format/result_message.h"
#include "format/utf8.h"

static void *array(size_t count, size_t size, bool *failed)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        *failed = true;
    return memory;
}

/* ---- to the message ---- */

static Tcpflowgen__RunHost *host_to_message(const struct run_host *host, bool *failed)
{
    Tcpflowgen__RunHost *out = array(1, sizeof *out, failed);
    if (!out)
        return NULL;
    tcpflowgen__run_host__init(out);
    out->name = utf8_text(host->name, failed);
    out->mgmt = utf8_text(host->mgmt, failed);
    out->host = utf8_text(host->host, failed);
    out->bind = utf8_text(host->bind, failed);
    out->device = utf8_text(host->device, failed);
    out->agent = host->agent;
    return out;
}

static void knots_to_message(Tcpflowgen__ClockFit *out, const struct clock_fit *fit, bool *failed)
{
    if (fit->knot_count == 0)
        return;
    out->knot_ns = array(fit->knot_count, sizeof *out->knot_ns, failed);
    out->knot_offset_ns = array(fit->knot_count, sizeof *out->knot_offset_ns, failed);
    if (!out->knot_ns || !out->knot_offset_ns)
        return;
    for (size_t i = 0; i < fit->knot_count; i++) {
        out->knot_ns[i] = fit->knots[i].agent_ns;
        out->knot_offset_ns[i] = fit->knots[i].offset_ns;
    }
    out->n_knot_ns = out->n_knot_offset_ns = fit->knot_count;
}

static Tcpflowgen__ClockFit *clock_to_message(const struct run_agent *agent, bool *failed)
{
    const struct clock_fit *fit = &agent->clock;
    Tcpflowgen__ClockFit *out = array(1, sizeof *out, failed);
    if (!out)
        return NULL;
    tcpflowgen__clock_fit__init(out);
    out->reference_ns = fit->reference_ns;
    out->offset_ns = fit->offset_ns;
    out->rate_ppm = fit->rate * 1e6;
    out->error_ns = fit->error_ns;
    out->residual_ns = fit->residual_ns;
    out->rtt_min_ns = fit->rtt_min_ns;
    out->exchanges = fit->exchanges;
    out->used = fit->used;
    out->method = utf8_text(clock_method_name(fit->method), failed);
    out->network = utf8_text(agent->clock_network, failed);
    knots_to_message(out, fit, failed);
    return out;
}

/* NULL where nothing is known, too. */
static Tcpflowgen__ClockDiscipline *discipline_to_message(const struct clock_discipline *from,
                                                          bool *failed)
{
    Tcpflowgen__ClockDiscipline *out = from->known ? array(1, sizeof *out, failed) : NULL;
    if (out)
        message_from_discipline(out, from);
    return out;
}

static Tcpflowgen__RunAgent *agent_to_message(const struct run_agent *agent, bool *failed)
{
    Tcpflowgen__RunAgent *out = array(1, sizeof *out, failed);
    if (!out)
        return NULL;
    tcpflowgen__run_agent__init(out);
    out->mgmt = utf8_text(agent->mgmt, failed);
    out->instance = utf8_text(agent->instance, failed);
    out->version = utf8_text(agent->version, failed);
    out->hostname = utf8_text(agent->hostname, failed);
    out->kernel = utf8_text(agent->kernel, failed);
    out->machine = utf8_text(agent->machine, failed);
    out->cpus = agent->cpus;
    out->workers = agent->workers;
    out->interval_ns = agent->interval_ns;
    out->clock = clock_to_message(agent, failed);
    out->clock_before = discipline_to_message(&agent->clock_before, failed);
    out->clock_after = discipline_to_message(&agent->clock_after, failed);
    out->lost = utf8_text(agent->lost, failed);
    out->other_runs = agent->other_runs;
    out->settings = settings_to_messages(&agent->about, &out->n_settings, failed);
    out->metrics = metrics_to_messages(&agent->about, &out->n_metrics, failed);
    out->metrics_flushed = agent->about.metrics_flushed;
    return out;
}

static Tcpflowgen__RunEvent *event_to_message(const struct run_event *event, bool *failed)
{
    Tcpflowgen__RunEvent *out = array(1, sizeof *out, failed);
    if (!out)
        return NULL;
    tcpflowgen__run_event__init(out);
    out->t_ns = event->t_ns;
    out->text = utf8_text(event->text, failed);
    return out;
}

static void add_host_samples(Tcpflowgen__Run *out, const struct run_info *run, size_t agent,
                             bool *failed)
{
    Tcpflowgen__HostSamples *samples = host_samples_to_message(&run->agents[agent].host);
    if (samples) {
        samples->agent = (uint32_t)agent;
        out->host_samples[out->n_host_samples++] = samples;
    }
    *failed |= !samples;
}

/* A list's items count only once they are there: the message can be freed at any moment. */
static void lists_to_message(Tcpflowgen__Run *out, const struct run_info *run, bool *failed)
{
    out->hosts = array(run->host_count, sizeof(void *), failed);
    out->agents = array(run->agent_count, sizeof(void *), failed);
    out->events = array(run->event_count, sizeof(void *), failed);
    out->warnings = array(run->warning_count, sizeof(void *), failed);
    out->host_samples = array(run->agent_count, sizeof(void *), failed);
    for (size_t i = 0; i < run->host_count && !*failed; i++)
        out->hosts[out->n_hosts++] = host_to_message(&run->hosts[i], failed);
    for (size_t i = 0; i < run->agent_count && !*failed; i++)
        out->agents[out->n_agents++] = agent_to_message(&run->agents[i], failed);
    for (size_t i = 0; i < run->event_count && !*failed; i++)
        out->events[out->n_events++] = event_to_message(&run->events[i], failed);
    for (size_t i = 0; i < run->warning_count && !*failed; i++)
        out->warnings[out->n_warnings++] = utf8_text(run->warnings[i], failed);
    for (size_t i = 0; i < run->agent_count && !*failed; i++)
        if (run->agents[i].host.count)
            add_host_samples(out, run, i, failed);
}

Tcpflowgen__Run *run_to_message(const struct run_info *run)
{
    bool failed = false;
    Tcpflowgen__Run *out = array(1, sizeof *out, &failed);
    if (!out)
        return NULL;
    tcpflowgen__run__init(out);
    out->version = utf8_text(run->version, &failed);
    out->id = utf8_text(run->id, &failed);
    out->label = utf8_text(run->label, &failed);
    out->started_unix_ns = run->started_unix_ns;
    out->t0_ns = run->t0_ns;
    out->scenario = utf8_text(run->scenario, &failed);
    out->interrupted = run->interrupted;
    out->recovered = run->recovered;
    out->repeat = run->repeat;
    out->repeats = run->repeats;
    out->seed = run->seed;
    out->warmup_ns = run->warmup_ns;
    out->clock_before = discipline_to_message(&run->clock_before, &failed);
    out->clock_after = discipline_to_message(&run->clock_after, &failed);
    lists_to_message(out, run, &failed);
    if (failed) {
        tcpflowgen__run__free_unpacked(out, NULL);
        return NULL;
    }
    return out;
}

/* ---- from the message ---- */

static void host_from_message(struct run_host *out, const Tcpflowgen__RunHost *host, bool *failed)
{
    *out = (struct run_host){
        .name = utf8_text(host->name, failed),
        .mgmt = utf8_text(host->mgmt, failed),
        .host = utf8_text(host->host, failed),
        .bind = utf8_text(host->bind, failed),
        .device = utf8_text(host->device, failed),
        .agent = host->agent,
    };
}

/* An older file, or a newer one's method, has none of ours. */
static enum clock_method method_from_text(const char *name)
{
    for (int method = CLOCK_UDP_KERNEL; method > CLOCK_RPC; method--)
        if (strcmp(name, clock_method_name((enum clock_method)method)) == 0)
            return (enum clock_method)method;
    return CLOCK_RPC;
}

static struct clock_fit clock_from_message(const Tcpflowgen__ClockFit *fit)
{
    struct clock_fit out = {
        .reference_ns = fit->reference_ns,
        .offset_ns = fit->offset_ns,
        .rate = fit->rate_ppm / 1e6,
        .error_ns = fit->error_ns,
        .residual_ns = fit->residual_ns,
        .rtt_min_ns = fit->rtt_min_ns,
        .exchanges = fit->exchanges,
        .used = fit->used,
        .method = method_from_text(fit->method),
    };
    size_t count = fit->n_knot_ns;
    if (count < 2 || count > CLOCK_KNOTS_MAX || fit->n_knot_offset_ns != count)
        return out;
    for (size_t i = 0; i < count; i++)
        out.knots[i] = (struct clock_knot){fit->knot_ns[i], fit->knot_offset_ns[i]};
    out.knot_count = count;
    return out;
}

static void agent_from_message(struct run_agent *out, const Tcpflowgen__RunAgent *agent,
                               bool *failed)
{
    *out = (struct run_agent){
        .mgmt = utf8_text(agent->mgmt, failed),
        .instance = utf8_text(agent->instance, failed),
        .version = utf8_text(agent->version, failed),
        .hostname = utf8_text(agent->hostname, failed),
        .kernel = utf8_text(agent->kernel, failed),
        .machine = utf8_text(agent->machine, failed),
        .cpus = agent->cpus,
        .workers = agent->workers,
        .interval_ns = agent->interval_ns,
        .lost = agent->lost[0] ? utf8_text(agent->lost, failed) : NULL,
        .other_runs = agent->other_runs,
    };
    out->clock_before = message_to_discipline(agent->clock_before);
    out->clock_after = message_to_discipline(agent->clock_after);
    if (agent->clock) {
        out->clock = clock_from_message(agent->clock);
        utf8_copy(out->clock_network, sizeof out->clock_network, agent->clock->network);
    }
    out->about.metrics_flushed = agent->metrics_flushed;
    *failed |= settings_from_messages(&out->about, agent->settings, agent->n_settings) != 0;
    *failed |= metrics_from_messages(&out->about, agent->metrics, agent->n_metrics) != 0;
}

/* What is not sound is left out: the flows do not need it. */
static void take_host_samples(struct run_info *out, const Tcpflowgen__Run *message)
{
    for (size_t i = 0; i < message->n_host_samples; i++) {
        const Tcpflowgen__HostSamples *samples = message->host_samples[i];
        if (samples->agent >= out->agent_count || out->agents[samples->agent].host.count)
            continue;
        struct host_series *host = &out->agents[samples->agent].host;
        const size_t limit = host_series_limit(out->agent_count);
        if (host_samples_from_message(host, samples, limit, NULL) == 0) {
            host->seen = samples->seen;
            host->stride *= samples->stride; /* of more rows than we write, some went here, too */
        }
    }
}

int run_from_message(struct run_info *out, const Tcpflowgen__Run *message)
{
    bool failed = false;
    *out = (struct run_info){
        .version = utf8_text(message->version, &failed),
        .id = utf8_text(message->id, &failed),
        .label = utf8_text(message->label, &failed),
        .scenario = utf8_text(message->scenario, &failed),
        .started_unix_ns = message->started_unix_ns,
        .t0_ns = message->t0_ns,
        .interrupted = message->interrupted,
        .recovered = message->recovered,
        .repeat = message->repeat,
        .repeats = message->repeats,
        .seed = message->seed,
        .warmup_ns = message->warmup_ns > 0 ? message->warmup_ns : 0,
        .clock_before = message_to_discipline(message->clock_before),
        .clock_after = message_to_discipline(message->clock_after),
        .hosts = array(message->n_hosts, sizeof *out->hosts, &failed),
        .agents = array(message->n_agents, sizeof *out->agents, &failed),
    };
    for (size_t i = 0; i < message->n_hosts && !failed; i++)
        host_from_message(&out->hosts[out->host_count++], message->hosts[i], &failed);
    for (size_t i = 0; i < message->n_agents && !failed; i++)
        agent_from_message(&out->agents[out->agent_count++], message->agents[i], &failed);
    for (size_t i = 0; i < message->n_events && !failed; i++) {
        const Tcpflowgen__RunEvent *event = message->events[i];
        failed = run_info_add_event(out, event->t_ns, event->text) != 0;
        if (!failed)
            utf8_repair(out->events[i].text);
    }
    for (size_t i = 0; i < message->n_warnings && !failed; i++) {
        failed = run_info_add_warning(out, message->warnings[i]) != 0;
        if (!failed)
            utf8_repair(out->warnings[i]);
    }
    if (!failed)
        take_host_samples(out, message);
    return failed ? -1 : 0;
}
