#include "master/compare.h"

#include <stdio.h>
#include <string.h>

static const char *value_of(const struct master_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->sysctl_count; i++)
        if (strcmp(agent->sysctls[i].name, name) == 0)
            return agent->sysctls[i].value;
    return "";
}

static const struct master_agent *first_usable(const struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (session_usable(&session->agents[i]))
            return &session->agents[i];
    return NULL;
}

/* The first agent whose value is another one than that of `than`. */
static const struct master_agent *differing(const struct session *session,
                                            const struct master_agent *than, const char *name)
{
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        if (session_usable(agent) && strcmp(value_of(agent, name), value_of(than, name)) != 0)
            return agent;
    }
    return NULL;
}

size_t compare_sysctls(struct session *session)
{
    const struct master_agent *first = first_usable(session);
    size_t count = 0;
    for (size_t i = 0; first && i < first->sysctl_count; i++) {
        const char *name = first->sysctls[i].name;
        const struct master_agent *other = differing(session, first, name);
        if (!other)
            continue;
        char text[512];
        snprintf(text, sizeof text, "%s is \"%s\" at agent %s, but \"%s\" at agent %s", name,
                 value_of(first, name), first->mgmt, value_of(other, name), other->mgmt);
        session_warn(session, text);
        count++;
    }
    return count;
}
