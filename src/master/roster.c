#include "master/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "util/address.h"
#include "util/log.h"

#define OWN_FDS 32 /* that files and gRPC take */

/* ---- from the plan ---- */

static struct master_agent *agent_for(struct session *session, const char *mgmt)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (strcmp(session->agents[i].mgmt, mgmt) == 0)
            return &session->agents[i];
    struct master_agent *agent = &session->agents[session->agent_count++];
    agent->session = session;
    agent->mgmt = mgmt;
    return agent;
}

static void entitle(struct master_agent *agent)
{
    char names[HOST_NAMES_MAX];
    snprintf(agent->title, sizeof agent->title, "%s (agent %.80s)",
             host_names_text(&agent->hosts, names), agent->mgmt);
}

/* By the hosts of theirs that take part. */
static void name_agents(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        session->agents[i].hosts = (struct host_names){0};
    for (size_t h = 0; h < session->plan->host_count; h++)
        if (session->hosts[h].agent)
            host_names_add(&session->hosts[h].agent->hosts, session->plan->hosts[h].name);
    for (size_t i = 0; i < session->agent_count; i++)
        entitle(&session->agents[i]);
}

/* A connection to each, perhaps a new one beside the old. */
static int need_descriptors(size_t agents, struct error *err)
{
    const rlim_t need = 2 * agents + OWN_FDS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max >= need && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    error_set(err, ERROR_SYSTEM, NULL, "too few descriptors for %zu agents: %llu can be open",
              agents, (unsigned long long)limit.rlim_max);
    return error_cure(err, "raise the limit of open files to %llu (ulimit -n)",
                      (unsigned long long)need);
}

int roster_build(struct session *session, struct error *err)
{
    const struct plan *plan = session->plan;
    session->agent_count = 0;
    session->agents = calloc(plan->host_count, sizeof *session->agents);
    session->hosts = calloc(plan->host_count, sizeof *session->hosts);
    session->flows = calloc(plan->flow_count, sizeof *session->flows);
    if (!session->agents || !session->hosts || !session->flows)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (size_t i = 0; i < plan->flow_count; i++) {
        const uint32_t ends[2] = {plan->flows[i].src, plan->flows[i].dst};
        for (size_t e = 0; e < 2; e++) {
            struct master_host *host = &session->hosts[ends[e]];
            if (!host->agent)
                host->agent = agent_for(session, plan->hosts[ends[e]].mgmt);
            host->agent->end_count++;
            host->tested = true;
        }
    }
    for (size_t i = 0; i < plan->host_count; i++) {
        struct master_host *host = &session->hosts[i];
        if (!plan->hosts[i].sample)
            continue;
        if (!host->agent)
            host->agent = agent_for(session, plan->hosts[i].mgmt);
        host->agent->sampled = true;
    }
    name_agents(session);
    return need_descriptors(session->agent_count, err);
}

int roster_connect(struct session *session, const uint16_t *local_ports, struct error *err)
{
    const char *loopback = loopback_address();
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (local_ports) {
            agent->endpoint = (struct endpoint){.port = local_ports[i]};
            snprintf(agent->endpoint.host, sizeof agent->endpoint.host, "%s",
                     loopback ? loopback : "127.0.0.1");
        } else if (endpoint_parse(agent->mgmt, &agent->endpoint, err)) {
            return err->code;
        }
        struct error unresolved = {0};
        if (rpc_peer_create(&agent->peer, session->loop, &agent->endpoint,
                            &session->options->trusted, &unresolved)) {
            session_agent_problem(agent, "%s", unresolved.what);
        }
    }
    return 0;
}

void roster_add_interface(struct master_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->interface_count; i++)
        if (strcmp(agent->interfaces[i], name) == 0)
            return;
    if (agent->interface_count < HOST_INTERFACES_MAX)
        snprintf(agent->interfaces[agent->interface_count++], DEVICE_MAX, "%s", name);
}

/* ---- one agent under two names ---- */

static void absorb(struct session *session, size_t into, size_t from)
{
    struct master_agent *keep = &session->agents[into], *drop = &session->agents[from];
    log_info("agents %s and %s are one", keep->mgmt, drop->mgmt);
    keep->end_count += drop->end_count;
    keep->sampled |= drop->sampled;
    for (size_t i = 0; i < drop->interface_count; i++)
        roster_add_interface(keep, drop->interfaces[i]);
    for (size_t h = 0; h < session->plan->host_count; h++)
        if (session->hosts[h].agent == drop)
            session->hosts[h].agent = keep;
    rpc_peer_destroy(drop->peer);
    drop->peer = NULL;
    drop->merged = drop->ended = true;
    keep->absorbed = true;
}

/* Those of both names; each alone was checked before. */
static void check_ends(struct master_agent *agent)
{
    if (agent->absorbed && session_usable(agent) && agent->end_count > agent->max_ends)
        session_agent_problem(agent,
                              "%zu ends of flows, counting those under its other names, are more "
                              "than it can have, %llu: spread the flows over more machines",
                              agent->end_count, (unsigned long long)agent->max_ends);
}

void roster_merge(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        const char *mine = session->agents[i].info.instance;
        const bool known = mine && *mine;
        for (size_t j = i + 1; known && session->agents[i].peer && j < session->agent_count; j++) {
            const char *other = session->agents[j].info.instance;
            if (other && session->agents[j].peer && strcmp(mine, other) == 0)
                absorb(session, i, j);
        }
        if (session->agents[i].absorbed)
            name_agents(session);
        check_ends(&session->agents[i]);
    }
}

void roster_fini(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (agent->peer)
            rpc_peer_destroy(agent->peer);
        run_agent_fini(&agent->info);
    }
    for (size_t i = 0; session->flows && i < session->plan->flow_count; i++) {
        free(session->flows[i].report[END_SRC]);
        free(session->flows[i].report[END_DST]);
        free(session->flows[i].captured[END_SRC]);
        free(session->flows[i].captured[END_DST]);
    }
    free(session->agents);
    free(session->hosts);
    free(session->flows);
}
