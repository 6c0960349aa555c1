#include "master/compare.h"

#include <stdio.h>
#include <string.h>

/* What is another one on every machine, or says nothing of its TCP. */
static bool is_own(const char *name)
{
    static const char *const own[] = {"name", "bus", "firmware"};
    const char *last = strrchr(name, '.');
    if (strncmp(name, "interface", strlen("interface")) != 0 || !last)
        return strcmp(name, "net.ipv4.tcp_mem") == 0; /* goes by the memory there is */
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(last + 1, own[i]) == 0)
            return true;
    return false;
}

static const struct master_agent *first_usable(const struct session *session)
{
    for (size_t i = 0; i < session->agent_count; i++)
        if (session_usable(&session->agents[i]))
            return &session->agents[i];
    return NULL;
}

/* The first agent whose value is another one than that of `than`.  Not every machine has the same
 * number of interfaces, or a kernel that knows the setting. */
static const struct master_agent *differing(const struct session *session,
                                            const struct master_agent *than, const char *name)
{
    const char *value = machine_value(&than->info.about, name);
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        const char *other = session_usable(agent) ? machine_value(&agent->info.about, name) : "";
        if (*value && *other && strcmp(other, value) != 0)
            return agent;
    }
    return NULL;
}

size_t compare_machines(struct session *session)
{
    const struct master_agent *first = first_usable(session);
    size_t count = 0;
    for (size_t i = 0; first && i < first->info.about.setting_count; i++) {
        const char *name = first->info.about.settings[i].name;
        const struct master_agent *other = is_own(name) ? NULL : differing(session, first, name);
        if (!other)
            continue;
        char text[512];
        snprintf(text, sizeof text, "%s is \"%s\" at agent %s, but \"%s\" at agent %s", name,
                 machine_value(&first->info.about, name), first->mgmt,
                 machine_value(&other->info.about, name), other->mgmt);
        session_warn(session, text);
        count++;
    }
    return count;
}
