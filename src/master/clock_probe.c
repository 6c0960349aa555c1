#include "master/clock_probe.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "master/clock_points.h"
#include "proto/agent.pb-c.h"
#include "util/address.h"
#include "util/location.h"

#define PROBE_MS 2000

static void off(struct master_agent *agent, const char *why, const char *cure)
{
    struct session *session = agent->session;
    struct error err = {0};
    probe_target_close(agent->clock.target);
    agent->clock.target = NULL;
    agent->clock.probe = PROBE_OFF;
    agent->info.clock_network[0] = '\0';
    error_set(&err, ERROR_AGENT, agent->title,
              "its clock is compared by calls alone%s, which is less exact: %s",
              agent->clock.point_count ? " from now on" : "", why);
    error_cure(&err, "%s", cure);
    error_list_add(&session->unprobed, &err);
}

void clock_probe_off(struct master_agent *agent, const char *why)
{
    off(agent, why, "");
}

void clock_probe_warn(struct session *session)
{
    char text[sizeof(struct error)];
    error_list_merge(&session->unprobed);
    for (size_t i = 0; i < session->unprobed.count; i++)
        session_warn(session, error_text(&session->unprobed.items[i], text, sizeof text));
    error_list_fini(&session->unprobed);
}

/* ---- where the agent is ---- */

/* Who is reached by a Unix socket has no address, but where he is on this machine and on its
 * loopback interface, it leads to him. */
static bool find_here(const struct master_agent *agent, char out[PROBE_ADDRESS_MAX])
{
    const char *loopback = loopback_address();
    struct location here;
    location_here(&here);
    snprintf(out, PROBE_ADDRESS_MAX, "%s", loopback ? loopback : "");
    return loopback && strcmp(here.boot, agent->boot) == 0 && strcmp(here.netns, agent->netns) == 0;
}

static bool find_on_management(const struct master_agent *agent, char out[PROBE_ADDRESS_MAX])
{
    struct addrinfo *list;
    if (agent->endpoint.path[0])
        return find_here(agent, out);
    if (host_lookup(agent->endpoint.host, 0, &list))
        return false;
    int failed = getnameinfo(list->ai_addr, list->ai_addrlen, out, PROBE_ADDRESS_MAX, NULL, 0,
                             NI_NUMERICHOST);
    freeaddrinfo(list);
    return !failed;
}

/* The address that its flows' data goes to.  Nobody says by which interface of ours a link-local
 * one would be reached. */
static bool find_on_test(const struct master_agent *agent, char out[PROBE_ADDRESS_MAX])
{
    const struct session *session = agent->session;
    for (size_t h = 0; h < session->plan->host_count; h++) {
        const struct master_host *host = &session->hosts[h];
        if (host->agent != agent || !host->choice_count)
            continue;
        snprintf(out, PROBE_ADDRESS_MAX, "%s", host->choices[0].address);
        return !host_is_link_local(out);
    }
    return false;
}

/* ---- opening ---- */

static void take_port(struct master_agent *agent, uint32_t port)
{
    struct clock_sync *sync = &agent->clock;
    struct error err = {0};
    bool usable = port > 0 && port <= UINT16_MAX;
    if (!usable || probe_target_aim(sync->target, (uint16_t)port, sync->key, &err))
        clock_probe_off(agent, usable ? err.what : "it named no UDP port");
    else
        sync->probe = PROBE_READY;
}

/* Nothing reaches the agent just now, or it was stopped for a while. */
static bool may_pass(const struct clock_sync *sync, int code)
{
    return code == RPC_UNAVAILABLE || code == RPC_CANCELLED ||
           (code == RPC_DEADLINE_EXCEEDED && sync->point_count > 0);
}

