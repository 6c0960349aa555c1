#include "master/hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/machine_message.h"
#include "format/message.h"
#include "master/roster.h"
#include "model/ccalg.h"
#include "proto/agent.pb-c.h"
#include "util/address.h"
#include "util/log.h"
#include "util/units.h"
#include "util/version.h"

#define HELLO_MS      4000 /* less than gRPC takes to give a connection up */
#define CCALGS_MAX    64
#define HOSTS_MAX     500 /* of one Hello: with 16 addresses each the answer is a message */
#define NAMES_MAX     64  /* of them, that an agent looks up for one Hello */
#define TEXT_MAX      255
#define PROBLEMS_TOLD 32
#define SAMPLE_BYTES  200 /* of one in a spool, at most about */

/* An agent's word, which goes on to others. */
static char *copy(const char *text)
{
    return strndup(text ? text : "", TEXT_MAX);
}

static void take_host(struct master_host *host, const Tcpflowgen__ResolvedHost *resolved)
{
    if (resolved->error[0])
        snprintf(host->error, sizeof host->error, "%s", resolved->error);
    for (size_t i = 0; i < resolved->n_addresses && i < HOST_CHOICES_MAX; i++) {
        snprintf(host->choices[i].address, ADDRESS_MAX, "%s", resolved->addresses[i]->address);
        snprintf(host->choices[i].bind, ADDRESS_MAX, "%s", resolved->addresses[i]->bind);
        host->choice_count = i + 1;
    }
}

/* Answers come in the order of the plan, nearly always: each is looked for behind the last. */
static void take_hosts(struct master_agent *agent, const Tcpflowgen__HelloReply *reply)
{
    struct session *session = agent->session;
    const size_t count = session->plan->host_count;
    for (size_t i = 0, next = 0; i < reply->n_hosts; i++) {
        for (size_t skipped = 0; skipped < count; skipped++) {
            const size_t h = (next + skipped) % count;
            if (session->hosts[h].agent != agent ||
                strcmp(session->plan->hosts[h].name, reply->hosts[i]->name) != 0)
                continue;
            take_host(&session->hosts[h], reply->hosts[i]);
            next = h + 1;
            break;
        }
    }
    for (size_t i = 0; i < reply->n_interfaces; i++)
        roster_add_interface(agent, reply->interfaces[i]);
}

/* With best_effort the flows that it concerns are refused one by one when they are prepared. */
static void tell_problem(struct master_agent *agent, const struct error *problem)
{
    const struct error_list *told = agent->session->problems;
    char text[sizeof *problem];
    for (size_t i = 0; i < told->count; i++) /* by an earlier Hello */
        if (strcmp(told->items[i].where, problem->where) == 0 &&
            strcmp(told->items[i].what, problem->what) == 0)
            return;
    if (agent->session->options->best_effort)
        log_warning("%s", error_text(problem, text, sizeof text));
    else
        error_list_add(agent->session->problems, problem);
}

/* A problem's text ends with its cure, in brackets, as error_text() has it. */
static struct error problem_of(const struct master_agent *agent, const char *text, const char *cure)
{
    struct error err = {0};
    const size_t size = strlen(text), tail = strlen(cure) + strlen(" ()");
    const size_t what = *cure && size > tail ? size - tail : size;
    const bool apart = what < size && strncmp(text + what, " (", 2) == 0 &&
                       strncmp(text + what + 2, cure, strlen(cure)) == 0;
    error_set(&err, ERROR_AGENT, agent->title, "%.*s",
              (int)(apart && what < sizeof err.what ? what : sizeof err.what), text);
    if (apart)
        error_cure(&err, "%s", cure);
    return err;
}

static void tell_problems(struct master_agent *agent, const Tcpflowgen__HelloReply *reply)
{
    struct error err;
    for (size_t i = 0; i < reply->n_problems && i < PROBLEMS_TOLD; i++) {
        err = problem_of(agent, reply->problems[i], i < reply->n_cures ? reply->cures[i] : "");
        tell_problem(agent, &err);
    }
    if (reply->n_problems <= PROBLEMS_TOLD)
        return;
    error_set(&err, ERROR_AGENT, agent->title, "and %zu more problems",
              reply->n_problems - PROBLEMS_TOLD);
    tell_problem(agent, &err);
}

