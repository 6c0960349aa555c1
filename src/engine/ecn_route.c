/* A SYN asks for ECN, too, if its route has `features ecn`.  So an owner has a rule that sends
 * packets with its mark to its table, and in the table a copy of each peer's route with that
 * feature.  A socket bears the mark during connect() only; nobody else's ever does.
 *
 * That an owner lives is told by the kernel: it holds a unix socket with an abstract name, which is
 * unique in the network namespace, and free again as soon as the owner is dead.  All it ever made
 * bears our protocol number, and its rules are there before its routes and after them: who finds
 * such rules and a free name can clear what is left.
 *
 * The local table is looked up before any rule: no route can help on the way to an address of this
 * machine itself. */
#include "engine/ecn_route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"

#define PROTOCOL    0xec    /* of rules and routes; nobody else's in rtnetlink.h */
#define PRIORITY    1u      /* of the rules: before all but the local table's */
#define FIRST_TABLE 0xec00u /* one an owner */
#define PROBE_TABLE (FIRST_TABLE + ECN_ROUTE_OWNERS)
#define FIRST_MARK  0xe0u      /* in the low byte, whose bits hardly anybody's masks look at */
#define EXACTLY     UINT32_MAX /* as a mask */

static const int families[] = {AF_INET, AF_INET6};

uint32_t ecn_route_mark(unsigned owner)
{
    return FIRST_MARK + owner;
}

static uint32_t table_of(unsigned owner)
{
    return FIRST_TABLE + owner;
}

/* ---- Rules ---- */

static int rule_change(unsigned type, unsigned flags, unsigned owner, int family)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct fib_rule_hdr *header;
    struct nlmsghdr *question =
        netlink_question(buffer, type, NLM_F_ACK | flags, sizeof *header, &header);

    header->family = (uint8_t)family;
    header->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(question, FRA_PRIORITY, PRIORITY);
    mnl_attr_put_u32(question, FRA_FWMARK, ecn_route_mark(owner));
    mnl_attr_put_u32(question, FRA_FWMASK, EXACTLY);
    mnl_attr_put_u32(question, FRA_TABLE, table_of(owner));
    mnl_attr_put_u8(question, FRA_PROTOCOL, PROTOCOL);
    return netlink_ask(question, NULL, NULL);
}

static int rule_add(unsigned owner, int family)
{
    const int status = rule_change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, owner, family);
    return status == -EEXIST ? 0 : status;
}

/* Owners, a bit each, as the rules know them. */
struct owners {
    uint32_t present; /* have rules */
    uint32_t barred;  /* their table is somebody else's, or their mark means something to him */
};

static int on_rule(const struct nlmsghdr *message, void *arg)
{
    struct owners *owners = arg;
    const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
    uint32_t values[FRA_MAX + 1] = {[FRA_TABLE] = header->table, [FRA_FWMASK] = EXACTLY};
    const struct nlattr *attr;

    if (message->nlmsg_type != RTM_NEWRULE)
        return MNL_CB_OK;
    mnl_attr_for_each(attr, message, sizeof *header)
    {
        const uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);
        if (type <= FRA_MAX && size == sizeof(uint32_t))
            values[type] = mnl_attr_get_u32(attr);
        else if (type == FRA_PROTOCOL && size == sizeof(uint8_t))
            values[type] = mnl_attr_get_u8(attr);
    }
    for (unsigned owner = 0; owner < ECN_ROUTE_OWNERS; owner++) {
        const bool table = values[FRA_TABLE] == table_of(owner);
        const bool mark = values[FRA_FWMARK] == (ecn_route_mark(owner) & values[FRA_FWMASK]);
        if (table && mark && values[FRA_PROTOCOL] == PROTOCOL)
            owners->present |= 1u << owner;
        else if (table || (mark && values[FRA_FWMARK]))
            owners->barred |= 1u << owner;
    }
    return MNL_CB_OK;
}

static int list_owners(struct owners *out)
{
    int status = 0;
    *out = (struct owners){0};
    for (size_t i = 0; i < COUNT_OF(families) && !status; i++) {
        status = -EINTR;
        for (int tries = 0; tries < NETLINK_DUMP_TRIES && status == -EINTR; tries++) {
            char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
            struct fib_rule_hdr *header;
            struct nlmsghdr *question =
                netlink_question(buffer, RTM_GETRULE, NLM_F_DUMP, sizeof *header, &header);
            header->family = (uint8_t)families[i];
            status = netlink_ask(question, on_rule, out);
        }
        if (status == -EAFNOSUPPORT || status == -EOPNOTSUPP) /* a kernel without IPv6 */
            status = 0;
    }
    return status;
}

/* ---- Routes ---- */

