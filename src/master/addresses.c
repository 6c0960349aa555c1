#include "master/addresses.h"

#include <string.h>

static bool is_ipv6(const char *address)
{
    return strchr(address, ':') != NULL;
}

/* The accepting host's first address whose family the opening host has, too. */
static bool choose_addresses(const struct session *session, uint32_t index)
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
static void refuse_loopback(struct session *session, uint32_t index)
{
    const struct plan_flow *flow = &session->plan->flows[index];
    const struct master_agent *src = session->hosts[flow->src].agent;
    const struct master_agent *dst = session->hosts[flow->dst].agent;
    if (strcmp(src->boot, dst->boot) == 0 && strcmp(src->netns, dst->netns) == 0)
        return;
    for (size_t end = 0; end < 2; end++) {
        const char *address = session->flows[index].address[end];
        const struct plan_host *host =
            &session->plan->hosts[end == END_SRC ? flow->src : flow->dst];
        if (is_loopback(address))
            session_flow_problem(
                session, index,
                "%s's address %s is a loopback address, which the other host cannot "
                "reach: name its address in the test network as \"host\"",
                host->name, address);
    }
}

/* Of a host that is sampled only, the address says at most which interface. */
static bool is_needed(const struct session *session, size_t host)
{
    return session->hosts[host].tested || !session->plan->hosts[host].interfaces[0];
}

/* A host that its agent cannot use is one problem, not one for each of its flows. */
static void tell_hosts(struct session *session)
{
    for (size_t h = 0; h < session->plan->host_count; h++)
        if (session->hosts[h].error[0] && !session->options->best_effort && is_needed(session, h))
            session_problem(session, session->plan->hosts[h].name, "%s", session->hosts[h].error);
}

static bool host_serves(struct session *session, uint32_t index, uint32_t host)
{
    struct master_flow *flow = &session->flows[index];
    const struct master_host *at = &session->hosts[host];
    if (at->error[0] && session->options->best_effort)
        session_flow_problem(session, index, "%s: %s", session->plan->hosts[host].name, at->error);
    flow->refused |= !at->choice_count;
    return at->choice_count;
}

static void settle(struct session *session, uint32_t index)
{
    const struct plan_flow *flow = &session->plan->flows[index];
    if (!host_serves(session, index, flow->src) || !host_serves(session, index, flow->dst))
        return;
    if (choose_addresses(session, index))
        refuse_loopback(session, index);
    else
        session_flow_problem(
            session, index,
            "%s and %s have no addresses of one family (IPv4 or IPv6): name addresses "
            "instead of names",
            session->plan->hosts[flow->src].name, session->plan->hosts[flow->dst].name);
}

void addresses_settle(struct session *session)
{
    tell_hosts(session);
    for (uint32_t i = 0; i < session->plan->flow_count; i++)
        settle(session, i);
}
