#include "master/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/agent.pb-c.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/version.h"

#define HELLO_MS   5000
#define CCALGS_MAX 64

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

int roster_build(struct session *session, struct error *err)
{
    const struct plan *plan = session->plan;
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
        }
    }
    return 0;
}

int roster_connect(struct session *session, const uint16_t *local_ports, struct error *err)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (local_ports) {
            snprintf(agent->endpoint.host, sizeof agent->endpoint.host, "127.0.0.1");
            agent->endpoint.port = local_ports[i];
        } else if (endpoint_parse(agent->mgmt, &agent->endpoint, err)) {
            return err->code;
        }
        struct error unresolved = {0};
        if (rpc_peer_create(&agent->peer, session->loop, agent->endpoint.host, agent->endpoint.port,
                            &unresolved)) {
            unresolved.code = ERROR_AGENT;
            snprintf(unresolved.where, sizeof unresolved.where, "agent %s", agent->mgmt);
            error_list_add(session->problems, &unresolved);
        }
    }
    return 0;
}

/* ---- hello ---- */

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

static void take_addresses(struct master_agent *agent, const Tcpflowgen__ResolvedHost *resolved)
{
    struct session *session = agent->session;
    for (size_t h = 0; h < session->plan->host_count; h++) {
        struct master_host *host = &session->hosts[h];
        if (host->agent != agent || strcmp(session->plan->hosts[h].name, resolved->name) != 0)
            continue;
        if (resolved->error[0])
            session_problem(session, session->plan->hosts[h].name, "%s", resolved->error);
        for (size_t i = 0; i < resolved->n_addresses && i < HOST_CHOICES_MAX; i++) {
            snprintf(host->choices[i].address, ADDRESS_MAX, "%s", resolved->addresses[i]->address);
            snprintf(host->choices[i].bind, ADDRESS_MAX, "%s", resolved->addresses[i]->bind);
            host->choice_count = i + 1;
        }
    }
}

static void on_hello(struct master_agent *agent, const ProtobufCMessage *message)
{
    const Tcpflowgen__HelloReply *reply = (const Tcpflowgen__HelloReply *)message;
    struct session *session = agent->session;
    char where[128];
    snprintf(where, sizeof where, "agent %s", agent->mgmt);
    if (reply->protocol != AGENT_PROTOCOL) {
        session_problem(
            session, where,
            "it speaks protocol %u (version %s), this master %u (version %s): install one "
            "version everywhere",
            reply->protocol, reply->version, AGENT_PROTOCOL, TCP_FLOWGEN_VERSION);
        return;
    }
    agent->info = (struct run_agent){
        .mgmt = copy(agent->mgmt),
        .instance = copy(reply->instance),
        .version = copy(reply->version),
        .hostname = copy(reply->hostname),
        .kernel = copy(reply->kernel),
        .machine = copy(reply->machine),
        .cpus = reply->cpus,
        .workers = reply->workers,
        .interval_ns = reply->interval_ns,
    };
    agent->max_ends = reply->max_ends;
    snprintf(agent->netns, sizeof agent->netns, "%s", reply->netns);
    for (size_t i = 0; i < reply->n_problems; i++)
        session_problem(session, where, "%s", reply->problems[i]);
    for (size_t i = 0; i < reply->n_hosts; i++)
        take_addresses(agent, reply->hosts[i]);
    if (agent->end_count > agent->max_ends)
        session_problem(
            session, where,
            "%zu ends of flows are more than its limit of descriptors allows (%llu): raise "
            "it there (ulimit -n %zu)",
            agent->end_count, (unsigned long long)agent->max_ends, agent->end_count + 128);
}

/* What is asked of one agent, pointing into the plan. */
struct hello {
    Tcpflowgen__HelloRequest request;
    Tcpflowgen__AgentHost *hosts;
    Tcpflowgen__AgentHost **pointers;
    char *ccalgs[CCALGS_MAX];
};

static void want_ccalg(struct hello *hello, const char *name)
{
    Tcpflowgen__HelloRequest *request = &hello->request;
    if (!name[0] || request->n_ccalgs == CCALGS_MAX)
        return;
    for (size_t i = 0; i < request->n_ccalgs; i++)
        if (strcmp(hello->ccalgs[i], name) == 0)
            return;
    hello->ccalgs[request->n_ccalgs++] = (char *)name;
}

static void want_flows(struct hello *hello, const struct master_agent *agent)
{
    const struct session *session = agent->session;
    for (size_t i = 0; i < session->plan->flow_count; i++) {
        const struct plan_flow *flow = &session->plan->flows[i];
        bool opens = session->hosts[flow->src].agent == agent;
        bool accepts = session->hosts[flow->dst].agent == agent;
        if (opens || accepts)
            want_ccalg(hello, flow->ccalg);
        hello->request.opens_ecn |= opens && flow->ecn;
        hello->request.opens_plain |= opens && !flow->ecn;
        hello->request.accepts_ecn |= accepts && flow->ecn;
    }
}

static bool hello_init(struct hello *hello, const struct master_agent *agent)
{
    const struct session *session = agent->session;
    size_t count = session->plan->host_count;
    *hello = (struct hello){.request = TCPFLOWGEN__HELLO_REQUEST__INIT};
    hello->hosts = calloc(count, sizeof *hello->hosts);
    hello->pointers = calloc(count, sizeof(*hello->pointers));
    if (!hello->hosts || !hello->pointers)
        return false;
    hello->request.protocol = AGENT_PROTOCOL;
    hello->request.version = (char *)TCP_FLOWGEN_VERSION;
    hello->request.ccalgs = hello->ccalgs;
    hello->request.hosts = hello->pointers;
    for (size_t h = 0; h < count; h++) {
        if (session->hosts[h].agent != agent)
            continue;
        const struct plan_host *host = &session->plan->hosts[h];
        Tcpflowgen__AgentHost *message = &hello->hosts[hello->request.n_hosts];
        tcpflowgen__agent_host__init(message);
        message->name = (char *)host->name;
        message->host = (char *)host->host;
        message->bind = (char *)host->bind;
        message->device = (char *)host->device;
        hello->pointers[hello->request.n_hosts++] = message;
    }
    want_flows(hello, agent);
    return true;
}

