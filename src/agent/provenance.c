#include "agent/provenance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/socket_options.h"
#include "host/device.h"
#include "host/settings.h"
#include "host/tcp_metrics.h"
#include "util/cleanup.h"
#include "util/version.h"

#define REORDERING 3 /* net.ipv4.tcp_reordering by default */

/* ---- settings ---- */

static int add_text(struct machine *machine, const char *prefix, const char *name,
                    const char *value)
{
    char whole[64];
    snprintf(whole, sizeof whole, "%s.%s", prefix, name);
    return machine_add_setting(machine, whole, value);
}

static int add_number(struct machine *machine, const char *prefix, const char *name, int64_t value)
{
    char text[32] = "";
    if (value != DEVICE_UNKNOWN)
        snprintf(text, sizeof text, "%" PRId64, value);
    return add_text(machine, prefix, name, text);
}

static int add_switch(struct machine *machine, const char *prefix, const char *name, int64_t value)
{
    return add_text(machine, prefix, name, value == DEVICE_UNKNOWN ? "" : value ? "on" : "off");
}

static int add_device(struct machine *machine, const char *prefix, const char *name)
{
    struct device device;
    device_read(name, &device);
    int failed = add_text(machine, prefix, "name", device.name);
    failed |= add_text(machine, prefix, "driver", device.driver);
    failed |= add_text(machine, prefix, "driver_version", device.driver_version);
    failed |= add_text(machine, prefix, "firmware", device.firmware);
    failed |= add_text(machine, prefix, "bus", device.bus);
    failed |= add_text(machine, prefix, "kind", device.kind);
    failed |= add_text(machine, prefix, "qdisc", device.qdisc);
    failed |= add_number(machine, prefix, "mtu_bytes", device.mtu);
    failed |= add_number(machine, prefix, "speed_mbit", device.speed_mbit);
    failed |= add_switch(machine, prefix, "full_duplex", device.full_duplex);
    failed |= add_number(machine, prefix, "tx_queue_packets", device.tx_queue_length);
    failed |= add_number(machine, prefix, "tx_queues", device.tx_queues);
    failed |= add_number(machine, prefix, "rx_queues", device.rx_queues);
    failed |= add_number(machine, prefix, "tx_ring", device.tx_ring);
    failed |= add_number(machine, prefix, "rx_ring", device.rx_ring);
    failed |= add_number(machine, prefix, "tx_coalesce_us", device.tx_coalesce_us);
    failed |= add_number(machine, prefix, "rx_coalesce_us", device.rx_coalesce_us);
    failed |= add_number(machine, prefix, "gso_max_bytes", device.gso_max_size);
    failed |= add_number(machine, prefix, "gro_max_bytes", device.gro_max_size);
    failed |= add_number(machine, prefix, "gso_ipv4_max_bytes", device.gso_ipv4_max_size);
    failed |= add_number(machine, prefix, "gro_ipv4_max_bytes", device.gro_ipv4_max_size);
    failed |= add_switch(machine, prefix, "tso", device.tso);
    failed |= add_switch(machine, prefix, "gso", device.gso);
    failed |= add_switch(machine, prefix, "gro", device.gro);
    failed |= add_switch(machine, prefix, "lro", device.lro);
    failed |= add_switch(machine, prefix, "rx_checksum", device.rx_checksum);
    failed |= add_switch(machine, prefix, "tx_checksum", device.tx_checksum);
    failed |= add_switch(machine, prefix, "scatter_gather", device.scatter_gather);
    return failed;
}

int provenance_read(struct machine *machine, char *const *interfaces, size_t interface_count)
{
    struct setting settings[SETTINGS_MAX];
    const size_t count = settings_read(settings);
    int failed = machine_add_setting(machine, "tcp-flowgen.version", TCP_FLOWGEN_VERSION);
    for (size_t i = 0; !failed && i < count; i++)
        failed = machine_add_setting(machine, settings[i].name, settings[i].value);
    for (size_t i = 0; !failed && i < interface_count; i++) {
        char prefix[32] = "interface";
        if (i)
            snprintf(prefix, sizeof prefix, "interface%zu", i + 1);
        failed = add_device(machine, prefix, interfaces[i]);
    }
    return failed;
}

/* ---- the metrics cache ---- */