static void note_lack(struct master_agent *agent, const char *what)
{
    struct error err;
    error_set(&err, ERROR_AGENT, agent->title, "%s", what);
    error_list_add(&agent->session->lacks, &err);
}

/* One warning for all agents that lack the same; none beside problems: what is unknown to the
 * sender is so to others. */
static void warn_of_lacks(struct session *session)
{
    struct error_list *lacks = &session->lacks;
    error_list_merge(lacks);
    for (size_t i = 0; i < lacks->count && session->problems->count == 0; i++) {
        char why[640], text[768];
        error_text(&lacks->items[i], why, sizeof why);
        snprintf(text, sizeof text,
                 "%s; harmless: that end only receives, and the sender's algorithm decides", why);
        session_warn(session, text);
    }
    error_list_fini(lacks);
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

/* What each of an agent's Hellos may bring. */
static void take_more(struct master_agent *agent, const ProtobufCMessage *message)
{
    const Tcpflowgen__HelloReply *reply = (const Tcpflowgen__HelloReply *)message;
    tell_problems(agent, reply);
    take_hosts(agent, reply);
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
    check_room(agent, reply->spool_reason);
    snprintf(agent->boot, sizeof agent->boot, "%s", reply->boot);
    snprintf(agent->netns, sizeof agent->netns, "%s", reply->netns);
    if (strlen(reply->spool_directory) < sizeof agent->spools)
        strcpy(agent->spools, reply->spool_directory);
    take_more(agent, message);
    for (size_t i = 0; i < reply->n_lacks && i < CCALGS_MAX; i++)
        note_lack(agent, reply->lacks[i]);
    if (agent->end_count > agent->max_ends)
        session_agent_problem(agent, "%zu ends of flows are more than it can have, %llu: %s",
                              agent->end_count, (unsigned long long)agent->max_ends,
                              reply->max_ends_reason);
}

/* What is asked of one agent, pointing into the plan. */
struct hello {
    Tcpflowgen__HelloRequest request;
    Tcpflowgen__AgentHost hosts[HOSTS_MAX], *pointers[HOSTS_MAX];
    size_t names;
    char *ccalgs[CCALGS_MAX], *wished_ccalgs[CCALGS_MAX];
};

static void add_name(char *names[CCALGS_MAX], size_t *count, const char *name)
{
    if (!name[0] || *count == CCALGS_MAX)
        return;
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return;
    names[(*count)++] = (char *)name;
}

static void want_ccalg(struct hello *hello, const char *name, bool sends)
{
    Tcpflowgen__HelloRequest *request = &hello->request;
    if (ccalg_is_demanded(name, sends))
        add_name(hello->ccalgs, &request->n_ccalgs, name);
    else
        add_name(hello->wished_ccalgs, &request->n_wished_ccalgs, name);
}

static bool is_demanded(const struct hello *hello, const char *name)
{
    for (size_t i = 0; i < hello->request.n_ccalgs; i++)
        if (strcmp(hello->ccalgs[i], name) == 0)
            return true;
    return false;
}

/* What is demanded need not be wished, too. */
static void drop_demanded(struct hello *hello)
{
    Tcpflowgen__HelloRequest *request = &hello->request;
    size_t left = 0;
    for (size_t i = 0; i < request->n_wished_ccalgs; i++)
        if (!is_demanded(hello, hello->wished_ccalgs[i]))
            hello->wished_ccalgs[left++] = hello->wished_ccalgs[i];
    request->n_wished_ccalgs = left;
}

static void want_flows(struct hello *hello, const struct master_agent *agent)
{
    const struct session *session = agent->session;
    for (size_t i = 0; i < session->plan->flow_count; i++) {
        const struct plan_flow *flow = &session->plan->flows[i];
        bool opens = session->hosts[flow->src].agent == agent;
        bool accepts = session->hosts[flow->dst].agent == agent;
        if (opens)
            want_ccalg(hello, flow->ccalg, true);
        if (accepts)
            want_ccalg(hello, flow->ccalg, false);
        hello->request.opens_ecn |= opens && flow->ecn;
        hello->request.opens_plain |= opens && !flow->ecn;
        hello->request.accepts_ecn |= accepts && flow->ecn;
    }
    drop_demanded(hello);
}

static void add_host(struct hello *hello, const struct plan_host *host)
{
    const size_t n = hello->request.n_hosts++;
    Tcpflowgen__AgentHost *message = &hello->hosts[n];
    tcpflowgen__agent_host__init(message);
    message->name = (char *)host->name;
    message->host = (char *)host->host;
    message->bind = (char *)host->bind;
    message->device = (char *)host->device;
    message->interfaces = (char *)host->interfaces;
    hello->pointers[n] = message;
    hello->names += !host_is_numeric(host->host);
}

/* The agent's next hosts from *next on; false if there are none. */
static bool add_hosts(struct hello *hello, const struct master_agent *agent, size_t *next)
{
    const struct session *session = agent->session;
    hello->request.hosts = hello->pointers;
    for (; *next < session->plan->host_count && hello->request.n_hosts < HOSTS_MAX &&
           hello->names < NAMES_MAX;
         ++*next)
        if (session->hosts[*next].agent == agent)
            add_host(hello, &session->plan->hosts[*next]);
    return hello->request.n_hosts;
}

/* False: all was said. */
static bool say_hello(struct master_agent *agent, size_t *next, void *arg)
{
    struct hello *hello = arg;
    const bool first = *next == 0;
    Tcpflowgen__HelloRequest *request = &hello->request;
    tcpflowgen__hello_request__init(request);
    hello->names = 0;
    request->protocol = AGENT_PROTOCOL;
    request->version = (char *)TCP_FLOWGEN_VERSION;
    request->ends = agent->end_count;
    request->ccalgs = hello->ccalgs;
    request->wished_ccalgs = hello->wished_ccalgs;
    if (!add_hosts(hello, agent, next))
        return false;
    if (first) {
        request->flush_metrics = agent->session->options->flush_metrics;
        want_flows(hello, agent);
    }
    session_call(agent, AGENT_HELLO, &request->base, HELLO_MS, first ? on_hello : take_more);
    return true;
}

static bool is_here(const struct master_agent *agent)
{
    return !agent->endpoint.path[0] && host_is_loopback(agent->endpoint.host, NULL) == 1;
}

/* Whether another agent has not answered, either: one word for all. */
static bool is_one_of_several(const struct master_agent *agent)
{
    const struct session *session = agent->session;
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *other = &session->agents[i];
        if (other != agent && other->call_code == agent->call_code && !other->foreign)
            return true;
    }
    return false;
}