/* A route with all that a kernel tells of it, as a question that makes its copy. */
struct copy {
    char question[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct ecn_path *path;
    unsigned owner;
    int status; /* -EOPNOTSUPP: this route has no copy that would be the same */
};

static void put_metrics(struct nlmsghdr *question, const struct nlattr *metrics)
{
    uint32_t features = RTAX_FEATURE_ECN;
    struct nlattr *nest = mnl_attr_nest_start(question, RTA_METRICS);
    const struct nlattr *attr;
    if (metrics) {
        mnl_attr_for_each_nested(attr, metrics)
        {
            const uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);
            if (type != RTAX_FEATURES)
                mnl_attr_put(question, type, size, mnl_attr_get_payload(attr));
            else if (size == sizeof features)
                features |= mnl_attr_get_u32(attr);
        }
    }
    mnl_attr_put_u32(question, RTAX_FEATURES, features);
    mnl_attr_nest_end(question, nest);
}

/* Where packets go by it is copied, whom it is for is not. */
static void put_attributes(struct copy *copy, struct nlmsghdr *question, struct rtmsg *header,
                           const struct nlmsghdr *message)
{
    const struct nlattr *attr, *metrics = NULL;
    mnl_attr_for_each(attr, message, sizeof(struct rtmsg))
    {
        const uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);
        switch (type) {
        case RTA_GATEWAY:
        case RTA_VIA:
            /* The kernel would look it up here, where it may not be found. */
            header->rtm_flags |= RTNH_F_ONLINK;
            mnl_attr_put(question, type, size, mnl_attr_get_payload(attr));
            break;
        case RTA_OIF:
        case RTA_PREFSRC:
            mnl_attr_put(question, type, size, mnl_attr_get_payload(attr));
            break;
        case RTA_METRICS:
            metrics = attr;
            break;
        case RTA_MULTIPATH:
        case RTA_NH_ID:
        case RTA_ENCAP:
            copy->status = -EOPNOTSUPP;
            break;
        }
    }
    put_metrics(question, metrics);
}

static int on_original(const struct nlmsghdr *message, void *arg)
{
    struct copy *copy = arg;
    const struct rtmsg *original = mnl_nlmsg_get_payload(message);
    const struct ip *peer = &copy->path->peer;
    struct rtmsg *header;

    copy->status = -EOPNOTSUPP;
    if (message->nlmsg_type != RTM_NEWROUTE || original->rtm_type != RTN_UNICAST ||
        message->nlmsg_len > sizeof copy->question / 2)
        return MNL_CB_STOP;
    copy->status = 0;
    struct nlmsghdr *question =
        netlink_question(copy->question, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
                         sizeof *header, &header);
    header->rtm_family = (unsigned char)peer->family;
    header->rtm_dst_len = (unsigned char)(ip_size(peer->family) * 8);
    header->rtm_protocol = PROTOCOL;
    header->rtm_scope = original->rtm_scope;
    header->rtm_type = RTN_UNICAST;
    mnl_attr_put(question, RTA_DST, ip_size(peer->family), peer->bytes);
    mnl_attr_put_u32(question, RTA_TABLE, table_of(copy->owner));
    /* A peer may have several routes, by the interfaces that sockets are bound to. */
    mnl_attr_put_u32(question, RTA_PRIORITY, 1 + copy->path->interface);
    put_attributes(copy, question, header, message);
    return MNL_CB_STOP;
}

static const struct ip *source(const struct ecn_path *path)
{
    return path->local.family ? &path->local : NULL;
}

static int copy_make(struct copy *copy, const struct ecn_path *path, unsigned owner)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    *copy = (struct copy){.path = path, .owner = owner};
    const int status = netlink_ask(netlink_route_question(buffer, &path->peer, source(path),
                                                          path->interface, 0, RTM_F_FIB_MATCH),
                                   on_original, copy);
    return status ? status : copy->status;
}

/* Whether the marked packets' way is the others' way, with ECN. */
static int verify(unsigned owner, const struct ecn_path *path)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct netlink_route plain, marked = {0};
    int status = netlink_route_get(&path->peer, source(path), path->interface, &plain);
    if (!status)
        status = netlink_ask(netlink_route_question(buffer, &path->peer, source(path),
                                                    path->interface, ecn_route_mark(owner), 0),
                             netlink_on_route, &marked);
    if (!status && (!(marked.features & RTAX_FEATURE_ECN) || marked.type != plain.type ||
                    marked.interface != plain.interface ||
                    memcmp(&marked.gateway, &plain.gateway, sizeof plain.gateway) != 0))
        status = -EOPNOTSUPP;
    return status;
}

int ecn_route_check(const struct ecn_path *path)
{
    struct copy copy;
    return copy_make(&copy, path, 0);
}