/* The ends' peers, each once, in order.  NULL when out of memory. */
static struct ip *list_peers(const struct end_spec *specs, size_t count, size_t *peer_count)
{
    struct ip *peers = calloc(count + 1, sizeof *peers);
    size_t found = 0, kept = 0;
    for (size_t i = 0; peers && i < count; i++) {
        struct socket_address address;
        if (!*specs[i].peer_address ||
            socket_address_parse(specs[i].peer_address, 0, &address, NULL) < 0)
            continue;
        peers[found++] = ip_from((const struct sockaddr *)&address.storage);
    }
    if (!peers)
        return NULL;
    qsort(peers, found, sizeof *peers, tcp_metrics_order);
    for (size_t i = 0; i < found; i++)
        if (kept == 0 || tcp_metrics_order(&peers[kept - 1], &peers[i]) != 0)
            peers[kept++] = peers[i];
    *peer_count = kept;
    return peers;
}

static void format_ip(const struct ip *ip, char out[ADDRESS_MAX])
{
    out[0] = '\0';
    if (ip->family)
        inet_ntop(ip->family, ip->bytes, out, ADDRESS_MAX);
}

static int add_entry(struct machine *machine, const struct tcp_metrics *entry,
                     uint32_t default_reordering, bool keeps_ssthresh)
{
    struct cached_metrics cached = {
        .age_ms = entry->age_ms,
        .rtt_us = entry->rtt_us,
        .rttvar_us = entry->rttvar_us,
        .ssthresh = entry->ssthresh,
        .cwnd = entry->cwnd,
        .reordering = entry->reordering,
        .matters = tcp_metrics_matter(entry, default_reordering, keeps_ssthresh),
    };
    format_ip(&entry->peer, cached.peer);
    format_ip(&entry->local, cached.local);
    return machine_add_metrics(machine, &cached);
}

static int add_entries(struct machine *machine, const struct tcp_metrics *entries, size_t count)
{
    struct setting settings[SETTINGS_MAX];
    const size_t known = settings_read(settings);
    const char *reordering = setting_value(settings, known, "net.ipv4.tcp_reordering");
    const char *unkept = setting_value(settings, known, "net.ipv4.tcp_no_ssthresh_metrics_save");
    const uint32_t default_reordering =
        *reordering ? (uint32_t)strtoul(reordering, NULL, 10) : REORDERING;
    int failed = 0;
    for (size_t i = 0; !failed && i < count; i++)
        failed = add_entry(machine, &entries[i], default_reordering, strcmp(unkept, "0") == 0);
    return failed;
}

static int refuse_flush(int cause, struct error *err)
{
    error_set_errno(err, ERROR_AGENT, -cause, NULL, "the TCP metrics cache cannot be emptied here");
    if (cause == -EPERM || cause == -EACCES)
        return error_cure(err, "the agent needs CAP_NET_ADMIN for --flush-metrics: start it as "
                               "root, or leave that out");
    return error_cure(err, "leave --flush-metrics out");
}

int provenance_metrics(struct machine *machine, const struct end_spec *specs, size_t count,
                       bool flush, struct error *err)
{
    size_t peer_count = 0;
    CLEANUP_FREE struct ip *peers = list_peers(specs, count, &peer_count);
    CLEANUP_FREE struct tcp_metrics *entries = calloc(CACHED_METRICS_MAX, sizeof *entries);
    if (!peers || !entries)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    const int found = tcp_metrics_read(peers, peer_count, entries, CACHED_METRICS_MAX);
    const int kept = found < CACHED_METRICS_MAX ? found : CACHED_METRICS_MAX;
    if (kept > 0 && add_entries(machine, entries, (size_t)kept))
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    if (!flush || found == -ENOENT)
        return 0;
    const int failed = tcp_metrics_forget(peers, peer_count);
    machine->metrics_flushed = failed == 0;
    return failed ? refuse_flush(failed, err) : 0;
}

int provenance_may_flush(bool allowed, struct error *err)
{
    if (!allowed) {
        error_set(err, ERROR_AGENT, NULL, "masters may not empty the TCP metrics cache here");
        return error_cure(err, "start the agent with --allow-flush-metrics, as root, or leave "
                               "--flush-metrics out");
    }
    const int failed = tcp_metrics_may_forget();
    return failed && failed != -ENOENT ? refuse_flush(failed, err) : 0;
}
