#include "host/reading.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu.h"
#include "host/interface.h"
#include "host/netlink.h"
#include "host/qdisc.h"
#include "util/clock.h"

struct host_reader {
    struct cpu_reader cpu;
    struct mnl_socket *netlink; /* NULL: there is none */
    uint32_t questions;         /* asked so far */
    char (*names)[DEVICE_MAX];
    unsigned indices[HOST_INTERFACES_MAX]; /* 0: not there */
    size_t interface_count;
    pid_t *processes;
    int64_t *process_ns; /* last known: a process that has ended keeps its time */
    size_t process_count;
};

int host_reader_create(struct host_reader **out, const char (*interfaces)[DEVICE_MAX],
                       size_t interface_count, const pid_t *processes, size_t process_count,
                       struct error *err)
{
    struct host_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    cpu_reader_open(&reader->cpu);
    reader->netlink = netlink_open(NETLINK_ROUTE);
    reader->interface_count = interface_count;
    reader->process_count = process_count;
    reader->names = calloc(interface_count + 1, sizeof *reader->names);
    reader->processes = calloc(process_count + 1, sizeof *reader->processes);
    reader->process_ns = calloc(process_count + 1, sizeof *reader->process_ns);
    if (!reader->names || !reader->processes || !reader->process_ns) {
        host_reader_destroy(reader);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    memcpy(reader->names, interfaces, interface_count * sizeof *interfaces);
    memcpy(reader->processes, processes, process_count * sizeof *processes);
    *out = reader;
    return 0;
}

void host_reader_destroy(struct host_reader *reader)
{
    if (!reader)
        return;
    cpu_reader_close(&reader->cpu);
    if (reader->netlink)
        mnl_socket_close(reader->netlink);
    free(reader->names);
    free(reader->processes);
    free(reader->process_ns);
    free(reader);
}

static void read_cpu(struct host_reader *reader, int64_t *row)
{
    struct cpu_times times;
    struct softnet_counters softnet;
    cpu_read_times(&reader->cpu, &times);
    cpu_read_softnet(&reader->cpu, &softnet);
    row[HOST_agent_cpu_ns] = 0;
    for (size_t i = 0; i < reader->process_count; i++) {
        int64_t ns = cpu_of_process(reader->processes[i]);
        if (ns > reader->process_ns[i])
            reader->process_ns[i] = ns;
        row[HOST_agent_cpu_ns] += reader->process_ns[i];
    }
    row[HOST_user_ns] = times.user_ns;
    row[HOST_system_ns] = times.system_ns;
    row[HOST_irq_ns] = times.irq_ns;
    row[HOST_softirq_ns] = times.softirq_ns;
    row[HOST_idle_ns] = times.idle_ns;
    row[HOST_steal_ns] = times.steal_ns;
    row[HOST_softnet_dropped] = softnet.dropped;
    row[HOST_softnet_squeezed] = softnet.squeezed;
}

static void take_interface(const struct interface_counters *from, int64_t *to)
{
    to[INTERFACE_rx_bytes] = (int64_t)from->rx_bytes;
    to[INTERFACE_tx_bytes] = (int64_t)from->tx_bytes;
    to[INTERFACE_rx_packets] = (int64_t)from->rx_packets;
    to[INTERFACE_tx_packets] = (int64_t)from->tx_packets;
    to[INTERFACE_rx_errors] = (int64_t)from->rx_errors;
    to[INTERFACE_tx_errors] = (int64_t)from->tx_errors;
    to[INTERFACE_rx_dropped] = (int64_t)from->rx_dropped;
    to[INTERFACE_tx_dropped] = (int64_t)from->tx_dropped;
}

static void take_qdisc(const struct qdisc_counters *from, int64_t *to)
{
    if (!from->kind[0])
        return;
    to[INTERFACE_qdisc_bytes] = (int64_t)from->bytes;
    to[INTERFACE_qdisc_packets] = (int64_t)from->packets;
    to[INTERFACE_qdisc_backlog] = from->backlog_bytes;
    to[INTERFACE_qdisc_qlen] = from->qlen;
    to[INTERFACE_qdisc_drops] = from->drops;
    to[INTERFACE_qdisc_requeues] = from->requeues;
    to[INTERFACE_qdisc_overlimits] = from->overlimits;
    to[INTERFACE_qdisc_marks] = from->tells_marks ? (int64_t)from->marks : HOST_UNKNOWN;
}

/* What is still to come of a failed answer is not to be taken for the next one. */
static void renew(struct host_reader *reader)
{
    mnl_socket_close(reader->netlink);
    reader->netlink = netlink_open(NETLINK_ROUTE);
}

static void read_interfaces(struct host_reader *reader, struct host_series *series, int64_t *row)
{
    struct qdisc_counters qdiscs[HOST_INTERFACES_MAX];
    for (size_t i = 0; i < reader->interface_count; i++) {
        struct interface_counters counters = {0};
        if (!reader->indices[i])
            reader->indices[i] = if_nametoindex(reader->names[i]);
        if (!reader->indices[i])
            continue;
        if (interface_read(reader->netlink, ++reader->questions, reader->indices[i], &counters) ==
            0)
            take_interface(&counters, row + host_series_place(i));
        else
            reader->indices[i] = 0; /* it went; another may come by its name */
    }
    if (qdisc_read(reader->netlink, ++reader->questions, reader->indices, reader->interface_count,
                   qdiscs)) {
        renew(reader);
        return;
    }
    for (size_t i = 0; i < reader->interface_count; i++) {
        take_qdisc(&qdiscs[i], row + host_series_place(i));
        memcpy(series->interfaces[i].qdisc, qdiscs[i].kind, sizeof qdiscs[i].kind);
    }
}

void host_reader_read(struct host_reader *reader, struct host_series *series, int64_t *row)
{
    for (size_t i = 0; i < host_series_width(series); i++)
        row[i] = HOST_UNKNOWN;
    row[HOST_t_ns] = clock_now();
    read_cpu(reader, row);
    if (reader->netlink && reader->interface_count)
        read_interfaces(reader, series, row);
}
