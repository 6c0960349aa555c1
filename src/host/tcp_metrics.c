#include "host/tcp_metrics.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/tcp_metrics.h>
#include <stdlib.h>
#include <string.h>

/* A generic netlink socket, and the number of the family there. */
struct talk {
    struct mnl_socket *socket;
    uint32_t number; /* of the last question */
    uint16_t family;
};

static int ask(struct talk *talk, struct nlmsghdr *question, mnl_cb_t callback, void *arg)
{
    return netlink_ask_on(talk->socket, ++talk->number, question, callback, arg);
}

static struct nlmsghdr *command(void *buffer, uint16_t family, unsigned flags, uint8_t number)
{
    struct genlmsghdr *header;
    struct nlmsghdr *question = netlink_question(buffer, family, flags, sizeof *header, &header);
    header->cmd = number;
    header->version = TCP_METRICS_GENL_VERSION;
    return question;
}

static int on_family(const struct nlmsghdr *message, void *arg)
{
    uint16_t *family = arg;
    const struct nlattr *attr;
    mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
    {
        if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
            mnl_attr_get_payload_len(attr) == sizeof *family)
            *family = mnl_attr_get_u16(attr);
    }
    return MNL_CB_STOP; /* the only answer: no end of a dump follows */
}

static void talk_close(struct talk *talk)
{
    if (talk->socket)
        mnl_socket_close(talk->socket);
}

/* 0, or -errno with nothing to close. */
static int talk_open(struct talk *talk)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    *talk = (struct talk){.socket = netlink_open(NETLINK_GENERIC)};
    if (!talk->socket)
        return -errno;
    struct nlmsghdr *question = command(buffer, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY);
    mnl_attr_put_strz(question, CTRL_ATTR_FAMILY_NAME, TCP_METRICS_GENL_NAME);
    int failed = ask(talk, question, on_family, &talk->family);
    if (!failed && !talk->family)
        failed = -ENOENT;
    if (failed)
        talk_close(talk);
    return failed;
}

/* ---- reading ---- */

struct dump {
    const struct ip *peers;
    size_t peer_count;
    struct tcp_metrics *out;
    size_t room, count;
};

int tcp_metrics_order(const void *a, const void *b)
{
    const struct ip *x = a, *y = b;
    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    return memcmp(x->bytes, y->bytes, ip_size(x->family));
}

/* There may be thousands of peers, and of entries. */
static bool is_wanted(const struct dump *dump, const struct ip *peer)
{
    return bsearch(peer, dump->peers, dump->peer_count, sizeof *peer, tcp_metrics_order);
}

static void take_address(struct ip *out, int family, const struct nlattr *attr)
{
    if (mnl_attr_get_payload_len(attr) != ip_size(family))
        return;
    out->family = family;
    memcpy(out->bytes, mnl_attr_get_payload(attr), ip_size(family));
}

