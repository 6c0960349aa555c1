/* rtnetlink through libmnl.  Any thread. */
#include "host/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define ANSWER_SIZE 16384 /* the kernel fills at most 16 KiB a message of a dump */

size_t ip_size(int family)
{
    return family == AF_INET ? 4 : 16;
}

struct ip ip_from(const struct sockaddr *address)
{
    struct ip ip = {.family = address->sa_family};
    if (ip.family == AF_INET) {
        memcpy(ip.bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in6 = (const void *)address;
        memcpy(ip.bytes, &in6->sin6_addr, 16);
        ip.interface = in6->sin6_scope_id;
    }
    return ip;
}

struct nlmsghdr *netlink_question(void *buffer, unsigned type, unsigned flags, size_t size,
                                  void *header)
{
    struct nlmsghdr *question = mnl_nlmsg_put_header(buffer);
    question->nlmsg_type = (uint16_t)type;
    question->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    *(void **)header = mnl_nlmsg_put_extra_header(question, size);
    return question;
}

struct mnl_socket *netlink_open(int protocol)
{
    const struct timeval patience = {.tv_sec = 2};
    const int strict = 1;
    struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
    if (!socket)
        return NULL;
    /* So that a dump of one table is not a dump of all; older kernels do without. */
    mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, (void *)&strict, sizeof strict);
    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
        return socket;
    int why = errno;
    mnl_socket_close(socket);
    errno = why;
    return NULL;
}

int netlink_ask_on(struct mnl_socket *socket, uint32_t number, struct nlmsghdr *question,
                   mnl_cb_t callback, void *arg)
{
    char answer[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    unsigned port = mnl_socket_get_portid(socket);
    question->nlmsg_seq = number;
    if (mnl_socket_sendto(socket, question, question->nlmsg_len) < 0)
        return -errno;
    int status;
    do {
        ssize_t size = mnl_socket_recvfrom(socket, answer, sizeof answer);
        status = size < 0 ? -1 : mnl_cb_run(answer, (size_t)size, number, port, callback, arg);
    } while (status > MNL_CB_STOP);
    return status < 0 ? -errno : 0;
}

int netlink_ask(struct nlmsghdr *question, mnl_cb_t callback, void *arg)
{
    struct mnl_socket *socket = netlink_open(NETLINK_ROUTE);
    if (!socket)
        return -errno;
    int failed = netlink_ask_on(socket, 1, question, callback, arg);
    mnl_socket_close(socket);
    return failed;
}

struct address_list {
    struct ip *items;
    size_t count;
};

/* Takes an attribute's value if it has the size of an address of out's family. */
static void take_address(struct ip *out, const struct nlattr *attr)
{
    if (mnl_attr_get_payload_len(attr) == ip_size(out->family))
        memcpy(out->bytes, mnl_attr_get_payload(attr), ip_size(out->family));
}

static int on_address(const struct nlmsghdr *message, void *arg)
{
    struct address_list *list = arg;
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    struct ip ip = {.family = header->ifa_family, .interface = header->ifa_index};
    const struct nlattr *attr, *address = NULL, *local = NULL;

    if (message->nlmsg_type != RTM_NEWADDR || (ip.family != AF_INET && ip.family != AF_INET6))
        return MNL_CB_OK;
    mnl_attr_for_each(attr, message, sizeof *header)
    {
        if (mnl_attr_get_type(attr) == IFA_ADDRESS)
            address = attr;
        else if (mnl_attr_get_type(attr) == IFA_LOCAL)
            local = attr;
    }
    /* On a point-to-point link IFA_ADDRESS is the other side. */
    if (local || address)
        take_address(&ip, local ? local : address);

    struct ip *items = reallocarray(list->items, list->count + 1, sizeof *items);
    if (!items)
        return MNL_CB_ERROR;
    items[list->count++] = ip;
    list->items = items;
    return MNL_CB_OK;
}

int netlink_addresses(struct ip **out, size_t *count)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct address_list list = {0};
    struct ifaddrmsg *header;
    int status = -EINTR;

    for (int i = 0; i < NETLINK_DUMP_TRIES && status == -EINTR; i++) {
        list.count = 0;
        status =
            netlink_ask(netlink_question(buffer, RTM_GETADDR, NLM_F_DUMP, sizeof *header, &header),
                        on_address, &list);
    }
    if (status) {
        free(list.items);
        return status;
    }
    *out = list.items;
    *count = list.count;
    return 0;
}

static void take_features(struct netlink_route *route, const struct nlattr *metrics)
{
    const struct nlattr *attr;
    mnl_attr_for_each_nested(attr, metrics)
    {
        if (mnl_attr_get_type(attr) == RTAX_FEATURES &&
            mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
            route->features = mnl_attr_get_u32(attr);
    }
}

int netlink_on_route(const struct nlmsghdr *message, void *arg)
{
    struct netlink_route *route = arg;
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attr;

    if (message->nlmsg_type != RTM_NEWROUTE)
        return MNL_CB_OK;
    route->type = header->rtm_type;
    mnl_attr_for_each(attr, message, sizeof *header)
    {
        switch (mnl_attr_get_type(attr)) {
        case RTA_OIF:
            if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
                route->interface = mnl_attr_get_u32(attr);
            break;
        case RTA_GATEWAY:
            route->gateway.family = header->rtm_family;
            take_address(&route->gateway, attr);
            break;
        case RTA_METRICS:
            take_features(route, attr);
            break;
        }
    }
    return MNL_CB_STOP; /* the only answer: no end of a dump follows */
}

struct nlmsghdr *netlink_route_question(void *buffer, const struct ip *to, const struct ip *from,
                                        unsigned interface, uint32_t mark, unsigned route_flags)
{
    const size_t size = ip_size(to->family);
    struct rtmsg *header;
    struct nlmsghdr *question = netlink_question(buffer, RTM_GETROUTE, 0, sizeof *header, &header);

    header->rtm_family = (unsigned char)to->family;
    header->rtm_dst_len = (unsigned char)(size * 8);
    header->rtm_flags = route_flags;
    mnl_attr_put(question, RTA_DST, size, to->bytes);
    if (from) {
        header->rtm_src_len = (unsigned char)(size * 8);
        mnl_attr_put(question, RTA_SRC, size, from->bytes);
    }
    if (interface)
        mnl_attr_put_u32(question, RTA_OIF, interface);
    if (mark)
        mnl_attr_put_u32(question, RTA_MARK, mark);
    return question;
}

int netlink_route_get(const struct ip *to, const struct ip *from, unsigned interface,
                      struct netlink_route *out)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    *out = (struct netlink_route){0};
    return netlink_ask(netlink_route_question(buffer, to, from, interface, 0, 0), netlink_on_route,
                       out);
}
