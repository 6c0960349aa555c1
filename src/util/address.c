#include "util/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"

#define PORT_MAX    65535
#define UNIX_PREFIX "unix:"
#define SHOWN       80 /* bytes of the text that a message repeats */

/* A decimal of length bytes, 0..65535; -1: it is none. */
static long read_port(const char *text, size_t length)
{
    if (length < 1 || length > 5 || strspn(text, "0123456789") < length)
        return -1;
    long port = strtol(text, NULL, 10);
    return port <= PORT_MAX ? port : -1;
}

/* Neither a name nor an address has these: blanks, controls, the parts of a URL. */
static bool is_foreign(const char *host, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f || strchr("[]/@\"", host[i]))
            return true;
    }
    return false;
}

static int refuse(struct error *err, const char *text, const char *why)
{
    error_set(err, ERROR_INPUT, NULL, "\"%.*s\" is no HOST:PORT: %s", SHOWN, text, why);
    return error_cure(err, "write it as in \"localhost:8840\", \"[::1]:8840\" or \":8840\", or "
                           "as \"unix:/run/flowgen.sock\"");
}

/* Finds the host in text; returns the colon before the port, or NULL and why. */
static const char *split(const char *text, const char **host, size_t *length, const char **why)
{
    const char *colon;
    *host = text;
    if (*text == '[') {
        const char *close = strchr(text, ']');
        *host = text + 1;
        *why = "\"]\" is missing";
        if (!close)
            return NULL;
        *length = (size_t)(close - *host);
        colon = close + 1;
    } else {
        colon = strrchr(text, ':');
        *length = colon ? (size_t)(colon - text) : 0;
        *why = "more than one colon: an IPv6 address needs brackets";
        if (memchr(text, ':', *length))
            return NULL;
    }
    *why = "the port is missing";
    return colon && *colon == ':' && colon[1] ? colon : NULL;
}

static int parse_path(const char *text, struct endpoint *out, struct error *err)
{
    const char *path = text + strlen(UNIX_PREFIX);
    size_t length = strlen(path);
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return refuse(err, text, "its path has control characters");
    if (length == 0 || length >= sizeof out->path) {
        error_set(err, ERROR_INPUT, NULL, "\"%.*s\" has %s path", SHOWN, text,
                  length ? "too long a" : "no");
        return error_cure(err, "write unix:PATH, its path at most %zu bytes long",
                          sizeof out->path - 1);
    }
    *out = (struct endpoint){0};
    memcpy(out->path, path, length);
    return 0;
}

int endpoint_parse(const char *text, struct endpoint *out, struct error *err)
{
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_path(text, out, err);
    const char *host, *why;
    size_t length;
    const char *colon = split(text, &host, &length, &why);
    if (!colon)
        return refuse(err, text, why);
    if (length >= sizeof out->host)
        return refuse(err, text, "the host is too long");
    long port = read_port(colon + 1, strlen(colon + 1));
    if (port < 0)
        return refuse(err, text, "the port is no number from 0 to 65535");
    if (is_foreign(host, length))
        return refuse(err, text, "the host has a character that no host has");
    memcpy(out->host, host, length);
    out->host[length] = '\0';
    out->port = (uint16_t)port;
    out->path[0] = '\0';
    return 0;
}

char *endpoint_text(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_MAX])
{
    const char *host = endpoint->host;
    bool brackets = strchr(host, ':');
    if (endpoint->path[0])
        snprintf(out, ENDPOINT_TEXT_MAX, UNIX_PREFIX "%s", endpoint->path);
    else
        snprintf(out, ENDPOINT_TEXT_MAX, "%s%.255s%s:%u", brackets ? "[" : "", host,
                 brackets ? "]" : "", endpoint->port);
    return out;
}

int port_range_parse(const char *text, uint16_t *first, uint16_t *last, struct error *err)
{
    size_t length = strcspn(text, "-");
    long low = read_port(text, length);
    long high = text[length] ? read_port(text + length + 1, strlen(text + length + 1)) : low;
    if (low < 1 || high < 1 || low > high) {
        error_set(err, ERROR_INPUT, NULL, "\"%.*s\" is no range of ports", SHOWN, text);
        return error_cure(err, "write FIRST-LAST or one port, each from 1 to 65535, as in "
                               "\"20000-20999\"");
    }
    *first = (uint16_t)low;
    *last = (uint16_t)high;
    return 0;
}

bool address_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) ||
           (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

/* Whether the kernel has a route there; nothing is sent. */
static bool is_reachable(const struct sockaddr *address, socklen_t size)
{
    const int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    const bool reachable = connect(fd, address, size) == 0;
    close(fd);
    return reachable;
}

const char *loopback_address(void)
{
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (is_reachable((const struct sockaddr *)&v4, sizeof v4))
        return "127.0.0.1";
    return is_reachable((const struct sockaddr *)&v6, sizeof v6) ? "::1" : NULL;
}

int host_lookup(const char *host, int flags, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    if ((flags & AI_NUMERICHOST) || strcasecmp(host, "localhost") != 0)
        return getaddrinfo(host, NULL, &hints, out);
    const char *loopback = loopback_address();
    if (loopback && strcmp(loopback, "::1") == 0)
        return getaddrinfo(loopback, NULL, &hints, out);
    int failed = getaddrinfo(host, NULL, &hints, out);
    return failed ? getaddrinfo("127.0.0.1", NULL, &hints, out) : 0;
}

bool host_is_numeric(const char *host)
{
    struct addrinfo *found;
    if (host_lookup(host, AI_NUMERICHOST, &found))
        return false;
    freeaddrinfo(found);
    return true;
}

bool host_is_link_local(const char *host)
{
    struct in6_addr address;
    char figures[INET6_ADDRSTRLEN];
    const size_t size = strcspn(host, "%");
    if (size >= sizeof figures)
        return false;
    memcpy(figures, host, size);
    figures[size] = '\0';
    return inet_pton(AF_INET6, figures, &address) == 1 && IN6_IS_ADDR_LINKLOCAL(&address);
}

int host_is_loopback(const char *host, struct error *err)
{
    if (!*host)
        return 0;
    struct addrinfo *list;
    int failed = host_lookup(host, 0, &list);
    if (failed) {
        error_set(err, ERROR_SYSTEM, host, "the name does not resolve: %s", gai_strerror(failed));
        return error_cure(err, "check the name, or write the address in numbers");
    }
    bool all = true;
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        all = all && address_is_loopback(at->ai_addr);
    freeaddrinfo(list);
    return all;
}