static void on_probe(struct rpc_call *call, const ProtobufCMessage *message,
                     const struct rpc_status *status, void *arg)
{
    struct master_agent *agent = arg;
    (void)call;
    if (message)
        take_port(agent, ((const Tcpflowgen__ProbeReply *)message)->port);
    else if (agent->clock.probe != PROBE_ASKED)
        return; /* it has said its port */
    else if (may_pass(&agent->clock, status->code))
        agent->clock.probe = PROBE_NEW;
    else
        clock_probe_off(agent, status->code == RPC_UNIMPLEMENTED ? "its version knows no other way"
                                                                 : status->text);
}

static bool ask(struct master_agent *agent, const char *address)
{
    struct clock_sync *sync = &agent->clock;
    char bare[PROBE_ADDRESS_MAX]; /* its scope is ours */
    Tcpflowgen__ProbeRequest request = TCPFLOWGEN__PROBE_REQUEST__INIT;
    random_bytes(sync->key, sizeof sync->key);
    request.run = agent->session->id;
    request.secret = session_secret(agent->session);
    request.key = (ProtobufCBinaryData){sizeof sync->key, sync->key};
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(address, "%"), address);
    request.address = bare;
    request.source = (char *)probe_target_source(sync->target);
    sync->probe = PROBE_ASKED;
    return rpc_start(agent->peer, &agent_methods[AGENT_PROBE], &request.base, PROBE_MS, false,
                     on_probe, agent);
}

/* Why no address leads to it. */
static void tell_nowhere(struct master_agent *agent, bool on_test)
{
    if (on_test)
        off(agent, "its test address is not known, or link-local",
            "--clock-network mgmt compares over the management network");
    else if (agent->endpoint.path[0])
        off(agent, "its Unix socket has no address",
            "--clock-network test compares over the test network, where this machine reaches it");
    else
        off(agent, "its address is not known", "");
}

void clock_probe_open(struct master_agent *agent)
{
    struct session *session = agent->session;
    bool on_test = session->options->clock_on_test;
    char address[PROBE_ADDRESS_MAX];
    struct error err = {0};
    probe_target_close(agent->clock.target);
    agent->clock.target = NULL;
    if (on_test ? !find_on_test(agent, address) : !find_on_management(agent, address))
        tell_nowhere(agent, on_test);
    else if (probe_target_open(&agent->clock.target, session->prober, address, &err))
        clock_probe_off(agent, err.what);
    else if (!ask(agent, address))
        clock_probe_off(agent, "out of memory");
    else
        snprintf(agent->info.clock_network, sizeof agent->info.clock_network, "%s",
                 on_test ? "test" : "mgmt");
}

/* ---- bursts ---- */

void clock_probe_start(struct master_agent *agent, size_t count)
{
    agent->clock.probing = true;
    agent->clock.probe_failure[0] = '\0';
    probe_target_burst(agent->clock.target, count);
}

static void note_failure(struct clock_sync *sync, const struct probe_burst *burst, bool on_test)
{
    static const char *const questions[] = {
        ": does a firewall drop the datagrams?",
        ": does a firewall drop the datagrams, or is the test network out of the master's reach?"};
    snprintf(sync->probe_failure, sizeof sync->probe_failure, "%s%s", burst->failure,
             burst->silent ? questions[on_test] : "");
}

void clock_probe_take(struct session *session, void (*over)(struct master_agent *agent))
{
    for (size_t i = 0; i < session->agent_count; i++) {
        struct master_agent *agent = &session->agents[i];
        struct clock_sync *sync = &agent->clock;
        struct probe_burst burst;
        if (!sync->probing || !probe_target_take(sync->target, &burst))
            continue;
        sync->probing = false;
        if (burst.count)
            clock_points_add(agent, burst.exchanges, burst.count);
        else
            note_failure(sync, &burst, session->options->clock_on_test);
        over(agent);
    }
}

void clock_probe_fini(struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        probe_target_close(session->agents[i].clock.target);
        session->agents[i].clock.target = NULL;
        session->agents[i].clock.probing = false;
    }
    prober_destroy(session->prober);
    session->prober = NULL;
}
