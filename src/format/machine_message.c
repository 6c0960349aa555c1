#include "format/machine_message.h"

#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

#define SETTINGS_LIMIT    1024
#define SETTINGS_BYTES    (256u << 10) /* of names and values: they go on in other messages */
#define SETTING_NAME_MAX  128          /* bytes with the NUL; the rest is cut */
#define SETTING_VALUE_MAX 2048

Tcpflowgen__Setting **settings_to_messages(const struct machine *machine, size_t *count,
                                           bool *failed)
{
    Tcpflowgen__Setting **list = calloc(machine->setting_count + 1, sizeof *list);
    *failed |= !list;
    *count = 0;
    for (size_t i = 0; !*failed && i < machine->setting_count; i++) {
        Tcpflowgen__Setting *setting = malloc(sizeof *setting);
        *failed |= !setting;
        if (!setting)
            break;
        tcpflowgen__setting__init(setting);
        list[(*count)++] = setting;
        setting->name = utf8_text(machine->settings[i].name, failed);
        setting->value = utf8_text(machine->settings[i].value, failed);
    }
    return list;
}

void settings_free(Tcpflowgen__Setting **settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tcpflowgen__setting__free_unpacked(settings[i], NULL);
    free(settings);
}

Tcpflowgen__CachedMetrics **metrics_to_messages(const struct machine *machine, size_t *count,
                                                bool *failed)
{
    Tcpflowgen__CachedMetrics **list = calloc(machine->metrics_count + 1, sizeof *list);
    *failed |= !list;
    *count = 0;
    for (size_t i = 0; !*failed && i < machine->metrics_count; i++) {
        const struct cached_metrics *from = &machine->metrics[i];
        Tcpflowgen__CachedMetrics *message = malloc(sizeof *message);
        *failed |= !message;
        if (!message)
            break;
        tcpflowgen__cached_metrics__init(message);
        list[(*count)++] = message;
        message->peer = utf8_text(from->peer, failed);
        message->local = utf8_text(from->local, failed);
        message->age_ms = from->age_ms;
        message->rtt_us = from->rtt_us;
        message->rttvar_us = from->rttvar_us;
        message->ssthresh = from->ssthresh;
        message->cwnd = from->cwnd;
        message->reordering = from->reordering;
        message->matters = from->matters;
    }
    return list;
}

void metrics_free(Tcpflowgen__CachedMetrics **metrics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tcpflowgen__cached_metrics__free_unpacked(metrics[i], NULL);
    free(metrics);
}

static bool is_known(const struct machine *machine, const char *name)
{
    for (size_t i = 0; i < machine->setting_count; i++)
        if (strcmp(machine->settings[i].name, name) == 0)
            return true;
    return false;
}

/* Each name once. */
int settings_from_messages(struct machine *machine, Tcpflowgen__Setting *const *settings,
                           size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count && machine->setting_count < SETTINGS_LIMIT; i++) {
        char name[SETTING_NAME_MAX], value[SETTING_VALUE_MAX];
        utf8_copy(name, sizeof name, settings[i]->name);
        utf8_copy(value, sizeof value, settings[i]->value);
        bytes += strlen(name) + strlen(value);
        if (bytes > SETTINGS_BYTES)
            break;
        if (!is_known(machine, name) && machine_add_setting(machine, name, value))
            return -1;
    }
    return 0;
}

int metrics_from_messages(struct machine *machine, Tcpflowgen__CachedMetrics *const *metrics,
                          size_t count)
{
    for (size_t i = 0; i < count && machine->metrics_count < CACHED_METRICS_MAX; i++) {
        struct cached_metrics cached = {
            .age_ms = metrics[i]->age_ms,
            .rtt_us = metrics[i]->rtt_us,
            .rttvar_us = metrics[i]->rttvar_us,
            .ssthresh = metrics[i]->ssthresh,
            .cwnd = metrics[i]->cwnd,
            .reordering = metrics[i]->reordering,
            .matters = metrics[i]->matters,
        };
        utf8_copy(cached.peer, sizeof cached.peer, metrics[i]->peer);
        utf8_copy(cached.local, sizeof cached.local, metrics[i]->local);
        if (machine_add_metrics(machine, &cached))
            return -1;
    }
    return 0;
}
