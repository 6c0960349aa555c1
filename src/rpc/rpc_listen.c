#include "rpc/rpc_listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/rpc_internal.h"
#include "util/cleanup.h"
#include "util/users.h"

#define BACKLOG 512

static const char *tcp_cure(int failed)
{
    switch (failed) {
    case EADDRINUSE:
        return "end the program that listens there (ss -ltnp shows it), or take another port";
    case EADDRNOTAVAIL:
        return "listen on an address of this machine (ip address shows them)";
    case EACCES:
        return "a port below 1024 needs CAP_NET_BIND_SERVICE: take a higher one";
    default:
        return "";
    }
}

/* ---- TCP ---- */

/* The port that the kernel chose, or 0 with errno. */
static uint16_t port_of(int fd)
{
    union rpc_address at = {0};
    socklen_t size = sizeof at;
    if (getsockname(fd, &at.any, &size))
        return 0;
    return ntohs(at.any.sa_family == AF_INET6 ? at.in6.sin6_port : at.in4.sin_port);
}

/* 0 or an errno.  No SO_REUSEPORT: two agents would share the port. */
static int listen_at(struct rpc_listeners *out, const struct addrinfo *info)
{
    union rpc_address at;
    const int on = 1, off = 0;
    socklen_t size = rpc_address_take(&at, info, out->port);
    if (!size)
        return EAFNOSUPPORT;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* or TIME_WAIT looks like use */
    if (info->ai_family == AF_INET6) /* "::" takes IPv4 too, whatever the system's default */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    int failed = bind(fd, &at.any, size) || listen(fd, BACKLOG) ? errno : 0;
    if (failed) {
        close(fd);
        return failed;
    }
    out->port = port_of(fd);
    out->fds[out->count++] = fd;
    return 0;
}

/* A resolver may name one address twice. */
static bool is_repeated(const struct addrinfo *list, const struct addrinfo *address)
{
    while (list != address) {
        if (list->ai_addrlen == address->ai_addrlen &&
            memcmp(list->ai_addr, address->ai_addr, address->ai_addrlen) == 0)
            return true;
        list = list->ai_next;
    }
    return false;
}

static bool is_absent(int failed)
{
    return failed == EADDRNOTAVAIL || failed == EAFNOSUPPORT;
}

/* "localhost" may be ::1 and 127.0.0.1: the server listens on those that exist, at one port. */
static int listen_at_each(struct rpc_listeners *out, const struct addrinfo *list)
{
    int failed = 0;
    for (const struct addrinfo *a = list; a && out->count < RPC_LISTENERS_MAX; a = a->ai_next) {
        if (is_repeated(list, a))
            continue;
        failed = listen_at(out, a);
        if (failed && !is_absent(failed))
            return failed;
    }
    return out->count ? 0 : failed;
}

static int resolve_and_listen(struct rpc_listeners *out, const char *host, int flags,
                              const char *where, int *failed, struct error *err)
{
    struct addrinfo *list;
    if (rpc_address_resolve(&list, host, flags, ERROR_SYSTEM, where, err))
        return ERROR_SYSTEM;
    *failed = listen_at_each(out, list);
    freeaddrinfo(list);
    return 0;
}

static int listen_tcp(struct rpc_listeners *out, const struct endpoint *at, const char *where,
                      struct error *err)
{
    int failed = 0;
    out->port = at->port;
    /* "::" takes IPv4 connections too; a kernel without IPv6 has 0.0.0.0 only. */
    if (resolve_and_listen(out, at->host[0] ? at->host : "::", 0, where, &failed, err))
        return ERROR_SYSTEM;
    if (!at->host[0] && is_absent(failed) &&
        resolve_and_listen(out, "0.0.0.0", AI_NUMERICHOST, where, &failed, err))
        return ERROR_SYSTEM;
    if (!failed)
        return 0;
    error_set_errno(err, ERROR_SYSTEM, failed, where, "cannot listen");
    return error_cure(err, "%s", tcp_cure(failed));
}

/* ---- Unix ---- */