static void say_hello(struct master_agent *agent)
{
    struct hello hello;
    if (hello_init(&hello, agent))
        session_call(agent, AGENT_HELLO, &hello.request.base, HELLO_MS, on_hello);
    else
        session_problem(agent->session, agent->mgmt, "out of memory");
    free(hello.hosts);
    free(hello.pointers);
}

static void tell_unreachable(struct master_agent *agent)
{
    char where[128];
    snprintf(where, sizeof where, "agent %s", agent->mgmt);
    if (agent->call_code == RPC_UNIMPLEMENTED)
        session_problem(agent->session, where,
                        "what listens there is not a tcp-flowgen agent of this kind");
    else
        session_problem(
            agent->session, where,
            "no answer (%s): is it running? Start it there with: tcp-flowgen agent --listen %s",
            agent->call_text, agent->mgmt);
}

/* ---- one agent under two names ---- */

static void absorb(struct session *session, size_t into, size_t from)
{
    struct master_agent *keep = &session->agents[into], *drop = &session->agents[from];
    log_info("agents %s and %s are one", keep->mgmt, drop->mgmt);
    keep->end_count += drop->end_count;
    for (size_t h = 0; h < session->plan->host_count; h++)
        if (session->hosts[h].agent == drop)
            session->hosts[h].agent = keep;
    rpc_peer_destroy(drop->peer);
    drop->peer = NULL;
    drop->ended = true;
}

static void merge(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        const char *mine = session->agents[i].info.instance;
        for (size_t j = i + 1; mine && session->agents[i].peer && j < session->agent_count; j++) {
            const char *other = session->agents[j].info.instance;
            if (other && session->agents[j].peer && strcmp(mine, other) == 0)
                absorb(session, i, j);
        }
    }
}

/* ---- addresses ---- */

static bool is_ipv6(const char *address)
{
    return strchr(address, ':') != NULL;
}

/* The accepting host's first address whose family the opening host has, too. */
static bool choose_addresses(const struct session *session, size_t index)
{
    const struct plan_flow *plan = &session->plan->flows[index];
    const struct master_host *src = &session->hosts[plan->src], *dst = &session->hosts[plan->dst];
    struct master_flow *flow = &session->flows[index];
    for (size_t d = 0; d < dst->choice_count; d++) {
        for (size_t s = 0; s < src->choice_count; s++) {
            if (is_ipv6(src->choices[s].address) != is_ipv6(dst->choices[d].address))
                continue;
            strcpy(flow->address[END_SRC], src->choices[s].address);
            strcpy(flow->bind[END_SRC], src->choices[s].bind);
            strcpy(flow->address[END_DST], dst->choices[d].address);
            strcpy(flow->bind[END_DST], dst->choices[d].bind);
            return true;
        }
    }
    return false;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* A name such as the machine's own is often 127.0.1.1 there: no other machine reaches that. */
static void refuse_loopback(struct session *session, size_t index, const char *where)
{
    const struct plan_flow *flow = &session->plan->flows[index];
    const struct master_agent *src = session->hosts[flow->src].agent;
    const struct master_agent *dst = session->hosts[flow->dst].agent;
    if (strcmp(src->netns, dst->netns) == 0)
        return;
    for (size_t end = 0; end < 2; end++) {
        const char *address = session->flows[index].address[end];
        const struct plan_host *host =
            &session->plan->hosts[end == END_SRC ? flow->src : flow->dst];
        if (is_loopback(address))
            session_problem(
                session, where,
                "%s's address %s is a loopback address, which the other host cannot reach: "
                "name its address in the test network as \"host\"",
                host->name, address);
    }
}

static void settle_addresses(struct session *session)
{
    for (size_t i = 0; i < session->plan->flow_count; i++) {
        const struct plan_flow *flow = &session->plan->flows[i];
        if (!session->hosts[flow->src].choice_count || !session->hosts[flow->dst].choice_count)
            continue; /* already a problem of the host */
        char where[32];
        snprintf(where, sizeof where, "flows[%zu]", i);
        if (choose_addresses(session, i))
            refuse_loopback(session, i, where);
        else
            session_problem(
                session, where,
                "%s and %s have no addresses of one family (IPv4 or IPv6): name addresses "
                "instead of names",
                session->plan->hosts[flow->src].name, session->plan->hosts[flow->dst].name);
    }
}

void roster_hello(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (session->agents[i].peer)
            say_hello(&session->agents[i]);
    session_settle(session);
    for (size_t i = 0; i < session->agent_count; i++)
        if (session->agents[i].peer && session->agents[i].call_code != RPC_OK)
            tell_unreachable(&session->agents[i]);
    merge(session);
    settle_addresses(session);
}

void roster_fini(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        if (agent->peer)
            rpc_peer_destroy(agent->peer);
        free(agent->info.mgmt);
        free(agent->info.instance);
        free(agent->info.version);
        free(agent->info.hostname);
        free(agent->info.kernel);
        free(agent->info.machine);
        free(agent->info.lost);
    }
    for (size_t i = 0; session->flows && i < session->plan->flow_count; i++) {
        free(session->flows[i].report[END_SRC]);
        free(session->flows[i].report[END_DST]);
    }
    free(session->agents);
    free(session->hosts);
    free(session->flows);
}
