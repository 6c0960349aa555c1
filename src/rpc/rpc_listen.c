/* Listening.  gRPC does not say reliably why it cannot, so each address is bound once by hand
 * before: that gives a true errno. */
#include "rpc/rpc_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"

/* 0, or why the address cannot be listened on. */
static int probe(const struct addrinfo *address, uint16_t port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    } to = {0};
    CLEANUP_CLOSE int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    const int on = 1; /* as gRPC's own socket, or a port in TIME_WAIT would look busy */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ai_addrlen > sizeof to)
        return EAFNOSUPPORT;
    memcpy(&to, address->ai_addr, address->ai_addrlen);
    if (to.any.sa_family == AF_INET6)
        to.in6.sin6_port = htons(port);
    else
        to.in4.sin_port = htons(port);
    return bind(fd, &to.any, address->ai_addrlen) || listen(fd, 1) ? errno : 0;
}

/* *port: if 0, the port that the kernel chose. */
static int listen_at(grpc_server *server, grpc_server_credentials *credentials,
                     const struct addrinfo *address, uint16_t *port)
{
    char text[RPC_ADDRESS_MAX];
    int failed = probe(address, *port);
    if (failed)
        return failed;
    rpc_address_uri(address, *port, text);
    int bound = grpc_server_add_http2_port(server, text, credentials);
    if (bound <= 0)
        return EADDRINUSE; /* someone was faster */
    *port = (uint16_t)bound;
    return 0;
}

static const char *cure(int failed)
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
static int listen_at_each(grpc_server *server, grpc_server_credentials *credentials,
                          const struct addrinfo *list, uint16_t *port)
{
    bool listens = false;
    int failed = 0;
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        if (is_repeated(list, a))
            continue;
        failed = listen_at(server, credentials, a, port);
        listens = listens || !failed;
        if (failed && !is_absent(failed))
            return failed;
    }
    return listens ? 0 : failed;
}

int rpc_listen(grpc_server *server, grpc_server_credentials *credentials, const char *host,
               uint16_t *port, struct error *err)
{
    char where[RPC_ADDRESS_MAX];
    struct addrinfo *list;
    rpc_address_text(host, *port, where);
    /* "::" takes IPv4 connections too; a kernel without IPv6 has 0.0.0.0 only. */
    const char *first = *host ? host : "::";
    if (rpc_address_resolve(&list, first, 0, ERROR_SYSTEM, where, err))
        return ERROR_SYSTEM;
    int failed = listen_at_each(server, credentials, list, port);
    freeaddrinfo(list);
    if (!*host && is_absent(failed)) {
        if (rpc_address_resolve(&list, "0.0.0.0", AI_NUMERICHOST, ERROR_SYSTEM, where, err))
            return ERROR_SYSTEM;
        failed = listen_at_each(server, credentials, list, port);
        freeaddrinfo(list);
    }
    if (!failed)
        return 0;
    error_set_errno(err, ERROR_SYSTEM, failed, where, "cannot listen");
    error_cure(err, "%s", cure(failed));
    return ERROR_SYSTEM;
}