static const char *unix_cure(int failed)
{
    switch (failed) {
    case EADDRINUSE:
        return "end the program that listens there (ss -lxp shows it), or take another path";
    case ENOENT:
        return "make that directory, or take another path";
    case EACCES:
    case EPERM:
    case EROFS:
        return "take a path in a directory that this user may write to";
    default:
        return "take another path";
    }
}

static int cannot_listen(int failed, const char *where, struct error *err)
{
    error_set_errno(err, ERROR_SYSTEM, failed, where, "cannot listen");
    return error_cure(err, "%s", unix_cure(failed));
}

/* 0: nobody listens there; else an errno. */
static int knock(const union rpc_address *at, socklen_t size)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, &at->any, size) == 0 || errno == EAGAIN)
        return EADDRINUSE;
    return errno == ECONNREFUSED ? 0 : errno;
}

/* Makes room for a new one. */
static int remove_stale(const char *path, const union rpc_address *at, socklen_t size,
                        const char *where, struct error *err)
{
    struct stat there;
    char owner[USERS_TEXT_MAX];
    if (lstat(path, &there))
        return errno == ENOENT ? 0 : cannot_listen(errno, where, err);
    if (!S_ISSOCK(there.st_mode)) {
        error_set(err, ERROR_SYSTEM, where, "cannot listen: the file there is no socket");
        return error_cure(err, "name a path where nothing is yet");
    }
    int failed = knock(at, size);
    if (there.st_uid != geteuid() && (!failed || failed == EACCES)) {
        error_set(err, ERROR_SYSTEM, where, "cannot listen: the socket that is there belongs to %s",
                  users_text(there.st_uid, owner));
        return error_cure(err, "have it removed if nothing listens there, or take another path");
    }
    if (failed)
        return cannot_listen(failed, where, err);
    if (unlink(path) && errno != ENOENT) {
        error_set_errno(err, ERROR_SYSTEM, errno, where,
                        "cannot remove the socket that was left there");
        return error_cure(err, "remove it, or take another path");
    }
    return 0;
}

/* The file has its mode from the first moment on: who may connect is decided by his uid, but where
 * that is this user alone, others need not get so far. */
static int bind_with_mode(int fd, const union rpc_address *at, socklen_t size, mode_t mode)
{
    mode_t before = umask((mode_t)~mode & 0777);
    int failed = bind(fd, &at->any, size) ? errno : 0;
    umask(before);
    return failed;
}

static int listen_unix(struct rpc_listeners *out, const struct endpoint *at, bool for_others,
                       const char *where, struct error *err)
{
    union rpc_address address;
    struct stat made;
    socklen_t size = rpc_address_unix(&address, at->path);
    if (remove_stale(at->path, &address, size, where, err))
        return ERROR_SYSTEM;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cannot_listen(errno, where, err);
    int failed = bind_with_mode(fd, &address, size, for_others ? 0666 : 0600);
    if (!failed && lstat(at->path, &made) == 0) {
        snprintf(out->path, sizeof out->path, "%s", at->path);
        out->device = made.st_dev;
        out->inode = made.st_ino;
    }
    if (!failed && listen(fd, BACKLOG))
        failed = errno;
    out->fds[out->count++] = fd;
    if (failed)
        return cannot_listen(failed, where, err);
    return 0;
}

/* ---- both ---- */

int rpc_listen(struct rpc_listeners *out, const struct endpoint *at, bool for_others,
               struct error *err)
{
    char text[ENDPOINT_TEXT_MAX];
    *out = (struct rpc_listeners){0};
    endpoint_text(at, text);
    int failed =
        at->path[0] ? listen_unix(out, at, for_others, text, err) : listen_tcp(out, at, text, err);
    if (failed)
        rpc_listen_end(out);
    return failed;
}

void rpc_listen_end(struct rpc_listeners *listeners)
{
    struct stat there;
    if (listeners->path[0] && lstat(listeners->path, &there) == 0 &&
        there.st_dev == listeners->device && there.st_ino == listeners->inode)
        unlink(listeners->path);
    for (size_t i = 0; i < listeners->count; i++)
        close(listeners->fds[i]);
    *listeners = (struct rpc_listeners){0};
}
