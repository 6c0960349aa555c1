/* Addresses as people write them and as gRPC reads them. */
#include "rpc/rpc_internal.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/address.h"

char *rpc_address_text(const char *host, uint16_t port, char out[RPC_ADDRESS_MAX])
{
    bool brackets = strchr(host, ':');
    snprintf(out, RPC_ADDRESS_MAX, "%s%.255s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "",
             port);
    return out;
}

/* A scope ("fe80::1%eth0") has its "%" escaped: gRPC reads an address as a piece of a URI. */
char *rpc_address_uri(const struct addrinfo *address, uint16_t port, char out[RPC_ADDRESS_MAX])
{
    char host[128] = "", escaped[sizeof host + 2];
    getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    char *scope = strchr(host, '%');
    if (scope)
        *scope++ = '\0';
    snprintf(escaped, sizeof escaped, "%s%s%s", host, scope ? "%25" : "", scope ? scope : "");
    return rpc_address_text(escaped, port, out);
}

int rpc_address_resolve(struct addrinfo **out, const char *host, int flags, int code,
                        const char *where, struct error *err)
{
    int failed = host_lookup(host, flags, out);
    if (!failed)
        return 0;
    const char *why = failed == EAI_SYSTEM ? "system error" : gai_strerror(failed);
    error_set(err, code, where, "cannot resolve \"%.200s\": %s", host, why);
    error_cure(err, "write a numeric address, or put the name into DNS or /etc/hosts");
    return code;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

void rpc_address_unescape(char *text)
{
    char *out = text;
    while (*text) {
        int high = *text == '%' ? hex_digit(text[1]) : -1;
        int low = high >= 0 ? hex_digit(text[2]) : -1;
        *out++ = (char)(low >= 0 ? high << 4 | low : *text);
        text += low >= 0 ? 3 : 1;
    }
    *out = '\0';
}
