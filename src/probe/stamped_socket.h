/* A UDP socket whose datagrams the kernel stamps as they come and go (SO_TIMESTAMPING, see
 * Documentation/networking/timestamping.rst).  A stamp of arrival is made after the packet is
 * there, one of departure before the device has it: never on the wrong side.  Never blocks.  One
 * thread at a time. */
#ifndef PROBE_STAMPED_SOCKET_H
#define PROBE_STAMPED_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "util/error.h"

union udp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct stamped_socket {
    int fd; /* for poll(): POLLIN, and POLLERR if a stamp of departure has come; -1: closed */
    uint32_t sent;        /* since the kernel counts */
    uint32_t marked;      /* which of them the last stamp of departure is of */
    int64_t left_real_ns; /* that stamp; 0: none came */
};

/* Reads a numeric address ("10.0.0.1", "fe80::1%eth0"); false if it is none, or no single machine's
 * (multicast, broadcast, "0.0.0.0"). */
bool udp_address_read(union udp_address *out, const char *text, uint16_t port);
socklen_t udp_address_size(const union udp_address *address);
/* The same machine, whatever the ports; an IPv4 address may be written as an IPv6 one (RFC 4291,
 * section 2.5.5.2). */
bool udp_address_same_host(const union udp_address *a, const union udp_address *b);

/* Bound to the address.  0 or ERROR_SYSTEM, with errno.  Where the kernel stamps nothing the socket
 * works all the same. */
int stamped_socket_open(struct stamped_socket *out, const union udp_address *address,
                        struct error *err);
void stamped_socket_close(struct stamped_socket *stamped);

/* Bytes received, more than size if the datagram was longer, or -errno (-EAGAIN: there is none).
 * from may be NULL.  *real_ns: the stamp, CLOCK_REALTIME; 0: none. */
ssize_t stamped_socket_receive(struct stamped_socket *stamped, void *data, size_t size,
                               union udp_address *from, int64_t *real_ns);

/* to: NULL where the socket is connected.  False: it was not sent. */
bool stamped_socket_send(struct stamped_socket *stamped, const void *data, size_t size,
                         const union udp_address *to);

/* When the last datagram left, CLOCK_REALTIME; 0: not known (yet).  Takes in what has come. */
int64_t stamped_socket_left(struct stamped_socket *stamped);

#endif
