/* Readings of one machine beside the flows: rows of counters, which are kept thinned where there
 * are too many.  Zero-initialised is empty. */
#ifndef MODEL_HOST_SERIES_H
#define MODEL_HOST_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"

#define HOST_INTERFACES_MAX 16                /* of one agent */
#define HOST_SPACING_NS     INT64_C(50000000) /* rows are at least so far apart */
#define HOST_UNKNOWN        INT64_C(-1)       /* in a row: not known */

/* Of the machine; the order and names are those of HostSamples in messages.proto, which has the
 * meanings. */
/* clang-format off */
#define HOST_FIELDS(X)                                                                             \
    X(tick) X(t_ns) X(agent_cpu_ns) X(user_ns) X(system_ns) X(irq_ns) X(softirq_ns) X(idle_ns)     \
    X(steal_ns) X(softnet_dropped) X(softnet_squeezed)

/* Of one interface and its queueing discipline: InterfaceSamples. */
#define INTERFACE_FIELDS(X)                                                                        \
    X(rx_bytes) X(tx_bytes) X(rx_packets) X(tx_packets) X(rx_errors) X(tx_errors) X(rx_dropped)    \
    X(tx_dropped) X(qdisc_bytes) X(qdisc_packets) X(qdisc_backlog) X(qdisc_qlen) X(qdisc_drops)    \
    X(qdisc_requeues) X(qdisc_overlimits) X(qdisc_marks)
/* clang-format on */

#define HOST_ENUM(name)      HOST_##name,
#define INTERFACE_ENUM(name) INTERFACE_##name,
enum host_field { HOST_FIELDS(HOST_ENUM) HOST_FIELD_COUNT };
enum interface_field { INTERFACE_FIELDS(INTERFACE_ENUM) INTERFACE_FIELD_COUNT };

extern const char *const host_field_names[HOST_FIELD_COUNT];
extern const char *const interface_field_names[INTERFACE_FIELD_COUNT];

struct host_interface {
    char name[DEVICE_MAX];
    char qdisc[DEVICE_MAX]; /* kind of its root queueing discipline; empty: not known */
};

struct host_series {
    struct host_interface interfaces[HOST_INTERFACES_MAX];
    size_t interface_count;
    int64_t *rows; /* host_series_width() values each: the machine's, then each interface's */
    size_t count, capacity;
    uint64_t seen;   /* rows that were added */
    uint64_t stride; /* of the rows seen every so many-th is kept, and the last; 0: all, none yet */
};

/* Values of a row. */
size_t host_series_width(const struct host_series *series);
/* Row i's values. */
int64_t *host_series_row(const struct host_series *series, size_t row);
/* The place of an interface's first value in a row. */
size_t host_series_place(size_t interface);

/* Appends a row; with more than `limit` (2 or more) of them every second one goes.  The last one
 * added is always there.  0, or -1 when out of memory. */
int host_series_add(struct host_series *series, const int64_t *row, size_t limit);

/* How many rows of each machine are kept where there are so many agents: all are in memory at once.
 * The more agents, the fewer. */
size_t host_series_limit(size_t agents);

void host_series_clear(struct host_series *series); /* no rows; keeps the memory */
void host_series_fini(struct host_series *series);

#endif
