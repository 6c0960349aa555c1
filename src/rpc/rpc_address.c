/* Addresses as the kernel reads them. */
#include "rpc/rpc_internal.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/address.h"

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

socklen_t rpc_address_take(union rpc_address *out, const struct addrinfo *info, uint16_t port)
{
    *out = (union rpc_address){0};
    if (info->ai_addrlen > sizeof *out)
        return 0;
    memcpy(out, info->ai_addr, info->ai_addrlen);
    if (out->any.sa_family == AF_INET6)
        out->in6.sin6_port = htons(port);
    else if (out->any.sa_family == AF_INET)
        out->in4.sin_port = htons(port);
    else
        return 0;
    return info->ai_addrlen;
}

socklen_t rpc_address_unix(union rpc_address *out, const char *path)
{
    *out = (union rpc_address){.un = {.sun_family = AF_UNIX}};
    snprintf(out->un.sun_path, sizeof out->un.sun_path, "%s", path);
    return sizeof out->un;
}