int ecn_route_add(unsigned owner, const struct ecn_path *path)
{
    struct copy copy;
    int status = copy_make(&copy, path, owner);
    if (!status)
        status = rule_add(owner, path->peer.family);
    if (!status)
        status = netlink_ask((struct nlmsghdr *)copy.question, NULL, NULL);
    if (status && status != -EEXIST) /* one for another local address may do */
        return status;
    return verify(owner, path);
}

/* Deletes one of the owner's routes that a dump tells. */
static int on_route_to_delete(const struct nlmsghdr *message, void *arg)
{
    const struct rtmsg *original = mnl_nlmsg_get_payload(message);
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    const uint32_t *table = arg;
    const struct nlattr *attr;
    uint32_t its_table = original->rtm_table;
    struct rtmsg *header;

    if (message->nlmsg_type != RTM_NEWROUTE || original->rtm_protocol != PROTOCOL)
        return MNL_CB_OK;
    struct nlmsghdr *question =
        netlink_question(buffer, RTM_DELROUTE, NLM_F_ACK, sizeof *header, &header);
    header->rtm_family = original->rtm_family;
    header->rtm_dst_len = original->rtm_dst_len;
    header->rtm_protocol = PROTOCOL;
    header->rtm_scope = RT_SCOPE_NOWHERE; /* any */
    mnl_attr_for_each(attr, message, sizeof *original)
    {
        const uint16_t type = mnl_attr_get_type(attr), size = mnl_attr_get_payload_len(attr);
        if (type == RTA_TABLE && size == sizeof its_table)
            its_table = mnl_attr_get_u32(attr);
        if (type == RTA_DST || type == RTA_TABLE || type == RTA_PRIORITY || type == RTA_OIF)
            mnl_attr_put(question, type, size, mnl_attr_get_payload(attr));
    }
    if (its_table == *table)
        netlink_ask(question, NULL, NULL);
    return MNL_CB_OK;
}

static void delete_routes(unsigned owner, int family)
{
    uint32_t table = table_of(owner);
    int status = -EINTR;
    for (int tries = 0; tries < NETLINK_DUMP_TRIES && status == -EINTR; tries++) {
        char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
        struct rtmsg *header;
        struct nlmsghdr *question =
            netlink_question(buffer, RTM_GETROUTE, NLM_F_DUMP, sizeof *header, &header);
        header->rtm_family = (unsigned char)family;
        mnl_attr_put_u32(question, RTA_TABLE, table);
        status = netlink_ask(question, on_route_to_delete, &table);
    }
}

int ecn_route_refused(void)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct rtmsg *header;
    /* Of a table that is nobody's: the kernel looks at the permission first. */
    struct nlmsghdr *question =
        netlink_question(buffer, RTM_DELROUTE, NLM_F_ACK, sizeof *header, &header);
    header->rtm_family = AF_INET;
    header->rtm_protocol = PROTOCOL;
    header->rtm_scope = RT_SCOPE_NOWHERE;
    mnl_attr_put_u32(question, RTA_TABLE, PROBE_TABLE);
    const int status = netlink_ask(question, NULL, NULL);
    return status == 0 || status == -ESRCH ? 0 : -status;
}

/* ---- Owners ---- */

/* Whether the name is now this socket's, so that its owner, if there was one, is dead. */
static bool take_name(int token, unsigned owner)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const int size = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "tcp-flowgen-ecn-%x",
                              ecn_route_mark(owner));
    return bind(token, (const struct sockaddr *)&name,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size)) == 0;
}

int ecn_route_claim(int token)
{
    struct owners owners;
    ecn_route_sweep();
    const int status = list_owners(&owners);
    if (status)
        return status;
    for (unsigned owner = 0; owner < ECN_ROUTE_OWNERS; owner++) {
        if (!((owners.present | owners.barred) >> owner & 1) && take_name(token, owner))
            return (int)owner;
    }
    return -EUSERS;
}

/* The rule last: it is what a sweep finds. */
void ecn_route_clear(unsigned owner)
{
    for (size_t i = 0; i < COUNT_OF(families); i++)
        delete_routes(owner, families[i]);
    for (size_t i = 0; i < COUNT_OF(families); i++)
        rule_change(RTM_DELRULE, 0, owner, families[i]);
}

/* Whether nothing is left of an owner that was present and is dead. */
static bool sweep_one(unsigned owner)
{
    struct owners owners;
    CLEANUP_CLOSE int name = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (name < 0 || !take_name(name, owner))
        return false;
    ecn_route_clear(owner);
    return list_owners(&owners) == 0 && !(owners.present >> owner & 1);
}

unsigned ecn_route_sweep(void)
{
    struct owners owners;
    unsigned swept = 0;
    if (list_owners(&owners))
        return 0;
    for (unsigned owner = 0; owner < ECN_ROUTE_OWNERS; owner++) {
        if (owners.present >> owner & 1)
            swept += sweep_one(owner);
    }
    return swept;
}
