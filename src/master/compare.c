#include "master/compare.h"

#include <stdio.h>
#include <string.h>

#define TOLD_MAX    64  /* warnings: an agent may say anything of itself */
#define VALUE_SHOWN 160 /* bytes */

/* An agent without flows, a router's, is not like the others, and need not be. */
static bool is_compared(const struct master_agent *agent)
{
    return session_usable(agent) && agent->end_count;
}

/* Two agents that know the setting and differ; false: there are none.  Not every machine has the
 * same number of interfaces, or a kernel that knows the setting. */
static bool differing(const struct session *session, const char *name,
                      const struct master_agent *pair[2])
{
    const char *first = "";
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct master_agent *agent = &session->agents[i];
        const char *value = is_compared(agent) ? machine_value(&agent->info.about, name) : "";
        if (*value && *first && strcmp(value, first) != 0) {
            pair[1] = agent;
            return true;
        }
        if (*value && !*first) {
            pair[0] = agent;
            first = value;
        }
    }
    return false;
}

/* Whether another setting that differs says as much already. */
static bool is_echo(const struct session *session, const char *name)
{
    static const struct {
        const char *last, *said_by;
    } echoes[] = {
        {"cpu.online", "cpu.count"},
        {"kernel.version", "kernel.release"}, /* of one release there may be several builds */
        {"machine.product", "machine.vendor"},
        {"driver_version", "kernel.release"}, /* drivers of the kernel's tree have its release */
    };
    const struct master_agent *pair[2] = {0};
    const char *dot = strrchr(name, '.');
    const bool of_interface = strncmp(name, "interface", strlen("interface")) == 0;
    const char *last = of_interface && dot ? dot + 1 : name;
    for (size_t i = 0; i < sizeof echoes / sizeof *echoes; i++)
        if (strcmp(last, echoes[i].last) == 0)
            return differing(session, echoes[i].said_by, pair);
    return false;
}

/* Whether it does; the warning unless so many were told. */
static bool warn_if_differing(struct session *session, const char *name, size_t told)
{
    const struct master_agent *pair[2] = {0};
    if (machine_is_own(name) || !differing(session, name, pair) || is_echo(session, name))
        return false;
    char text[1024];
    snprintf(text, sizeof text, "%s is \"%.*s\" at %s, but \"%.*s\" at %s", name, VALUE_SHOWN,
             machine_value(&pair[0]->info.about, name), pair[0]->title, VALUE_SHOWN,
             machine_value(&pair[1]->info.about, name), pair[1]->title);
    if (told < TOLD_MAX)
        session_warn(session, text);
    return true;
}

static bool knows(const struct master_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->info.about.setting_count; i++)
        if (strcmp(agent->info.about.settings[i].name, name) == 0)
            return true;
    return false;
}

/* Whether an agent before this one has the name, which was looked at then. */
static bool seen_before(const struct session *session, size_t agent, const char *name)
{
    for (size_t i = 0; i < agent; i++)
        if (is_compared(&session->agents[i]) && knows(&session->agents[i], name))
            return true;
    return false;
}

size_t compare_machines(struct session *session)
{
    size_t count = 0;
    for (size_t i = 0; i < session->agent_count; i++) {
        const struct machine *about = &session->agents[i].info.about;
        for (size_t s = 0; is_compared(&session->agents[i]) && s < about->setting_count; s++)
            if (!seen_before(session, i, about->settings[s].name))
                count += warn_if_differing(session, about->settings[s].name, count);
    }
    char more[64];
    snprintf(more, sizeof more, "%zu more settings of the agents differ", count - TOLD_MAX);
    if (count > TOLD_MAX)
        session_warn(session, more);
    return count;
}
