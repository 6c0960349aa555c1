#include "util/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int parse_port(const char *text, long least, uint16_t *out)
{
    char *end;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5)
        return -1;
    long port = strtol(text, &end, 10);
    if (*end || port < least || port > 65535)
        return -1;
    *out = (uint16_t)port;
    return 0;
}

static int bad(struct error *err, const char *text, const char *why)
{
    error_set(err, ERROR_INPUT, NULL, "\"%.80s\" is not an address: %s", text, why);
    return error_cure(err, "write HOST:PORT, such as \"localhost:8840\" or \"[::1]:8840\"");
}

int endpoint_parse(const char *text, struct endpoint *out, struct error *err)
{
    const char *colon = strrchr(text, ':');
    const char *host = text, *host_end = colon;
    if (!colon)
        return bad(err, text, "its port is missing");
    if (text[0] == '[') {
        host = text + 1;
        host_end = strchr(text, ']');
        if (!host_end || host_end + 1 != colon)
            return bad(err, text, "a bracket does not fit");
    } else if (memchr(text, ':', (size_t)(colon - text))) {
        return bad(err, text, "an IPv6 address needs brackets");
    }
    size_t size = (size_t)(host_end - host);
    if (size >= sizeof out->host)
        return bad(err, text, "its host is too long");
    if (strpbrk(text, " \t\r\n/"))
        return bad(err, text, "it has blanks or slashes");
    memcpy(out->host, host, size);
    out->host[size] = '\0';
    if (parse_port(colon + 1, 0, &out->port))
        return bad(err, text, "its port is not a number up to 65535");
    return 0;
}

int port_range_parse(const char *text, uint16_t *first, uint16_t *last, struct error *err)
{
    char from[8];
    const char *dash = strchr(text, '-');
    size_t size = dash ? (size_t)(dash - text) : strlen(text);
    if (size < sizeof from) {
        memcpy(from, text, size);
        from[size] = '\0';
        if (parse_port(from, 1, first) == 0 && parse_port(dash ? dash + 1 : from, 1, last) == 0 &&
            *first <= *last)
            return 0;
    }
    error_set(err, ERROR_INPUT, NULL, "\"%.40s\" is not a range of ports", text);
    return error_cure(err, "write FIRST-LAST, such as 5000-5099");
}

static int is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

int host_is_loopback(const char *host, struct error *err)
{
    if (!host[0])
        return 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, NULL, &hints, &list);
    if (failed) {
        error_set(err, ERROR_SYSTEM, NULL, "%s does not resolve: %s", host, gai_strerror(failed));
        return error_cure(err, "name an address of this machine");
    }
    int all = 1;
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        all = all && is_loopback(at->ai_addr);
    freeaddrinfo(list);
    return all;
}
