/* Two sources: rtnetlink for what every interface has, the ioctl SIOCETHTOOL for what drivers say.
 * /sys/class/net would be simpler, but shows the network namespace that it was mounted in. */
#include "host/device.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "host/netlink.h"
#include "util/cleanup.h"

/* In headers newer than the oldest that this is built with. */
#define LINK_GRO_MAX_SIZE      58
#define LINK_GSO_IPV4_MAX_SIZE 63
#define LINK_GRO_IPV4_MAX_SIZE 64

static void take_text(char out[DEVICE_TEXT_MAX], const char *text, size_t size)
{
    snprintf(out, DEVICE_TEXT_MAX, "%.*s", (int)strnlen(text, size), text);
}

/* ---- rtnetlink ---- */

static void take_number(int64_t *out, const struct nlattr *attr)
{
    if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
        *out = mnl_attr_get_u32(attr);
}

static void take_string(char out[DEVICE_TEXT_MAX], const struct nlattr *attr)
{
    take_text(out, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
}

static void take_kind(struct device *device, const struct nlattr *info)
{
    const struct nlattr *attr;
    mnl_attr_for_each_nested(attr, info)
    {
        if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
            take_string(device->kind, attr);
    }
}

static void take_attribute(struct device *device, const struct nlattr *attr)
{
    const struct {
        int type;
        int64_t *out;
    } numbers[] = {
        {IFLA_MTU, &device->mtu},
        {IFLA_TXQLEN, &device->tx_queue_length},
        {IFLA_NUM_TX_QUEUES, &device->tx_queues},
        {IFLA_NUM_RX_QUEUES, &device->rx_queues},
        {IFLA_GSO_MAX_SIZE, &device->gso_max_size},
        {LINK_GRO_MAX_SIZE, &device->gro_max_size},
        {LINK_GSO_IPV4_MAX_SIZE, &device->gso_ipv4_max_size},
        {LINK_GRO_IPV4_MAX_SIZE, &device->gro_ipv4_max_size},
    };
    const int type = mnl_attr_get_type(attr);
    if (type == IFLA_QDISC)
        take_string(device->qdisc, attr);
    else if (type == IFLA_LINKINFO)
        take_kind(device, attr);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (numbers[i].type == type)
            take_number(numbers[i].out, attr);
}

static int on_link(const struct nlmsghdr *message, void *arg)
{
    const struct nlattr *attr;
    mnl_attr_for_each(attr, message, sizeof(struct ifinfomsg)) take_attribute(arg, attr);
    return MNL_CB_STOP; /* the only answer: no end of a dump follows */
}

static int read_link(struct device *device)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct ifinfomsg *header;
    unsigned index = if_nametoindex(device->name);
    if (!index)
        return -errno;
    struct nlmsghdr *question = netlink_question(buffer, RTM_GETLINK, 0, sizeof *header, &header);
    header->ifi_index = (int)index;
    return netlink_ask(question, on_link, device);
}

/* ---- ethtool ---- */

struct driver {
    int fd;
    const char *name;
};

/* Whether the driver answers; data begins with the command. */
static bool ask(const struct driver *driver, void *data)
{
    struct ifreq request = {.ifr_data = data};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", driver->name);
    return ioctl(driver->fd, SIOCETHTOOL, &request) == 0;
}

static void read_driver(const struct driver *driver, struct device *device)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    if (!ask(driver, &info))
        return;
    take_text(device->driver, info.driver, sizeof info.driver);
    take_text(device->driver_version, info.version, sizeof info.version);
    take_text(device->firmware, info.fw_version, sizeof info.fw_version);
    take_text(device->bus, info.bus_info, sizeof info.bus_info);
}

