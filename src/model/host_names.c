#include "model/host_names.h"

#include <stdio.h>

/* That are told of each; a character may be cut, for which texts are tamed. */
#define NAME_BYTES 30

void host_names_add(struct host_names *names, const char *name)
{
    if (names->count < 2)
        names->first[names->count] = name ? name : "";
    names->count++;
}

char *host_names_text(const struct host_names *names, char out[HOST_NAMES_MAX])
{
    const char *const *first = names->first;
    out[0] = '\0';
    if (names->count == 1)
        snprintf(out, HOST_NAMES_MAX, "%s", first[0]);
    else if (names->count == 2)
        snprintf(out, HOST_NAMES_MAX, "%.*s and %.*s", NAME_BYTES, first[0], NAME_BYTES, first[1]);
    else if (names->count > 2)
        snprintf(out, HOST_NAMES_MAX, "%.*s, %.*s and %zu more", NAME_BYTES, first[0], NAME_BYTES,
                 first[1], names->count - 2);
    return out;
}

char *host_names_of_agent(const struct run_info *run, size_t agent, char out[HOST_NAMES_MAX])
{
    struct host_names names = {0};
    const char *mgmt = run->agents[agent].mgmt;
    for (size_t i = 0; i < run->host_count; i++)
        if (run->hosts[i].agent == agent && run->hosts[i].name && run->hosts[i].name[0])
            host_names_add(&names, run->hosts[i].name);
    if (names.count)
        return host_names_text(&names, out);
    snprintf(out, HOST_NAMES_MAX, "agent %s", mgmt ? mgmt : "");
    return out;
}
