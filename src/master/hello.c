#include "master/hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/machine_message.h"
#include "format/message.h"
#include "master/roster.h"
#include "proto/agent.pb-c.h"
#include "util/address.h"
#include "util/log.h"
#include "util/units.h"
#include "util/version.h"

#define HELLO_MS     4000 /* less than gRPC takes to give a connection up */
#define CCALGS_MAX   64
#define SAMPLE_BYTES 200 /* of one in a spool, at most about */

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
            snprintf(host->error, sizeof host->error, "%s", resolved->error);
        for (size_t i = 0; i < resolved->n_addresses && i < HOST_CHOICES_MAX; i++) {
            snprintf(host->choices[i].address, ADDRESS_MAX, "%s", resolved->addresses[i]->address);
            snprintf(host->choices[i].bind, ADDRESS_MAX, "%s", resolved->addresses[i]->bind);
            host->choice_count = i + 1;
        }
    }
}

/* With best_effort the flows that it concerns are refused one by one when they are prepared. */
static void tell_problem(struct master_agent *agent, const char *problem)
{
    if (agent->session->options->best_effort)
        log_warning("%s: %s", agent->title, problem);
    else
        session_problem(agent->session, agent->title, "%s", problem);
}

/* What the agent's spool will need: a guess on the safe side. */
static void check_room(struct master_agent *agent, const char *reason)
{
    const struct session *session = agent->session;
    int64_t interval =
        session->plan->interval_ns ? session->plan->interval_ns : agent->info.interval_ns;
    double samples = 0;
    for (uint32_t i = 0; i < session->plan->flow_count && interval > 0; i++)
        for (int end = 0; end < 2; end++)
            if (session_agent(session, i, end) == agent)
                samples += (double)session->plan->flows[i].duration_ns / (double)interval + 2;
    double need = samples * SAMPLE_BYTES;
    if (need <= (double)agent->spool_free_bytes || !agent->spool_free_bytes)
        return; /* of no room at all the agent says why */
    char needed[UNITS_TEXT_MAX], there[UNITS_TEXT_MAX];
    session_agent_problem(agent, "its spool may need %s, and there are %s: %s",
                          units_bytes((uint64_t)need, needed),
                          units_bytes(agent->spool_free_bytes, there),
                          *reason ? reason : "make room there, or name another place with --spool");
}

static void on_hello(struct master_agent *agent, const ProtobufCMessage *message)
{
    const Tcpflowgen__HelloReply *reply = (const Tcpflowgen__HelloReply *)message;
    if (reply->protocol != AGENT_PROTOCOL) {
        session_agent_problem(agent,
                              "it speaks protocol %u (version %s), this master %u (version %s): "
                              "the %s is older, install one version everywhere",
                              reply->protocol, reply->version, AGENT_PROTOCOL, TCP_FLOWGEN_VERSION,
                              reply->protocol < AGENT_PROTOCOL ? "agent" : "master");
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
        .clock_before = message_to_discipline(reply->discipline),
    };
    if (reply->runs_under_way)
        log_warning("%s: %u other run%s there now, and would share its machine and its "
                    "networks with this one",
                    agent->title, reply->runs_under_way,
                    reply->runs_under_way == 1 ? " has flows" : "s have flows");
    agent->max_ends = reply->max_ends;
    agent->spool_free_bytes = reply->spool_free_bytes;
    if (settings_from_messages(&agent->info.about, reply->settings, reply->n_settings))
        session_agent_problem(agent, "out of memory");
    for (size_t i = 0; i < reply->n_interfaces; i++)
        roster_add_interface(agent, reply->interfaces[i]);
    check_room(agent, reply->spool_reason);
    snprintf(agent->boot, sizeof agent->boot, "%s", reply->boot);
    snprintf(agent->netns, sizeof agent->netns, "%s", reply->netns);
    if (strlen(reply->spool_directory) < sizeof agent->spools)
        strcpy(agent->spools, reply->spool_directory);
    for (size_t i = 0; i < reply->n_problems; i++)
        tell_problem(agent, reply->problems[i]);
    for (size_t i = 0; i < reply->n_hosts; i++)
        take_addresses(agent, reply->hosts[i]);
    if (agent->end_count > agent->max_ends)
        session_agent_problem(agent, "%zu ends of flows are more than it can have, %llu: %s",
                              agent->end_count, (unsigned long long)agent->max_ends,
                              reply->max_ends_reason);
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
    hello->request.ends = agent->end_count;
    hello->request.flush_metrics = session->options->flush_metrics;
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
        message->interfaces = (char *)host->interfaces;
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
        session_agent_problem(agent, "out of memory");
    free(hello.hosts);
    free(hello.pointers);
}

static bool is_here(const struct master_agent *agent)
{
    return !agent->endpoint.path[0] && host_is_loopback(agent->endpoint.host, NULL) == 1;
}

static void tell_unreachable(struct master_agent *agent)
{
    if (agent->call_code == RPC_UNIMPLEMENTED)
        session_agent_problem(agent, "what listens there is not an agent of this program");
    else if (agent->call_code == RPC_PERMISSION_DENIED ||
             agent->call_code == RPC_RESOURCE_EXHAUSTED)
        session_agent_problem(agent, "%s", agent->call_text);
    else if (agent->call_code == RPC_DEADLINE_EXCEEDED)
        session_agent_problem(
            agent,
            "no answer within %d s: either it hangs, or what listens there is not "
            "an agent, or packets get lost on the way",
            HELLO_MS / 1000);
    else if (is_here(agent) && !loopback_address())
        session_agent_problem(agent, "no answer: " LOOPBACK_IS_DOWN " (" LOOPBACK_CURE ")");
    else
        session_agent_problem(
            agent,
            "no answer (%s): does an agent run there? Start it with: tcp-flowgen agent "
            "--listen %s%s",
            agent->call_text, agent->mgmt,
            agent->endpoint.path[0] ? ""
                                    : " (beyond loopback, where the network can be trusted, with "
                                      "--insecure)");
}

void hello_all(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (session_usable(&session->agents[i]))
            say_hello(&session->agents[i]);
    session_settle(session);
    for (size_t i = 0; i < session->agent_count; i++)
        if (session_usable(&session->agents[i]) && session->agents[i].call_code != RPC_OK)
            tell_unreachable(&session->agents[i]);
}
