/* "HOST:PORT" as Go writes it: "localhost:8840", ":8841" (every address), "[::1]:8840". */
#ifndef UTIL_ADDRESS_H
#define UTIL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"

struct endpoint {
    char host[256]; /* without brackets; empty: every address */
    uint16_t port;
};

/* 0, or ERROR_INPUT with what would be right.  No name is looked up. */
int endpoint_parse(const char *text, struct endpoint *out, struct error *err);

/* "FIRST-LAST" or "PORT", 1..65535. */
int port_range_parse(const char *text, uint16_t *first, uint16_t *last, struct error *err);

struct addrinfo;
/* getaddrinfo() for TCP, with these flags, and its status; for freeaddrinfo().  "localhost" is
 * 127.0.0.1 where nothing else is known of it (RFC 6761, section 6.3), as on systems without
 * /etc/hosts. */
int host_lookup(const char *host, int flags, struct addrinfo **out);

/* Whether every address that host resolves to is a loopback address ("" is not).
 * 1, 0, or ERROR_SYSTEM if it does not resolve. */
int host_is_loopback(const char *host, struct error *err);

#endif
