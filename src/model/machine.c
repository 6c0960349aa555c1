#include "model/machine.h"

#include <stdlib.h>
#include <string.h>

int machine_add_setting(struct machine *machine, const char *name, const char *value)
{
    struct machine_setting *settings =
        reallocarray(machine->settings, machine->setting_count + 1, sizeof *settings);
    if (!settings)
        return -1;
    machine->settings = settings;
    struct machine_setting *setting = &settings[machine->setting_count];
    setting->name = strdup(name);
    setting->value = strdup(value);
    if (setting->name && setting->value) {
        machine->setting_count++;
        return 0;
    }
    free(setting->name);
    free(setting->value);
    return -1;
}

int machine_add_metrics(struct machine *machine, const struct cached_metrics *metrics)
{
    for (size_t i = 0; i < machine->metrics_count; i++)
        if (strcmp(machine->metrics[i].peer, metrics->peer) == 0 &&
            strcmp(machine->metrics[i].local, metrics->local) == 0)
            return 0;
    struct cached_metrics *all =
        reallocarray(machine->metrics, machine->metrics_count + 1, sizeof *all);
    if (!all)
        return -1;
    machine->metrics = all;
    all[machine->metrics_count++] = *metrics;
    return 0;
}

const char *machine_value(const struct machine *machine, const char *name)
{
    for (size_t i = 0; i < machine->setting_count; i++)
        if (strcmp(machine->settings[i].name, name) == 0)
            return machine->settings[i].value;
    return "";
}

bool machine_is_own(const char *name)
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

void machine_fini(struct machine *machine)
{
    for (size_t i = 0; i < machine->setting_count; i++) {
        free(machine->settings[i].name);
        free(machine->settings[i].value);
    }
    free(machine->settings);
    free(machine->metrics);
    *machine = (struct machine){0};
}
