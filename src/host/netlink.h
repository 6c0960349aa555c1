/* Questions to the kernel by netlink; what it knows of addresses and routes. */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct ip {
    int family;         /* AF_INET or AF_INET6 */
    unsigned interface; /* its index: the owner, or the scope of a link-local address; 0: none */
    uint8_t bytes[16];  /* network order; IPv4 has the first four */
};

/* An address of either family. */
struct ip ip_from(const struct sockaddr *address);
/* Bytes of an address: 4 or 16. */
size_t ip_size(int family);

/* All addresses of this network namespace's interfaces.  0 and *out to free(), or -errno. */
int netlink_addresses(struct ip **out, size_t *count);

struct netlink_route {
    unsigned char type; /* RTN_LOCAL, RTN_UNICAST, ... */
    unsigned interface; /* index of the interface that packets leave by */
    struct ip gateway;  /* family 0: none */
    uint32_t features;  /* RTAX_FEATURE_ECN, ... */
};

/* Where packets to `to` go.  from may be NULL, interface 0.  0, or -errno (-ENETUNREACH, ...). */
int netlink_route_get(const struct ip *to, const struct ip *from, unsigned interface,
                      struct netlink_route *out);

/* ---- For questions of one's own ---- */

#define NETLINK_QUESTION_SIZE 1024
#define NETLINK_DUMP_TRIES    5 /* of a dump that failed with EINTR: things changed meanwhile */

/* A question to complete, in buffer; *header is its zeroed second header of the size given. */
struct nlmsghdr *netlink_question(void *buffer, unsigned type, unsigned flags, size_t size,
                                  void *header);
/* RTM_GETROUTE, as in netlink_route_get(), for packets with the mark, if it is not 0. */
struct nlmsghdr *netlink_route_question(void *buffer, const struct ip *to, const struct ip *from,
                                        unsigned interface, uint32_t mark, unsigned route_flags);
/* A socket for many questions, one at a time; NETLINK_ROUTE or another protocol.  NULL: errno. */
struct mnl_socket *netlink_open(int protocol);
/* Sends the question and hands every answer to callback (NULL: only success matters), until
 * MNL_CB_STOP or the end.  number is another one each time, not 0.  0 or -errno; -EAGAIN: no answer
 * within 2 s. */
int netlink_ask_on(struct mnl_socket *socket, uint32_t number, struct nlmsghdr *question,
                   mnl_cb_t callback, void *arg);
/* Likewise, on a socket for this question alone. */
int netlink_ask(struct nlmsghdr *question, mnl_cb_t callback, void *arg);
/* A callback for the answer to a netlink_route_question(); arg is a struct netlink_route. */
int netlink_on_route(const struct nlmsghdr *message, void *arg);

#endif
