#include "rpc/rpc_who.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/socket_owner.h"
#include "rpc/rpc_internal.h"
#include "util/address.h"

struct ends {
    union rpc_address here, there;
    socklen_t there_size;
    bool local; /* the other end is on this machine */
};

static bool read_ends(int fd, struct ends *ends)
{
    socklen_t here_size = sizeof ends->here;
    *ends = (struct ends){.there_size = sizeof ends->there};
    if (getsockname(fd, &ends->here.any, &here_size) ||
        getpeername(fd, &ends->there.any, &ends->there_size))
        return false;
    ends->local = ends->here.any.sa_family == AF_UNIX || address_is_loopback(&ends->here.any) ||
                  address_is_loopback(&ends->there.any);
    return true;
}

/* -EOPNOTSUPP if there are no owners to ask. */
static int find_caller(struct socket_owners *owners, int fd, const struct ends *ends, uid_t *uid)
{
    if (ends->here.any.sa_family == AF_UNIX)
        return socket_owner_of_unix_peer(fd, uid);
    return owners ? socket_owner_of_peer(owners, fd, uid) : -EOPNOTSUPP;
}

/* ---- a caller ---- */

/* IPv4 within IPv6 is IPv4: one key, whichever way he came. */
static void unmap(union rpc_address *address, socklen_t *size)
{
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
        return;
    struct sockaddr_in plain = {.sin_family = AF_INET, .sin_port = address->in6.sin6_port};
    memcpy(&plain.sin_addr, address->in6.sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
    address->in4 = plain;
    *size = sizeof plain;
}

/* One subscriber of IPv6 has a /64 at least, from which he takes addresses as he likes. */
static void name_network_key(struct rpc_caller *caller, union rpc_address address, socklen_t size)
{
    if (address.any.sa_family == AF_INET6) {
        memset(address.in6.sin6_addr.s6_addr + 8, 0, 8);
        getnameinfo(&address.any, size, caller->key, sizeof caller->key - 4, NULL, 0,
                    NI_NUMERICHOST);
        strcat(caller->key, "/64");
    } else {
        snprintf(caller->key, sizeof caller->key, "%s", caller->address);
    }
}

static void name_address(struct rpc_caller *caller, struct ends *ends)
{
    char port[8] = "";
    struct endpoint endpoint = {0};
    unmap(&ends->there, &ends->there_size);
    getnameinfo(&ends->there.any, ends->there_size, caller->address, sizeof caller->address, port,
                sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(endpoint.host, sizeof endpoint.host, "%s", caller->address);
    endpoint.port = (uint16_t)strtoul(port, NULL, 10);
    char text[ENDPOINT_TEXT_MAX];
    snprintf(caller->text, sizeof caller->text, "%.127s", endpoint_text(&endpoint, text));
    name_network_key(caller, ends->there, ends->there_size);
}

static void name_user(struct rpc_caller *caller, uid_t uid)
{
    char at[sizeof caller->text];
    memcpy(at, caller->text, sizeof at);
    snprintf(caller->text, sizeof caller->text, "uid %u at %.100s", uid, at);
    snprintf(caller->key, sizeof caller->key, "uid %u", uid);
    caller->is_here = true;
}

enum rpc_who rpc_who_calls(struct socket_owners *owners, const struct users *trusted, int fd,
                           struct rpc_caller *caller, char why[RPC_WHY_MAX])
{
    struct ends ends;
    uid_t uid;
    *caller = (struct rpc_caller){.text = "?", .key = "?"};
    if (!read_ends(fd, &ends))
        return RPC_WHO_GONE;
    if (ends.here.any.sa_family == AF_UNIX)
        snprintf(caller->text, sizeof caller->text, "%.100s", ends.here.un.sun_path);
    else
        name_address(caller, &ends);
    if (!ends.local)
        return RPC_WHO_FINE;
    int failed = find_caller(owners, fd, &ends, &uid);
    if (failed == -ENOENT)
        return RPC_WHO_GONE;
    if (failed) {
        snprintf(why, RPC_WHY_MAX, "the agent cannot tell which user calls: %s",
                 socket_owner_problem(failed));
        return RPC_WHO_FOREIGN;
    }
    name_user(caller, uid);
    if (users_have(trusted, uid))
        return RPC_WHO_FINE;
    snprintf(why, RPC_WHY_MAX,
             "this agent of uid %u does not serve uid %u: start it with --allow-user %u, or the "
             "master as a user that it serves",
             geteuid(), uid, uid);
    return RPC_WHO_FOREIGN;
}

/* ---- what listens ---- */

/* Whoever accepted the connection may have left the port to another one meanwhile: so whose the
 * other end is counts too, if somebody holds it already. */
static int find_listener(struct socket_owners *owners, const struct users *trusted, int fd,
                         uid_t *uid)
{
    int failed = socket_owner_of_listener(owners, fd, uid);
    if (failed || !users_have(trusted, *uid))
        return failed;
    uid_t holder;
    failed = socket_owner_of_peer(owners, fd, &holder);
    if (!failed)
        *uid = holder;
    return failed == -ENOENT ? 0 : failed;
}

/* With all that has to be said on both sides. */
static void name_stranger(char why[RPC_WHY_MAX], uid_t uid)
{
    char text[USERS_TEXT_MAX], other[64] = "";
    if (geteuid() != 0)
        snprintf(other, sizeof other, "; the agent needs --allow-user %u then",
                 (unsigned)geteuid());
    snprintf(why, RPC_WHY_MAX,
             "%s listens there, who is neither you nor root: if you trust that user, add "
             "--trust-user %u%s",
             users_text(uid, text), (unsigned)uid, other);
}

enum rpc_who rpc_who_listens(struct socket_owners *owners, const struct users *trusted, int fd,
                             char why[RPC_WHY_MAX])
{
    struct ends ends;
    uid_t uid;
    int failed;
    if (!read_ends(fd, &ends))
        return RPC_WHO_GONE;
    if (!ends.local)
        return RPC_WHO_FINE;
    if (ends.here.any.sa_family == AF_UNIX)
        failed = socket_owner_of_unix_peer(fd, &uid);
    else
        failed = owners ? find_listener(owners, trusted, fd, &uid) : -EOPNOTSUPP;
    if (failed == -ENOENT)
        return RPC_WHO_GONE;
    if (failed)
        snprintf(why, RPC_WHY_MAX, "nothing tells which user listens there: %s",
                 socket_owner_problem(failed));
    else if (users_have(trusted, uid))
        return RPC_WHO_FINE;
    else
        name_stranger(why, uid);
    return RPC_WHO_FOREIGN;
}