static void read_speed(const struct driver *driver, struct device *device)
{
    union {
        struct ethtool_link_settings settings;
        uint8_t room[sizeof(struct ethtool_link_settings) + sizeof(uint32_t) * 3 * INT8_MAX];
    } link = {.settings = {.cmd = ETHTOOL_GLINKSETTINGS}};
    /* The first answer is the length of the three bitmaps of modes, negative; it is to be asked
     * with. */
    if (!ask(driver, &link) || link.settings.link_mode_masks_nwords >= 0)
        return;
    link.settings.link_mode_masks_nwords = (int8_t)-link.settings.link_mode_masks_nwords;
    link.settings.cmd = ETHTOOL_GLINKSETTINGS;
    if (!ask(driver, &link))
        return;
    if (link.settings.speed != (uint32_t)SPEED_UNKNOWN)
        device->speed_mbit = link.settings.speed;
    if (link.settings.duplex != DUPLEX_UNKNOWN)
        device->full_duplex = link.settings.duplex == DUPLEX_FULL;
}

static void read_offloads(const struct driver *driver, struct device *device)
{
    const struct {
        uint32_t command;
        int64_t *out;
    } offloads[] = {
        {ETHTOOL_GTSO, &device->tso},
        {ETHTOOL_GGSO, &device->gso},
        {ETHTOOL_GGRO, &device->gro},
        {ETHTOOL_GRXCSUM, &device->rx_checksum},
        {ETHTOOL_GTXCSUM, &device->tx_checksum},
        {ETHTOOL_GSG, &device->scatter_gather},
    };
    for (size_t i = 0; i < COUNT_OF(offloads); i++) {
        struct ethtool_value value = {.cmd = offloads[i].command};
        if (ask(driver, &value))
            *offloads[i].out = value.data != 0;
    }
    struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
    if (ask(driver, &flags))
        device->lro = (flags.data & ETH_FLAG_LRO) != 0;
}

/* User-mode Linux's driver takes rings that it does not have for granted: asked for them, it brings
 * its kernel to a halt (arch/um/drivers/vector_kern.c, 6.1). */
static bool is_trap(const char *driver)
{
    return strcmp(driver, "uml-vector") == 0;
}

static void read_rings(const struct driver *driver, struct device *device)
{
    struct ethtool_ringparam rings = {.cmd = ETHTOOL_GRINGPARAM};
    if (ask(driver, &rings)) {
        device->rx_ring = rings.rx_pending;
        device->tx_ring = rings.tx_pending;
    }
    struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};
    if (ask(driver, &coalesce)) {
        device->rx_coalesce_us = coalesce.rx_coalesce_usecs;
        device->tx_coalesce_us = coalesce.tx_coalesce_usecs;
    }
}

static struct device nothing_known(const char *name)
{
    struct device device = {
        .mtu = DEVICE_UNKNOWN,
        .tx_queue_length = DEVICE_UNKNOWN,
        .tx_queues = DEVICE_UNKNOWN,
        .rx_queues = DEVICE_UNKNOWN,
        .gso_max_size = DEVICE_UNKNOWN,
        .gro_max_size = DEVICE_UNKNOWN,
        .gso_ipv4_max_size = DEVICE_UNKNOWN,
        .gro_ipv4_max_size = DEVICE_UNKNOWN,
        .speed_mbit = DEVICE_UNKNOWN,
        .full_duplex = DEVICE_UNKNOWN,
        .tso = DEVICE_UNKNOWN,
        .gso = DEVICE_UNKNOWN,
        .gro = DEVICE_UNKNOWN,
        .lro = DEVICE_UNKNOWN,
        .rx_checksum = DEVICE_UNKNOWN,
        .tx_checksum = DEVICE_UNKNOWN,
        .scatter_gather = DEVICE_UNKNOWN,
        .rx_ring = DEVICE_UNKNOWN,
        .tx_ring = DEVICE_UNKNOWN,
        .rx_coalesce_us = DEVICE_UNKNOWN,
        .tx_coalesce_us = DEVICE_UNKNOWN,
    };
    snprintf(device.name, sizeof device.name, "%s", name);
    return device;
}

int device_read(const char *name, struct device *out)
{
    *out = nothing_known(name);
    int failed = read_link(out);
    if (failed)
        return failed;
    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    const struct driver driver = {fd, out->name};
    read_driver(&driver, out);
    read_speed(&driver, out);
    read_offloads(&driver, out);
    if (!is_trap(out->driver))
        read_rings(&driver, out);
    return 0;
}
