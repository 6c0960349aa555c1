/* What an interface is and does, beside its counters: driver, speed, offloads.  No privilege; any
 * thread. */
#ifndef HOST_DEVICE_H
#define HOST_DEVICE_H

#include <stdint.h>

#include "model/flow.h"

#define DEVICE_TEXT_MAX 32
#define DEVICE_UNKNOWN  (-1)

/* DEVICE_UNKNOWN, or an empty text: the kernel or the driver does not say. */
struct device {
    char name[DEVICE_MAX];
    char driver[DEVICE_TEXT_MAX], driver_version[DEVICE_TEXT_MAX], firmware[DEVICE_TEXT_MAX];
    char bus[DEVICE_TEXT_MAX];   /* where it is: a PCI address */
    char kind[DEVICE_TEXT_MAX];  /* of a virtual one: veth, vlan, bridge, ... */
    char qdisc[DEVICE_TEXT_MAX]; /* its root queueing discipline */
    int64_t mtu, tx_queue_length, tx_queues, rx_queues;
    int64_t gso_max_size, gro_max_size;           /* bytes, IPv6; above 65536: BIG TCP */
    int64_t gso_ipv4_max_size, gro_ipv4_max_size; /* from Linux 6.3 on */
    int64_t speed_mbit, full_duplex;
    int64_t tso, gso, gro, lro, rx_checksum, tx_checksum, scatter_gather; /* 0 off, 1 on */
    int64_t rx_ring, tx_ring;                                             /* entries */
    int64_t rx_coalesce_us, tx_coalesce_us; /* interrupts are put off by so much */
};

/* Reads what is known of the named interface of this network namespace.  0, or -errno where there
 * is none: out then holds the name and nothing known. */
int device_read(const char *name, struct device *out);

#endif