/* The attributes' types are those of enum tcp_metric_index, plus one. */
static void take_values(struct tcp_metrics *entry, const struct nlattr *values)
{
    const struct nlattr *attr;
    uint32_t found[TCP_METRIC_MAX + 1] = {0};
    mnl_attr_for_each_nested(attr, values)
    {
        size_t index = (size_t)mnl_attr_get_type(attr) - 1;
        if (index <= TCP_METRIC_MAX && mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
            found[index] = mnl_attr_get_u32(attr);
    }
    /* The kernel keeps eight times the RTT and four times its variation.  Before Linux 3.15 it told
     * milliseconds only. */
    entry->rtt_us = found[TCP_METRIC_RTT_US] / 8;
    entry->rttvar_us = found[TCP_METRIC_RTTVAR_US] / 4;
    if (!entry->rtt_us)
        entry->rtt_us = (uint32_t)(found[TCP_METRIC_RTT] * UINT64_C(1000) / 8);
    if (!entry->rttvar_us)
        entry->rttvar_us = (uint32_t)(found[TCP_METRIC_RTTVAR] * UINT64_C(1000) / 4);
    entry->ssthresh = found[TCP_METRIC_SSTHRESH];
    entry->cwnd = found[TCP_METRIC_CWND];
    entry->reordering = found[TCP_METRIC_REORDERING];
}

static void take_attribute(struct tcp_metrics *entry, const struct nlattr *attr)
{
    switch (mnl_attr_get_type(attr)) {
    case TCP_METRICS_ATTR_ADDR_IPV4:
        take_address(&entry->peer, AF_INET, attr);
        break;
    case TCP_METRICS_ATTR_ADDR_IPV6:
        take_address(&entry->peer, AF_INET6, attr);
        break;
    case TCP_METRICS_ATTR_SADDR_IPV4:
        take_address(&entry->local, AF_INET, attr);
        break;
    case TCP_METRICS_ATTR_SADDR_IPV6:
        take_address(&entry->local, AF_INET6, attr);
        break;
    case TCP_METRICS_ATTR_AGE:
        if (mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
            entry->age_ms = (int64_t)mnl_attr_get_u64(attr);
        break;
    case TCP_METRICS_ATTR_VALS:
        take_values(entry, attr);
        break;
    }
}

static int on_entry(const struct nlmsghdr *message, void *arg)
{
    struct dump *dump = arg;
    struct tcp_metrics entry = {.age_ms = -1};
    const struct nlattr *attr;
    mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) take_attribute(&entry, attr);
    if (!entry.peer.family || !is_wanted(dump, &entry.peer))
        return MNL_CB_OK;
    if (dump->count < dump->room)
        dump->out[dump->count] = entry;
    dump->count++;
    return MNL_CB_OK;
}

int tcp_metrics_read(const struct ip *peers, size_t peer_count, struct tcp_metrics *out,
                     size_t room)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct dump dump = {.peers = peers, .peer_count = peer_count, .out = out, .room = room};
    struct talk talk;
    int failed = talk_open(&talk);
    if (failed)
        return failed;
    failed = -EINTR;
    for (int i = 0; i < NETLINK_DUMP_TRIES && failed == -EINTR; i++) {
        dump.count = 0;
        failed = ask(&talk, command(buffer, talk.family, NLM_F_DUMP, TCP_METRICS_CMD_GET), on_entry,
                     &dump);
    }
    talk_close(&talk);
    return failed ? failed : (int)dump.count;
}

bool tcp_metrics_matter(const struct tcp_metrics *entry, uint32_t default_reordering,
                        bool keeps_ssthresh)
{
    if (entry->age_ms > TCP_METRICS_STALE_MS)
        return false;
    return (entry->ssthresh && keeps_ssthresh) ||
           (entry->reordering && entry->reordering != default_reordering);
}

/* ---- forgetting ---- */

/* 0 or -errno; -ESRCH: there is none of this peer. */
static int forget(struct talk *talk, const struct ip *peer)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *question = command(buffer, talk->family, NLM_F_ACK, TCP_METRICS_CMD_DEL);
    mnl_attr_put(question,
                 peer->family == AF_INET ? TCP_METRICS_ATTR_ADDR_IPV4 : TCP_METRICS_ATTR_ADDR_IPV6,
                 ip_size(peer->family), peer->bytes);
    return ask(talk, question, NULL, NULL);
}

int tcp_metrics_forget(const struct ip *peers, size_t peer_count)
{
    struct talk talk;
    int failed = talk_open(&talk);
    if (failed)
        return failed;
    for (size_t i = 0; i < peer_count; i++) {
        int status = forget(&talk, &peers[i]);
        if (status && status != -ESRCH && !failed)
            failed = status;
    }
    talk_close(&talk);
    return failed;
}

int tcp_metrics_may_forget(void)
{
    const struct ip nobody = {.family = AF_INET}; /* 0.0.0.0 is no peer: nothing is lost */
    return tcp_metrics_forget(&nobody, 1);
}
