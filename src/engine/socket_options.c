#include "engine/socket_options.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int socket_address_parse(const char *text, uint16_t port, struct socket_address *out,
                         struct error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo *found = NULL;
    const int failed = getaddrinfo(text, service, &hints, &found);
    if (failed || found->ai_addrlen > sizeof out->storage) {
        if (!failed)
            freeaddrinfo(found);
        return error_set(err, ERROR_INPUT, NULL, "\"%s\" is not a numeric address", text);
    }
    *out = (struct socket_address){.size = found->ai_addrlen};
    memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

bool socket_address_same_host(const struct socket_address *a, const struct socket_address *b)
{
    if (a->storage.ss_family != b->storage.ss_family)
        return false;
    if (a->storage.ss_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)&a->storage)->sin_addr,
                      &((const struct sockaddr_in *)&b->storage)->sin_addr,
                      sizeof(struct in_addr)) == 0;
    return memcmp(&((const struct sockaddr_in6 *)&a->storage)->sin6_addr,
                  &((const struct sockaddr_in6 *)&b->storage)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

void socket_address_format(const struct socket_address *address, char out[ADDRESS_MAX],
                           uint16_t *port)
{
    static const char mapped[] = "::ffff:";
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "0";
    getnameinfo((const struct sockaddr *)&address->storage, address->size, host, sizeof host,
                service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV);
    const bool is_mapped = strncmp(host, mapped, strlen(mapped)) == 0 && strchr(host, '.');
    snprintf(out, ADDRESS_MAX, "%.*s", ADDRESS_MAX - 1, is_mapped ? host + strlen(mapped) : host);
    *port = ntohs(((const struct sockaddr_in *)&address->storage)->sin_port); /* of either family */
}

int socket_set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

int socket_set_ccalg(int fd, const char *ccalg)
{
    if (!*ccalg)
        return 0;
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, ccalg, (socklen_t)strlen(ccalg));
}

static int cannot_bind(const char *local, uint16_t port, struct error *err)
{
    const int cause = errno;
    error_set_errno(err, ERROR_SYSTEM, cause, NULL, "cannot bind to %s port %u", local, port);
    if (cause == EADDRNOTAVAIL)
        error_cure(err, "the address is not on this machine; \"bind\": \"any\" binds to none");
    else if (cause == EACCES)
        error_cure(err, "ports below 1024 need CAP_NET_BIND_SERVICE");
    return ERROR_SYSTEM;
}

static int create(int family, const char *device, struct error *err)
{
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        const int cause = errno;
        error_set_errno(err, ERROR_SYSTEM, cause, NULL, "cannot make a socket");
        if (cause == EMFILE || cause == ENFILE)
            error_cure(err, "raise the limit of open files (ulimit -n)");
        return ERROR_SYSTEM;
    }
    if (*device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device))) {
        error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot bind to the device %s", device);
        close(fd);
        return ERROR_SYSTEM;
    }
    return fd;
}

int socket_open(int family, const char *local, const char *device, struct error *err)
{
    struct socket_address address = {0};
    if (*local && socket_address_parse(local, 0, &address, err) < 0)
        return ERROR_INPUT;
    const int fd = create(family, device, err);
    if (fd < 0 || !*local)
        return fd;
    /* The port is chosen in connect(), which then may share it among different peers. */
    socket_set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd, (const struct sockaddr *)&address.storage, address.size) == 0)
        return fd;
    cannot_bind(local, 0, err);
    close(fd);
    return ERROR_SYSTEM;
}

static bool has_ipv6(void)
{
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int socket_listen(int family, const char *local, const char *device, const char *ccalg,
                  uint16_t port, bool *in_use, struct error *err)
{
    const bool both = family == AF_UNSPEC;
    if (both)
        family = has_ipv6() ? AF_INET6 : AF_INET;
    const char *host = *local ? local : family == AF_INET6 ? "::" : "0.0.0.0";
    struct socket_address address = {0};
    *in_use = false;
    if (socket_address_parse(host, port, &address, err) < 0)
        return ERROR_INPUT;
    const int fd = create(family, device, err);
    if (fd < 0)
        return fd;
    socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family == AF_INET6)
        socket_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both);
    if (socket_set_ccalg(fd, ccalg) < 0) {
        error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot listen with %s", ccalg);
    } else if (bind(fd, (const struct sockaddr *)&address.storage, address.size) < 0 ||
               listen(fd, SOMAXCONN) < 0) {
        *in_use = errno == EADDRINUSE;
        cannot_bind(host, port, err);
    } else {
        return fd;
    }
    close(fd);
    return ERROR_SYSTEM;
}

int socket_error(int fd)
{
    int cause = 0;
    socklen_t size = sizeof cause;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size) < 0 ? errno : cause;
}

void socket_reset(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}
