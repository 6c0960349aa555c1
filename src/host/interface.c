#include "host/interface.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define NEEDED offsetof(struct rtnl_link_stats64, multicast) /* of which older kernels have all */

static int on_stats(const struct nlmsghdr *message, void *arg)
{
    struct interface_counters *out = arg;
    const struct nlattr *attr;
    struct rtnl_link_stats64 stats;
    if (message->nlmsg_type != RTM_NEWSTATS)
        return MNL_CB_OK;
    mnl_attr_for_each(attr, message, sizeof(struct if_stats_msg))
    {
        if (mnl_attr_get_type(attr) != IFLA_STATS_LINK_64 ||
            mnl_attr_get_payload_len(attr) < NEEDED)
            continue;
        memcpy(&stats, mnl_attr_get_payload(attr), NEEDED);
        *out = (struct interface_counters){
            .rx_bytes = stats.rx_bytes,
            .tx_bytes = stats.tx_bytes,
            .rx_packets = stats.rx_packets,
            .tx_packets = stats.tx_packets,
            .rx_errors = stats.rx_errors,
            .tx_errors = stats.tx_errors,
            .rx_dropped = stats.rx_dropped,
            .tx_dropped = stats.tx_dropped,
        };
    }
    return MNL_CB_STOP; /* the only answer */
}

int interface_read(struct mnl_socket *socket, uint32_t number, unsigned index,
                   struct interface_counters *out)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct if_stats_msg *header;
    struct nlmsghdr *question = netlink_question(buffer, RTM_GETSTATS, 0, sizeof *header, &header);
    header->ifindex = index;
    header->filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    return netlink_ask_on(socket, number, question, on_stats, out);
}
