#include "host/socket_owner.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/netlink.h"
#include "util/cleanup.h"

#define LOOPBACK_INDEX 1 /* lo is the first interface of every network namespace */

struct socket_owners {
    struct mnl_socket *socket;
    uint32_t number;  /* of the last question */
    int64_t overflow; /* the uid that stands for users of other namespaces; -1: there are none */
};

/* One end of a connection. */
union end {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

struct pair {
    union end here, there;
};

struct answer {
    bool came;
    uint8_t state;
    uint32_t uid, inode;
};

/* ---- users of other namespaces ---- */

/* In the first user namespace the overflow uid is a user like others. */
static int64_t read_overflow(void)
{
    long long first, outside, count, uid = 65534;
    CLEANUP_FCLOSE FILE *map = fopen("/proc/self/uid_map", "re");
    if (map && fscanf(map, "%lld %lld %lld", &first, &outside, &count) == 3 && first == 0 &&
        outside == 0 && count == UINT32_MAX)
        return -1;
    CLEANUP_FCLOSE FILE *overflow = fopen("/proc/sys/kernel/overflowuid", "re");
    if (overflow && fscanf(overflow, "%lld", &uid) != 1)
        uid = 65534;
    return uid;
}

int socket_owners_open(struct socket_owners **out)
{
    struct socket_owners *owners = calloc(1, sizeof *owners);
    if (!owners)
        return -ENOMEM;
    owners->socket = netlink_open(NETLINK_SOCK_DIAG);
    if (!owners->socket) {
        int failed = -errno;
        free(owners);
        return failed == -EPROTONOSUPPORT || failed == -EAFNOSUPPORT ? -EOPNOTSUPP : failed;
    }
    owners->overflow = read_overflow();
    *out = owners;
    return 0;
}

void socket_owners_close(struct socket_owners *owners)
{
    if (!owners)
        return;
    mnl_socket_close(owners->socket);
    free(owners);
}

/* ---- the question ---- */

/* The kernel looks connections of IPv4 up as such, also those of sockets of IPv6. */
static void unmap(union end *end)
{
    if (end->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&end->in6.sin6_addr))
        return;
    struct sockaddr_in plain = {.sin_family = AF_INET, .sin_port = end->in6.sin6_port};
    memcpy(&plain.sin_addr, end->in6.sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
    end->in4 = plain;
}

static int read_ends(int fd, struct pair *pair)
{
    socklen_t here = sizeof pair->here, there = sizeof pair->there;
    if (getsockname(fd, &pair->here.any, &here) || getpeername(fd, &pair->there.any, &there))
        return errno == ENOTCONN ? -ENOENT : -errno;
    unmap(&pair->here);
    unmap(&pair->there);
    return pair->here.any.sa_family == pair->there.any.sa_family ? 0 : -EAFNOSUPPORT;
}

static void put_end(const union end *end, __be32 address[4], __be16 *port)
{
    if (end->any.sa_family == AF_INET)
        memcpy(address, &end->in4.sin_addr, sizeof end->in4.sin_addr);
    else
        memcpy(address, &end->in6.sin6_addr, sizeof end->in6.sin6_addr);
    *port = end->in4.sin_port; /* at the same place in both */
}

static int on_answer(const struct nlmsghdr *message, void *arg)
{
    struct answer *answer = arg;
    const struct inet_diag_msg *found = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        mnl_nlmsg_get_payload_len(message) < sizeof *found)
        return MNL_CB_STOP;
    *answer = (struct answer){true, found->idiag_state, found->idiag_uid, found->idiag_inode};
    return MNL_CB_STOP;
}

/* The one socket whose own end is `of`, connected to `to`; port 0 there: the one that listens. */
static int ask(struct socket_owners *owners, const union end *of, const union end *to,
               bool listening, struct answer *answer)
{
    char buffer[NETLINK_QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct inet_diag_req_v2 *request;
    struct nlmsghdr *question =
        netlink_question(buffer, SOCK_DIAG_BY_FAMILY, 0, sizeof *request, &request);
    request->sdiag_family = (uint8_t)of->any.sa_family;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_states = UINT32_MAX;
    put_end(of, request->id.idiag_src, &request->id.idiag_sport);
    put_end(to, request->id.idiag_dst, &request->id.idiag_dport);
    if (listening)
        request->id.idiag_dport = 0;
    request->id.idiag_if = LOOPBACK_INDEX;
    request->id.idiag_cookie[0] = request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    *answer = (struct answer){0};
    if (++owners->number == 0)
        owners->number = 1;
    int failed = netlink_ask_on(owners->socket, owners->number, question, on_answer, answer);
    return failed || answer->came ? failed : -ENOENT;
}

/* The kernel answers alike for a socket that is not there and if it cannot look any up: our own
 * end surely is there. */
static int why_none(struct socket_owners *owners, const struct pair *pair)
{
    struct answer answer;
    int failed = ask(owners, &pair->here, &pair->there, false, &answer);
    return failed == -ENOENT ? -EOPNOTSUPP : -ENOENT;
}

static int look_up(struct socket_owners *owners, int fd, bool listening, uid_t *uid)
{
    struct pair pair = {0};
    struct answer answer;
    int failed = read_ends(fd, &pair);
    if (failed)
        return failed;
    failed = ask(owners, &pair.there, &pair.here, listening, &answer);
    if (failed)
        return failed == -ENOENT ? why_none(owners, &pair) : failed;
    /* A socket that nobody holds shows as root's, without an inode. */
    if (answer.state != (listening ? TCP_LISTEN : TCP_ESTABLISHED) || !answer.inode)
        return -ENOENT;
    if (answer.uid == owners->overflow)
        return -EOVERFLOW;
    *uid = answer.uid;
    return 0;
}

int socket_owner_of_peer(struct socket_owners *owners, int fd, uid_t *uid)
{
    return look_up(owners, fd, false, uid);
}

int socket_owner_of_listener(struct socket_owners *owners, int fd, uid_t *uid)
{
    return look_up(owners, fd, true, uid);
}

int socket_owner_of_unix_peer(int fd, uid_t *uid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return -errno;
    if (peer.uid == (uid_t)read_overflow())
        return -EOVERFLOW;
    *uid = peer.uid;
    return 0;
}

const char *socket_owner_problem(int failed)
{
    switch (failed) {
    case -ENOENT:
        return "nobody holds its socket any more";
    case -EOPNOTSUPP:
        return "this kernel does not tell whose a socket is (modprobe tcp_diag, or use unix:PATH)";
    case -EOVERFLOW:
        return "its user is none of this user namespace";
    default:
        return strerrordesc_np(-failed);
    }
}
