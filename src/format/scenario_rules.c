#include "format/scenario_rules.h"

#include <arpa/inet.h>
#include <string.h>

#include "format/blank.h"
#include "format/json_object.h"
#include "model/host_series.h"
#include "model/ns.h"
#include "util/address.h"

/* An IPv4 or IPv6 address in figures, with or without a scope: fe80::1%eth0. */
static bool is_numeric(const char *text)
{
    struct in6_addr address;
    char figures[INET6_ADDRSTRLEN];
    size_t size = strcspn(text, "%");
    bool scoped = text[size] != '\0';

    if (size >= sizeof figures || strlen(text) >= ADDRESS_MAX || (scoped && !text[size + 1]))
        return false;
    memcpy(figures, text, size);
    figures[size] = '\0';
    return inet_pton(AF_INET6, figures, &address) == 1 ||
           (!scoped && inet_pton(AF_INET, figures, &address) == 1);
}

int rule_refuse(struct error *err, const char *text, const char *why)
{
    char shown[JSON_SHOWN_MAX];

    return error_set(err, ERROR_INPUT, NULL, "%s %s", json_show_text(text, shown), why);
}

/* A link-local address is one of each interface: only a scope says which. */
static int check_scope(const char *host, struct error *err)
{
    if (!host_is_link_local(host) || strchr(host, '%'))
        return 0;
    error_set(err, ERROR_INPUT, NULL, "%s is link-local, and nothing says by which interface",
              host);
    return error_cure(err, "write the master's own behind it, such as \"[%s%%eth0]:8840\"", host);
}

int rule_mgmt(const char *text, struct error *err)
{
    struct endpoint endpoint;
    int failed = endpoint_parse(text, &endpoint, err);

    if (failed)
        return failed;
    if (!endpoint.host[0] && !endpoint.path[0])
        return rule_refuse(err, text, "has no host in front of its port");
    if (endpoint.port == 0 && !endpoint.path[0])
        return rule_refuse(err, text, "has port 0, where no agent can be");
    return check_scope(endpoint.host, err);
}

int rule_host(const char *text, struct error *err)
{
    if (strchr(text, ' ') || blank_find(text, strlen(text)))
        return rule_refuse(err, text, "has blanks");
    if (strchr(text, ':') && !is_numeric(text))
        return rule_refuse(err, text,
                           "is neither a name nor an address: brackets and port do not "
                           "belong here");
    return 0;
}

int rule_bind(const char *text, struct error *err)
{
    if (strcmp(text, "any") != 0 && !is_numeric(text))
        return rule_refuse(err, text, "is neither \"any\" nor an address in figures");
    return 0;
}

int rule_device(const char *text, struct error *err)
{
    if (strpbrk(text, " /:") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return rule_refuse(err, text, "cannot be the name of a network interface");
    return 0;
}

/* Names with commas between. */
int rule_interfaces(const char *text, struct error *err)
{
    char name[DEVICE_MAX];
    size_t count = 0;

    for (const char *at = text; at; count++) {
        size_t size = strcspn(at, ",");
        if (size == 0 || size >= sizeof name)
            return rule_refuse(err, text, "has a name of 0 or more than 15 bytes");
        memcpy(name, at, size);
        name[size] = '\0';
        int failed = rule_device(name, err);
        if (failed)
            return failed;
        at = at[size] ? at + size + 1 : NULL;
    }
    return count <= HOST_INTERFACES_MAX ? 0 : rule_refuse(err, text, "has more than 16 names");
}

int rule_ccalg(const char *text, struct error *err)
{
    if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")])
        return rule_refuse(err, text, "cannot be the name of a congestion control");
    return 0;
}