#define WITH_INSECURE "beyond loopback, where the network can be trusted, with --insecure"

static void tell_nobody(struct master_agent *agent)
{
    const bool path = agent->endpoint.path[0];
    struct error err = {0};
    error_set(&err, ERROR_AGENT, NULL, "no answer (%s): does an agent run there?",
              agent->call_text);
    if (is_one_of_several(agent))
        error_cure(
            &err,
            "start one there with: tcp-flowgen agent --listen, and what mgmt has; " WITH_INSECURE);
    else
        error_cure(&err, "start it with: tcp-flowgen agent --listen %.120s%s", agent->mgmt,
                   path ? "" : "; " WITH_INSECURE);
    session_agent_error(agent, &err);
}

static void tell_foreign(struct master_agent *agent)
{
    struct error err = {0};
    error_set(&err, ERROR_AGENT, NULL, "another program listens there (%s)", agent->call_text);
    error_cure(&err, "give mgmt the port that the agent listens on, or start it at another one");
    session_agent_error(agent, &err);
}

static void tell_loopback(struct master_agent *agent)
{
    struct error err = {0};
    error_set(&err, ERROR_AGENT, NULL, "no answer: " LOOPBACK_IS_DOWN);
    error_cure(&err, LOOPBACK_CURE);
    session_agent_error(agent, &err);
}

static void tell_unreachable(struct master_agent *agent)
{
    if (agent->foreign)
        tell_foreign(agent);
    else if (agent->call_code == RPC_UNIMPLEMENTED)
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
        tell_loopback(agent);
    else
        tell_nobody(agent);
}

void hello_all(struct session *session)
{
    struct hello *hello = calloc(1, sizeof *hello);
    const struct session_pieces hellos = {say_hello, hello, session_settle, tell_unreachable};
    if (hello)
        session_send_pieces(session, &hellos);
    else
        session_problem(session, NULL, "out of memory");
    free(hello);
    warn_of_lacks(session);
}
