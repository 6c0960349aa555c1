#include "probe/stamped_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

#define STAMPS                                                                                 \
    (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | \
     SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY)
#define PRIORITY     6 /* TC_PRIO_INTERACTIVE: before bulk traffic in pfifo_fast, our own, say */
#define CONTROL_SIZE 256

/* ---- addresses ---- */

bool udp_address_read(union udp_address *out, const char *text, uint16_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list;
    memset(out, 0, sizeof *out);
    if (getaddrinfo(text, NULL, &hints, &list))
        return false;
    memcpy(out, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    bool single = false;
    if (out->any.sa_family == AF_INET) {
        uint32_t v4 = ntohl(out->v4.sin_addr.s_addr);
        single = v4 >> 24 != 0 && !IN_MULTICAST(v4) && v4 != INADDR_BROADCAST;
    } else if (out->any.sa_family == AF_INET6) {
        single = !IN6_IS_ADDR_MULTICAST(&out->v6.sin6_addr) &&
                 !IN6_IS_ADDR_UNSPECIFIED(&out->v6.sin6_addr);
    }
    out->v4.sin_port = htons(port); /* in both at one place */
    return single;
}

socklen_t udp_address_size(const union udp_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

static struct in6_addr as_v6(const union udp_address *address)
{
    if (address->any.sa_family == AF_INET6)
        return address->v6.sin6_addr;
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&mapped.s6_addr[12], &address->v4.sin_addr, 4);
    return mapped;
}

bool udp_address_same_host(const union udp_address *a, const union udp_address *b)
{
    struct in6_addr one = as_v6(a), other = as_v6(b);
    return memcmp(&one, &other, sizeof one) == 0;
}

/* ---- the socket ---- */

/* Counts departures from 0 on again: after a failed send the kernel's count is not known. */
static void count_anew(struct stamped_socket *stamped)
{
    const int none = 0, stamps = STAMPS;
    setsockopt(stamped->fd, SOL_SOCKET, SO_TIMESTAMPING, &none, sizeof none);
    setsockopt(stamped->fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
    stamped->sent = 0;
    stamped->left_real_ns = 0;
}

int stamped_socket_open(struct stamped_socket *out, const union udp_address *address,
                        struct error *err)
{
    const int yes = 1, priority = PRIORITY;
    int family = address->any.sa_family;
    *out = (struct stamped_socket){
        .fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP)};
    if (out->fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "no UDP socket can be had");
    if (family == AF_INET6)
        setsockopt(out->fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    setsockopt(out->fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority);
    count_anew(out);
    if (bind(out->fd, &address->any, udp_address_size(address))) {
        const int cause = errno;
        error_set_errno(err, ERROR_SYSTEM, cause, NULL, "a UDP socket cannot be bound");
        stamped_socket_close(out);
        errno = cause;
        return ERROR_SYSTEM;
    }
    return 0;
}

void stamped_socket_close(struct stamped_socket *stamped)
{
    if (stamped->fd >= 0)
        close(stamped->fd);
    stamped->fd = -1;
}

static int64_t stamp_of(const struct cmsghdr *control)
{
    struct scm_timestamping stamps;
    memcpy(&stamps, CMSG_DATA(control), sizeof stamps);
    return stamps.ts[0].tv_sec * NS_PER_S + stamps.ts[0].tv_nsec;
}

static bool is_stamp(const struct cmsghdr *control)
{
    return control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_TIMESTAMPING &&
           control->cmsg_len >= CMSG_LEN(sizeof(struct scm_timestamping));
}

static bool is_extended_error(const struct cmsghdr *control)
{
    bool of_v4 = control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR;
    bool of_v6 = control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR;
    return (of_v4 || of_v6) && control->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err));
}

ssize_t stamped_socket_receive(struct stamped_socket *stamped, void *data, size_t size,
                               union udp_address *from, int64_t *real_ns)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    struct iovec piece = {.iov_base = data, .iov_len = size};
    struct msghdr message = {
        .msg_name = from,
        .msg_namelen = from ? sizeof *from : 0,
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    *real_ns = 0;
    ssize_t got = recvmsg(stamped->fd, &message, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0)
        return -errno;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at))
        if (is_stamp(at))
            *real_ns = stamp_of(at);
    return got;
}

bool stamped_socket_send(struct stamped_socket *stamped, const void *data, size_t size,
                         const union udp_address *to)
{
    ssize_t sent = sendto(stamped->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                          to ? &to->any : NULL, to ? udp_address_size(to) : 0);
    if (sent == (ssize_t)size) {
        stamped->sent++;
        return true;
    }
    count_anew(stamped);
    return false;
}

/* One entry of the error queue; false: it is empty. */
static bool take_stamp(struct stamped_socket *stamped)
{
    _Alignas(struct cmsghdr) char control[CONTROL_SIZE];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(stamped->fd, &message, MSG_DONTWAIT | MSG_ERRQUEUE) < 0)
        return false;
    int64_t stamp = 0;
    struct sock_extended_err about = {0};
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
        if (is_stamp(at))
            stamp = stamp_of(at);
        else if (is_extended_error(at))
            memcpy(&about, CMSG_DATA(at), sizeof about);
    }
    if (stamp && about.ee_origin == SO_EE_ORIGIN_TIMESTAMPING && about.ee_info == SCM_TSTAMP_SND) {
        stamped->marked = about.ee_data;
        stamped->left_real_ns = stamp;
    }
    return true;
}

int64_t stamped_socket_left(struct stamped_socket *stamped)
{
    while (take_stamp(stamped))
        continue;
    bool is_last = stamped->sent && stamped->marked == stamped->sent - 1;
    return is_last ? stamped->left_real_ns : 0;
}
