/* "HOST:PORT" as Go writes it: "localhost:8840", ":8841" (every address), "[::1]:8840"; and
 * "unix:PATH", a Unix socket. */
#ifndef UTIL_ADDRESS_H
#define UTIL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

#define ENDPOINT_PATH_MAX 108 /* sun_path's size */

struct endpoint {
    char host[256]; /* without brackets; empty: every address */
    uint16_t port;
    char path[ENDPOINT_PATH_MAX]; /* of a Unix socket: there is neither host nor port; else empty */
};

#define ENDPOINT_TEXT_MAX 320

/* As it is written. */
char *endpoint_text(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_MAX]);

/* 0, or ERROR_INPUT with what would be right.  No name is looked up. */
int endpoint_parse(const char *text, struct endpoint *out, struct error *err);

/* "FIRST-LAST" or "PORT", 1..65535. */
int port_range_parse(const char *text, uint16_t *first, uint16_t *last, struct error *err);

struct addrinfo;
struct sockaddr;

/* 127.0.0.0/8, ::1, and the former as an address of IPv6. */
bool address_is_loopback(const struct sockaddr *address);
/* "127.0.0.1"; "::1" where only that can be reached; NULL: neither, as the interface lo is down. */
const char *loopback_address(void);
#define LOOPBACK_IS_DOWN "the loopback interface is down"
#define LOOPBACK_CURE    "bring it up: ip link set lo up"
/* getaddrinfo() for TCP, with these flags, and its status; for freeaddrinfo().  "localhost" is
 * loopback_address() where nothing else is known of it (RFC 6761, section 6.3), as on systems
 * without /etc/hosts, and where that is ::1, whatever /etc/hosts says. */
int host_lookup(const char *host, int flags, struct addrinfo **out);
/* Whether it needs no look-up. */
bool host_is_numeric(const char *host);
/* Whether it is an IPv6 address of a link alone, with or without a scope ("fe80::1%eth0"). */
bool host_is_link_local(const char *host);

/* Whether every address that host resolves to is a loopback address ("" is not).
 * 1, 0, or ERROR_SYSTEM if it does not resolve. */
int host_is_loopback(const char *host, struct error *err);

#endif
