/* A dump of all: what the interfaces' inner queues marked is told nowhere else, as no root sums it
 * up, and the kernel filters a dump by nothing. */
#include "host/qdisc.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

/* ---- marks ---- */

/* Where the counters of marked packets are in a kind's xstats (linux/pkt_sched.h). */
struct marks_place {
    const char *kind;
    struct {
        size_t at, size; /* size 0: there is no such one */
    } counters[2];
};

#define PLACE(type, member)                                               \
    {                                                                     \
        offsetof(struct type, member), sizeof(((struct type *)0)->member) \
    }

static const struct marks_place places[] = {
    {"choke", {PLACE(tc_choke_xstats, marked)}},
    {"codel", {PLACE(tc_codel_xstats, ecn_mark), PLACE(tc_codel_xstats, ce_mark)}},
    {"fq", {PLACE(tc_fq_qd_stats, ce_mark)}},
    {"fq_codel",
     {PLACE(tc_fq_codel_xstats, qdisc_stats.ecn_mark),
      PLACE(tc_fq_codel_xstats, qdisc_stats.ce_mark)}},
    {"fq_pie", {PLACE(tc_fq_pie_xstats, ecn_mark)}},
    {"pie", {PLACE(tc_pie_xstats, ecn_mark)}},
    {"red", {PLACE(tc_red_xstats, marked)}},
    {"sfb", {PLACE(tc_sfb_xstats, marked)}},
};

static uint64_t number(const uint8_t *at, size_t size)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;
    if (size == sizeof wide) {
        memcpy(&wide, at, size);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* cake has its marks by tin, in nested attributes. */
static void add_cake_marks(struct qdisc_counters *out, const struct nlattr *app)
{
    const struct nlattr *attr, *tin, *stat;
    mnl_attr_for_each_nested(attr, app)
    {
        if (mnl_attr_get_type(attr) != TCA_CAKE_STATS_TIN_STATS)
            continue;
        mnl_attr_for_each_nested(tin, attr)
        {
            mnl_attr_for_each_nested(stat, tin)
            {
                if (mnl_attr_get_type(stat) != TCA_CAKE_TIN_STATS_ECN_MARKED_PACKETS ||
                    mnl_attr_get_payload_len(stat) != sizeof(uint32_t))
                    continue;
                out->tells_marks = true;
                out->marks += mnl_attr_get_u32(stat);
            }
        }
    }
}

static void add_marks(struct qdisc_counters *out, const char *kind, const struct nlattr *app)
{
    const uint8_t *data = mnl_attr_get_payload(app);
    size_t size = mnl_attr_get_payload_len(app);
    if (strcmp(kind, "cake") == 0)
        add_cake_marks(out, app);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (strcmp(places[i].kind, kind) != 0)
            continue;
        for (size_t c = 0; c < COUNT_OF(places[i].counters); c++) {
            size_t at = places[i].counters[c].at, bytes = places[i].counters[c].size;
            if (bytes == 0 || at + bytes > size) /* older kernels have fewer */
                continue;
            out->tells_marks = true;
            out->marks += number(data + at, bytes);
        }
    }
}

/* ---- a queueing discipline ---- */

static void take_basic(struct qdisc_counters *out, const struct nlattr *attr)
{
    struct gnet_stats_basic basic = {0};
    size_t size = mnl_attr_get_payload_len(attr);
    memcpy(&basic, mnl_attr_get_payload(attr), size < sizeof basic ? size : sizeof basic);
    out->bytes = basic.bytes;
    if (basic.packets > out->packets) /* 32 bits; TCA_STATS_PKT64 has more */
        out->packets = basic.packets;
}

static void take_queue(struct qdisc_counters *out, const struct nlattr *attr)
{
    struct gnet_stats_queue queue = {0};
    size_t size = mnl_attr_get_payload_len(attr);
    memcpy(&queue, mnl_attr_get_payload(attr), size < sizeof queue ? size : sizeof queue);
    out->qlen = queue.qlen;
    out->backlog_bytes = queue.backlog;
    out->drops = queue.drops;
    out->requeues = queue.requeues;
    out->overlimits = queue.overlimits;
}

static void take_stats(struct qdisc_counters *out, bool root, const char *kind,
                       const struct nlattr *stats)
{
    const struct nlattr *attr;
    mnl_attr_for_each_nested(attr, stats)
    {
        switch (mnl_attr_get_type(attr)) {
        case TCA_STATS_BASIC:
            if (root)
                take_basic(out, attr);
            break;
        case TCA_STATS_PKT64:
            if (root && mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
                out->packets = mnl_attr_get_u64(attr);
            break;
        case TCA_STATS_QUEUE:
            if (root)
                take_queue(out, attr);
            break;
        case TCA_STATS_APP:
            add_marks(out, kind, attr);
            break;
        }
    }
}

/* ---- the dump ---- */

struct qdisc_dump {
    const unsigned *indices;
    size_t count;
    struct qdisc_counters *out;
};

static struct qdisc_counters *counters_of(const struct qdisc_dump *dump, int index)
{
    for (size_t i = 0; i < dump->count; i++)
        if (dump->indices[i] == (unsigned)index && index > 0)
            return &dump->out[i];
    return NULL;
}

static int on_qdisc(const struct nlmsghdr *message, void *arg)
{
    const struct tcmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attr, *stats = NULL;
    const char *kind = "";
    if (message->nlmsg_type != RTM_NEWQDISC || message->nlmsg_len < NLMSG_LENGTH(sizeof *header))
        return MNL_CB_OK;
    struct qdisc_counters *out = counters_of(arg, header->tcm_ifindex);
    if (!out || header->tcm_parent == TC_H_INGRESS)
        return MNL_CB_OK;
    mnl_attr_for_each(attr, message, sizeof *header)
    {
        if (mnl_attr_get_type(attr) == TCA_KIND &&
            mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
            kind = mnl_attr_get_str(attr);
        else if (mnl_attr_get_type(attr) == TCA_STATS2)
            stats = attr;
    }
    bool root = header->tcm_parent == TC_H_ROOT;
    if (root)
        snprintf(out->kind, sizeof out->kind, "%s", kind);
    if (stats)
        take_stats(out, root, kind, stats);
    return MNL_CB_OK;
}

int qdisc_read(struct mnl_socket *socket, uint32_t number, const unsigned *indices, size_t count,
               struct qdisc_counters *out)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct qdisc_dump dump = {.indices = indices, .count = count, .out = out};
    struct tcmsg *header;
    memset(out, 0, count * sizeof *out);
    return netlink_ask_on(
        socket, number, netlink_question(buffer, RTM_GETQDISC, NLM_F_DUMP, sizeof *header, &header),
        on_qdisc, &dump);
}
