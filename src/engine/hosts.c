/* Names, addresses, interfaces and routes, so that test traffic goes where the scenario says and
 * not where the routing table happens to lead.  No data plane's thread. */
#include "engine/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/netlink.h"
#include "util/address.h"
#include "util/cleanup.h"

#define LIST_MAX       200 /* of addresses or names, within a message */
#define LOOPBACK_INDEX 1   /* in every network namespace */

static bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_link_local(const struct ip *ip)
{
    return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* 0.0.0.0 and ::, which as a destination mean this machine to the kernel, whoever asks. */
static bool is_unspecified(const struct ip *ip)
{
    static const uint8_t zero[sizeof ip->bytes];
    return memcmp(ip->bytes, zero, sizeof zero) == 0;
}

/* Numeric; a link-local IPv6 address with its interface, without which it means nothing. */
static char *ip_text(const struct ip *ip, char out[ADDRESS_MAX])
{
    char device[IF_NAMESIZE];
    inet_ntop(ip->family, ip->bytes, out, ADDRESS_MAX);
    if (is_link_local(ip) && ip->interface && if_indextoname(ip->interface, device)) {
        size_t size = strlen(out);
        snprintf(out + size, ADDRESS_MAX - size, "%%%s", device);
    }
    return out;
}

static const char *interface_name(unsigned index, char out[IF_NAMESIZE])
{
    return if_indextoname(index, out) ? out : "?";
}

/* Appends to a comma-separated list of limited size. */
static void list_add(char list[LIST_MAX], const char *item)
{
    size_t size = strlen(list);
    if (size + strlen(item) + sizeof ", ..." <= LIST_MAX)
        snprintf(list + size, LIST_MAX - size, "%s%s", size ? ", " : "", item);
    else if (size >= 3 && strcmp(list + size - 3, "...") != 0)
        snprintf(list + size, LIST_MAX - size, ", ...");
}

/* The addresses without duplicates, in their order; frees them.  Their number. */
static int take_answers(struct addrinfo *answers, struct ip out[HOST_ADDRESSES_MAX])
{
    int count = 0;
    for (const struct addrinfo *a = answers; a && count < HOST_ADDRESSES_MAX; a = a->ai_next) {
        bool known = a->ai_family != AF_INET && a->ai_family != AF_INET6;
        struct ip ip = known ? (struct ip){0} : ip_from(a->ai_addr);
        for (int i = 0; i < count && !known; i++)
            known = ip_equal(&out[i], &ip);
        if (!known)
            out[count++] = ip;
    }
    freeaddrinfo(answers);
    return count;
}

static int device_check(const char *device, struct error *err)
{
    char list[LIST_MAX] = "";

    if (!device[0] || if_nametoindex(device))
        return 0;
    struct if_nameindex *names = if_nameindex();
    for (const struct if_nameindex *n = names; n && n->if_index; n++)
        list_add(list, n->if_name);
    if_freenameindex(names);
    error_set(err, ERROR_AGENT, NULL, "this machine has no interface \"%.32s\" (it has %s)", device,
              list);
    return error_cure(err, "correct \"device\", or leave it out");
}

/* Whether a scope ("fe80::1%eth0") names no interface of this machine. */
static bool has_foreign_scope(const char *text, struct error *err)
{
    const char *scope = strchr(text, '%');
    if (!scope || !device_check(scope + 1, err))
        return false;
    error_cure(err, "write the interface that the host itself has behind the \"%%\"");
    return true;
}

/* Their number, or ERROR_AGENT. */
static int resolve(const char *name, host_finder *find, void *arg,
                   struct ip out[HOST_ADDRESSES_MAX], struct error *err)
{
    struct addrinfo *answers = NULL;
    const char *why = find(arg, name, &answers);
    if (!why)
        return take_answers(answers, out);
    if (has_foreign_scope(name, err))
        return ERROR_AGENT;
    error_set(err, ERROR_AGENT, NULL, "the address of \"%.128s\" cannot be found: %s", name, why);
    error_cure(err, "write a numeric address, or a name that this machine can resolve");
    return ERROR_AGENT;
}

static int parse_numeric(const char *text, struct ip *out, struct error *err)
{
    struct ip found[HOST_ADDRESSES_MAX];
    *out = (struct ip){0};
    struct addrinfo *answers;
    if (host_lookup(text, AI_NUMERICHOST, &answers) || take_answers(answers, found) != 1) {
        if (has_foreign_scope(text, err))
            return ERROR_AGENT;
        error_set(err, ERROR_AGENT, NULL, "\"%.128s\" is not a numeric address", text);
        return error_cure(err, "write it as 192.0.2.1 or 2001:db8::1");
    }
    *out = found[0];
    return 0;
}

/* The addresses of this machine. */
struct machine {
    struct ip *owned;
    size_t count;
};

static void machine_fini(struct machine *machine)
{
    free(machine->owned);
}

static int machine_read(struct machine *machine, struct error *err)
{
    *machine = (struct machine){0};
    int status = netlink_addresses(&machine->owned, &machine->count);
    if (status)
        return error_set_errno(err, ERROR_SYSTEM, -status, NULL,
                               "cannot list this machine's addresses");
    return 0;
}

/* Index of the interface that owns the address, 0 if it is foreign.  An address that stands at no
 * interface is local all the same if the kernel says so: all of 127.0.0.0/8, for one. */
static unsigned machine_owner(const struct machine *machine, const struct ip *ip)
{
    struct netlink_route route;

    for (size_t i = 0; i < machine->count; i++) {
        const struct ip *owned = &machine->owned[i];
        if (ip_equal(owned, ip) && (!ip->interface || ip->interface == owned->interface))
            return owned->interface;
    }
    if (!is_unspecified(ip) && netlink_route_get(ip, NULL, ip->interface, &route) == 0 &&
        route.type == RTN_LOCAL)
        return route.interface;
    return 0;
}

/* Whether the address stands at that interface; it may stand at several. */
static bool machine_owns(const struct machine *machine, const struct ip *ip, unsigned interface)
{
    for (size_t i = 0; i < machine->count; i++) {
        if (machine->owned[i].interface == interface && ip_equal(&machine->owned[i], ip))
            return true;
    }
    return false;
}

static bool machine_has_family(const struct machine *machine, int family)
{
    for (size_t i = 0; i < machine->count; i++) {
        if (machine->owned[i].family == family)
            return true;
    }
    return false;
}

/* ERROR_AGENT: "what (foreign) is not an address of this machine (it has ...)". */
static int foreign_error(const struct machine *machine, const char *what, struct error *err)
{
    char list[LIST_MAX] = "", text[ADDRESS_MAX];

    for (size_t i = 0; i < machine->count; i++) {
        if (!is_link_local(&machine->owned[i]))
            list_add(list, ip_text(&machine->owned[i], text));
    }
    return error_set(err, ERROR_AGENT, NULL, "%.300s is not an address of this machine (it has %s)",
                     what, list[0] ? list : "none");
}

/* The interface that owns the address, as machine_owner().  A link-local one may stand at several:
 * then `device`, or the address's scope, says at which; else 0 and err. */
static unsigned find_owner(const struct machine *machine, const struct ip *ip, const char *device,
                           struct error *err)
{
    char list[LIST_MAX] = "", name[IF_NAMESIZE];
    unsigned owner = 0, owners = 0;
    if (!is_link_local(ip) || ip->interface)
        return machine_owner(machine, ip);
    if (device[0])
        return machine_owns(machine, ip, if_nametoindex(device)) ? if_nametoindex(device) : 0;
    for (size_t i = 0; i < machine->count; i++) {
        if (!ip_equal(&machine->owned[i], ip))
            continue;
        owner = machine->owned[i].interface;
        owners++;
        list_add(list, interface_name(owner, name));
    }
    if (owners < 2)
        return owner;
    error_set(err, ERROR_AGENT, NULL, "%s is an address of several interfaces (%s)",
              ip_text(ip, (char[ADDRESS_MAX]){0}), list);
    error_cure(err, "say which one is meant, as in \"%s%%%s\", or with \"device\"",
               ip_text(ip, (char[ADDRESS_MAX]){0}), name);
    return 0;
}

/* Others reach a link-local address by an interface of their own. */
static void keep(struct host_address *out, const struct ip *address, const struct ip *bind,
                 unsigned interface)
{
    struct ip bare = *address;
    bare.interface = 0;
    *out = (struct host_address){0};
    ip_text(&bare, out->address);
    if (!bind)
        return;
    ip_text(bind, out->bind);
    char name[IF_NAMESIZE];
    if (if_indextoname(interface, name))
        snprintf(out->interface, sizeof out->interface, "%s", name);
}

/* "bind": "any". */
static int keep_unbound(const struct machine *machine, const struct ip *found, int found_count,
                        struct host_address *out)
{
    int count = 0;
    for (int i = 0; i < found_count; i++) {
        if (!is_unspecified(&found[i]) && machine_has_family(machine, found[i].family))
            keep(&out[count++], &found[i], NULL, 0);
    }
    return count;
}

static int give(struct error *err, const struct error *from)
{
    if (err)
        *err = *from;
    return from->code;
}

/* "bind": a numeric address. */
static int keep_bound(const struct machine *machine, const char *bind, const char *device,
                      const struct ip *found, int found_count, struct host_address *out,
                      struct error *err)
{
    struct ip local;
    struct error several = {0};
    if (parse_numeric(bind, &local, err)) {
        error_where(err, "bind");
        return error_cure(err, "write a numeric address of this machine, or \"any\"");
    }
    unsigned owner = find_owner(machine, &local, device, &several);
    if (several.code) {
        give(err, &several);
        error_where(err, "bind");
        return ERROR_AGENT;
    }
    if (!owner) {
        foreign_error(machine, bind, err);
        error_where(err, "bind");
        return error_cure(err, "write an address of this machine, or \"any\"");
    }
    if (is_link_local(&local))
        local.interface = owner;
    int count = 0;
    for (int i = 0; i < found_count; i++) {
        if (found[i].family == local.family)
            keep(&out[count++], &found[i], &local, owner);
    }
    return count;
}

/* No "bind": the host's own addresses. */
static int keep_local(const struct machine *machine, const char *device, const struct ip *found,
                      int found_count, struct host_address *out, struct error *err)
{
    int count = 0;
    for (int i = 0; i < found_count; i++) {
        struct ip local = found[i];
        unsigned owner = find_owner(machine, &local, device, err);
        if (!owner)
            continue;
        if (is_link_local(&local))
            local.interface = owner;
        keep(&out[count++], &local, &local, owner);
    }
    return count;
}

/* "name (address, ...)", or the name alone where it is the address. */
static void describe(const char *host, const struct ip *found, int count, char out[300])
{
    char list[LIST_MAX] = "", text[ADDRESS_MAX];
    for (int i = 0; i < count; i++)
        list_add(list, ip_text(&found[i], text));
    if (strcmp(list, host) == 0)
        snprintf(out, 300, "%s", host);
    else
        snprintf(out, 300, "%.64s (%s)", host, list);
}

int host_resolve(const char *host, const char *bind, const char *device, host_finder *find,
                 void *arg, struct host_address out[HOST_ADDRESSES_MAX], struct error *err)
{
    struct ip found[HOST_ADDRESSES_MAX];
    CLEANUP(machine_fini) struct machine machine = {0};
    char what[300];

    if (device_check(device, err))
        return ERROR_AGENT;
    if (machine_read(&machine, err))
        return ERROR_SYSTEM;
    int found_count = resolve(host, find, arg, found, err), count;
    if (found_count < 0)
        return found_count;
    describe(host, found, found_count, what);

    if (bind[0] == '\0') {
        struct error several = {0};
        count = keep_local(&machine, device, found, found_count, out, &several);
        if (count > 0)
            return count;
        if (several.code)
            return give(err, &several);
        foreign_error(&machine, what, err);
        return error_cure(err,
                          "name an address of the agent's machine as \"host\"; if others reach "
                          "it by this one (1:1 NAT), add \"bind\": \"any\"");
    }
    if (strcmp(bind, "any") == 0) {
        count = keep_unbound(&machine, found, found_count, out);
        if (count > 0)
            return count;
        error_set(err, ERROR_AGENT, NULL, "%s cannot be used on this machine", what);
        return error_cure(err,
                          "give \"host\" an address of a family, IPv4 or IPv6, that the agent's "
                          "machine has");
    }
    count = keep_bound(&machine, bind, device, found, found_count, out, err);
    if (count != 0)
        return count;
    error_set(err, ERROR_AGENT, NULL, "%s has no address of the family of %s", what, bind);
    return error_cure(err, "give \"host\" and \"bind\" addresses of one family, IPv4 or IPv6");
}

static int unreachable(const char *local, const char *peer, const char *device, int status,
                       struct error *err)
{
    error_set_errno(err, ERROR_AGENT, -status, NULL, "there is no route from %.64s to %.64s%s%.16s",
                    local, peer, device[0] ? " by " : "", device);
    return error_cure(err,
                      "name addresses that reach each other, or give the machine a route; what it "
                      "has is shown by: ip route get %.64s from %.64s",
                      peer, local);
}

/* Packets would leave by an interface that is neither `device` nor one that owns local. */
static int wrong_interface(const char *local, const char *peer, const char *device, unsigned owner,
                           const char *leaves_by, struct error *err)
{
    char owner_name[IF_NAMESIZE];
    interface_name(owner, owner_name);

    if (device[0]) {
        error_set(err, ERROR_AGENT, NULL,
                  "packets from %.64s to %.64s would leave by %s, not by %.16s", local, peer,
                  leaves_by, device);
        return error_cure(err, "correct \"device\" of the host, or the machine's routes");
    }
    error_set(err, ERROR_AGENT, NULL,
              "packets from %.64s to %.64s would leave by %s, but %.64s belongs to %s", local, peer,
              leaves_by, local, owner_name);
    /* Nothing leaves by lo: an address there is used through other interfaces. */
    if (owner == LOOPBACK_INDEX)
        return error_cure(err, "if that is meant, add \"device\": \"%s\" to the host", leaves_by);
    return error_cure(err,
                      "put the test network into a subnet of its own, or add \"device\": \"%s\" to "
                      "the host",
                      owner_name);
}

/* Where unbound packets to the peer leave by, as far as can be known. */
static void unbound_device(const struct ip *to, unsigned device, char out_device[DEVICE_MAX])
{
    struct netlink_route route;
    char name[IF_NAMESIZE];
    if (netlink_route_get(to, NULL, device ? device : to->interface, &route) == 0 &&
        if_indextoname(route.interface, name))
        snprintf(out_device, DEVICE_MAX, "%s", name);
}

int route_check(const char *local, const char *peer, const char *device,
                char out_device[DEVICE_MAX], struct error *err)
{
    CLEANUP(machine_fini) struct machine machine = {0};
    struct ip from, to;
    struct netlink_route route;
    char name[IF_NAMESIZE];

    out_device[0] = '\0';
    if (device_check(device, err) || parse_numeric(peer, &to, err))
        return ERROR_AGENT;
    unsigned wanted = device[0] ? if_nametoindex(device) : 0;
    if (local[0] == '\0') {
        if (is_link_local(&to) && !to.interface && !wanted) {
            error_set(err, ERROR_AGENT, NULL,
                      "%.64s is link-local, and nothing says by which interface it is reached from "
                      "here",
                      peer);
            return error_cure(err, "give the host that connects its \"device\", or leave its "
                                   "\"bind\" out");
        }
        unbound_device(&to, wanted, out_device);
        return 0;
    }
    if (parse_numeric(local, &from, err))
        return ERROR_AGENT;
    if (from.family != to.family)
        return error_set(err, ERROR_AGENT, NULL, "%.64s and %.64s are of different families", local,
                         peer);
    if (machine_read(&machine, err))
        return ERROR_SYSTEM;
    unsigned owner = machine_owner(&machine, &from);
    if (!owner) {
        foreign_error(&machine, local, err);
        return error_cure(err, "name an address of the agent's machine as \"host\" or \"bind\"");
    }

    unsigned by = wanted ? wanted : from.interface ? from.interface : to.interface;
    if (!by && is_link_local(&to))
        by = owner;
    int status = netlink_route_get(&to, &from, by, &route);
    if (status == 0 && route.type != RTN_UNICAST && route.type != RTN_LOCAL)
        status = -ENETUNREACH;
    if (status)
        return unreachable(local, peer, device, status, err);
    snprintf(out_device, DEVICE_MAX, "%s", interface_name(route.interface, name));
    if (route.type == RTN_LOCAL)
        return 0;
    if (wanted ? route.interface == wanted : machine_owns(&machine, &from, route.interface))
        return 0;
    return wrong_interface(local, peer, device, owner, out_device, err);
}

void host_scope_peer(struct socket_address *peer, const char *local, const char *device)
{
    struct sockaddr_in6 *address = (struct sockaddr_in6 *)&peer->storage;
    CLEANUP(machine_fini) struct machine machine = {0};
    struct ip from;
    if (address->sin6_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr) ||
        address->sin6_scope_id)
        return;
    unsigned scope = device[0] ? if_nametoindex(device) : 0;
    if (!scope && local[0] && parse_numeric(local, &from, NULL) == 0) {
        scope = from.interface;
        if (!scope && machine_read(&machine, NULL) == 0)
            scope = machine_owner(&machine, &from);
    }
    address->sin6_scope_id = scope;
}
