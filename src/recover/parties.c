#include "recover/parties.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/result_message.h"
#include "model/scenario.h"
#include "util/cleanup.h"

#define UNKNOWN        "?"
#define CLOCK_RATE_MAX 1e-2 /* no clock of the kernel's differs more from another */

/* ---- room ---- */

/* Zeros behind what an array has; false: out of memory. */
static bool widen(void *array, size_t *count, size_t wanted, size_t size)
{
    void *wide, *old;
    memcpy(&old, array, sizeof old);
    if (wanted <= *count)
        return true;
    wide = reallocarray(old, wanted, size);
    if (!wide)
        return false;
    memset((char *)wide + *count * size, 0, (wanted - *count) * size);
    memcpy(array, &wide, sizeof wide);
    *count = wanted;
    return true;
}

static bool widen_agents(struct recovered *r, size_t wanted)
{
    if (!widen(&r->run.agents, &r->run.agent_count, wanted, sizeof *r->run.agents))
        return false;
    return widen(&r->agents, &r->agent_count, wanted, sizeof *r->agents);
}

/* ---- of one Prepare ---- */

static void take_text(char **to, char **from)
{
    if (*to && **to)
        return;
    free(*to);
    *to = *from;
    *from = NULL;
}

/* Who tells of an agent first may know less than another: its own spool knows its machine.  What
 * was measured there (samples of the machine, other runs) stays: records of it may come first. */
static void take_agent(struct run_agent *to, struct run_agent *from)
{
    take_text(&to->mgmt, &from->mgmt);
    take_text(&to->instance, &from->instance);
    take_text(&to->version, &from->version);
    take_text(&to->hostname, &from->hostname);
    take_text(&to->kernel, &from->kernel);
    take_text(&to->machine, &from->machine);
    if (!to->clock.exchanges)
        to->clock = from->clock;
    to->cpus = to->cpus ? to->cpus : from->cpus;
    to->workers = to->workers ? to->workers : from->workers;
    to->interval_ns = to->interval_ns ? to->interval_ns : from->interval_ns;
    if (!to->clock_network[0])
        memcpy(to->clock_network, from->clock_network, sizeof to->clock_network);
    if (!to->clock_before.known)
        to->clock_before = from->clock_before;
    if (!to->clock_after.known)
        to->clock_after = from->clock_after;
    if (to->about.setting_count || !from->about.setting_count)
        return;
    const struct machine none = to->about;
    to->about = from->about;
    from->about = none;
}

static void take_host(struct run_host *to, struct run_host *from)
{
    const struct run_host none = *to;
    if (to->name)
        return;
    *to = *from;
    *from = none;
}

/* The place of the list's entry; false: none can be. */
static bool place_of(const uint32_t *places, size_t count, size_t index, uint32_t *place)
{
    *place = !places ? (uint32_t)index : index < count ? places[index] : SCENARIO_HOSTS_MAX;
    return *place < SCENARIO_HOSTS_MAX;
}

static bool is_sound(const struct clock_fit *fit)
{
    return fabs(fit->rate) <= CLOCK_RATE_MAX && fit->error_ns >= 0;
}

/* Those of a list of each, with their places; NULL: in their order. */
static bool take_lists(struct recovered *r, const Tcpflowgen__Run *lists,
                       const Tcpflowgen__PrepareRequest *places, bool of_master)
{
    struct run_info part;
    uint32_t place;
    bool good = run_from_message(&part, lists) == 0;
    for (size_t i = 0; good && i < part.agent_count; i++) {
        if (!place_of(places ? places->agent_places : NULL, places ? places->n_agent_places : 0, i,
                      &place))
            continue;
        good = widen_agents(r, (size_t)place + 1);
        if (!of_master || !is_sound(&part.agents[i].clock))
            part.agents[i].clock = (struct clock_fit){0};
        if (good)
            take_agent(&r->run.agents[place], &part.agents[i]);
    }
    for (size_t i = 0; good && i < part.host_count; i++) {
        if (!place_of(places ? places->host_places : NULL, places ? places->n_host_places : 0, i,
                      &place))
            continue;
        good = widen(&r->run.hosts, &r->run.host_count, (size_t)place + 1, sizeof *r->run.hosts);
        if (good)
            take_host(&r->run.hosts[place], &part.hosts[i]);
    }
    run_info_fini(&part);
    return good;
}

int parties_take(struct recovered *r, const Tcpflowgen__PrepareRequest *prepare, bool of_master,
                 struct error *err)
{
    Tcpflowgen__Run lists = TCPFLOWGEN__RUN__INIT;
    const Tcpflowgen__Run *about = prepare->about;
    bool good = true;
    if (about && about->n_agents) { /* of an earlier version */
        lists.hosts = about->hosts;
        lists.n_hosts = about->n_hosts;
        lists.agents = about->agents;
        lists.n_agents = about->n_agents;
        good = take_lists(r, &lists, NULL, false);
    }
    lists.hosts = prepare->hosts;
    lists.n_hosts = prepare->n_hosts;
    lists.agents = prepare->agents;
    lists.n_agents = prepare->n_agents;
    good = good && take_lists(r, &lists, prepare, of_master);
    return good ? 0 : error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

/* ---- of all ---- */

static void move_hosts(struct recovered *r, uint32_t *moved)
{
    struct run_info *run = &r->run;
    size_t kept = 0;
    for (size_t i = 0; i < run->host_count; i++) {
        moved[i] = UINT32_MAX;
        if (!run->hosts[i].name)
            continue;
        moved[i] = (uint32_t)kept;
        run->hosts[kept++] = run->hosts[i];
    }
    run->host_count = kept;
}

int parties_settle(struct recovered *r, struct error *err)
{
    const size_t places = r->run.host_count;
    CLEANUP_FREE uint32_t *moved = calloc(places + 1, sizeof *moved);
    if (!moved)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    move_hosts(r, moved);
    for (size_t i = 0; i < r->flow_count; i++) {
        struct flow_result *result = r->flows[i] ? &r->flows[i]->result : NULL;
        if (result && result->src_host < places)
            result->src_host = moved[result->src_host];
        if (result && result->dst_host < places)
            result->dst_host = moved[result->dst_host];
    }
    for (size_t i = 0; i < r->run.agent_count; i++) {
        char **mgmt = &r->run.agents[i].mgmt;
        if (!*mgmt)
            *mgmt = strdup(UNKNOWN);
        if (!*mgmt)
            return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    return 0;
}
