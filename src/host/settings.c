#include "host/settings.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/cleanup.h"

#define CPU_PATH "/sys/devices/system/cpu/"

/* Those of /proc/sys: the name is the path. */
static const char *const sysctls[] = {
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.default_qdisc",
    "net.core.dev_weight",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.netdev_max_backlog",
    "net.core.optmem_max",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.tcp_adv_win_scale",
    "net.ipv4.tcp_allowed_congestion_control",
    "net.ipv4.tcp_app_win",
    "net.ipv4.tcp_autocorking",
    "net.ipv4.tcp_backlog_ack_defer",
    "net.ipv4.tcp_base_mss",
    "net.ipv4.tcp_comp_sack_delay_ns",
    "net.ipv4.tcp_comp_sack_nr",
    "net.ipv4.tcp_comp_sack_slack_ns",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_dsack",
    "net.ipv4.tcp_early_retrans",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_ecn_fallback",
    "net.ipv4.tcp_ecn_option",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_frto",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv4.tcp_max_reordering",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_min_rtt_wlen",
    "net.ipv4.tcp_min_tso_segs",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_no_ssthresh_metrics_save",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_pacing_ca_ratio",
    "net.ipv4.tcp_pacing_ss_ratio",
    "net.ipv4.tcp_pingpong_thresh",
    "net.ipv4.tcp_plb_enabled",
    "net.ipv4.tcp_recovery",
    "net.ipv4.tcp_reordering",
    "net.ipv4.tcp_retrans_collapse",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_rto_max_ms",
    "net.ipv4.tcp_rto_min_us",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_shrink_window",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tso_rtt_log",
    "net.ipv4.tcp_tso_win_divisor",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
};

/* Those that are one line of another file. */
static const struct {
    const char *name, *path;
} files[] = {
    {"cpu.online", CPU_PATH "online"},
    {"cpu.isolated", CPU_PATH "isolated"},
    {"cpu.smt", CPU_PATH "smt/control"},
    {"cpu.frequency_governor", CPU_PATH "cpu0/cpufreq/scaling_governor"},
    {"cpu.frequency_driver", CPU_PATH "cpu0/cpufreq/scaling_driver"},
    {"cpu.frequency_boost", CPU_PATH "cpufreq/boost"},
    {"cpu.idle_driver", CPU_PATH "cpuidle/current_driver"},
    {"kernel.clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
    {"kernel.preempt_realtime", "/sys/kernel/realtime"},
    {"machine.vendor", "/sys/class/dmi/id/sys_vendor"},
    {"machine.product", "/sys/class/dmi/id/product_name"},
};

/* Tabs and the newline at the end are the kernel's way to write, not the value. */
static void tidy(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        bool blank = isspace((unsigned char)*from);
        if (!blank)
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    }
    while (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
}

static void read_line(const char *path, char value[SETTING_VALUE_MAX])
{
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    if (!file || !fgets(value, SETTING_VALUE_MAX, file))
        value[0] = '\0';
    tidy(value);
}

static void read_sysctl(const char *name, char value[SETTING_VALUE_MAX])
{
    char path[128] = "/proc/sys/";
    size_t used = strlen(path);
    for (const char *at = name; *at && used + 1 < sizeof path; at++)
        path[used++] = (char)(*at == '.' ? '/' : *at);
    path[used] = '\0';
    read_line(path, value);
}

/* ---- /proc/cpuinfo ---- */

/* What stands behind "key : " in the first line that begins so; NULL: the line is another one. */
static const char *after_key(const char *line, const char *key)
{
    size_t size = strlen(key);
    if (strncmp(line, key, size) != 0)
        return NULL;
    line += size + strspn(line + size, " \t");
    return *line == ':' ? line + 1 + strspn(line + 1, " \t") : NULL;
}

static bool has_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += size)
        if ((at == text || at[-1] == ' ') && (at[size] == '\0' || isspace((unsigned char)at[size])))
            return true;
    return false;
}

/* The model, and whether a hypervisor says that it is one, as far as the file tells: x86 does, and
 * user-mode Linux; others name their processors by numbers, or not at all. */
static void read_cpuinfo(char model[SETTING_VALUE_MAX], char virtual[SETTING_VALUE_MAX])
{
    static const char *const keys[] = {"model name", "cpu model", "cpu", "Processor"};
    CLEANUP_FCLOSE FILE *file = fopen("/proc/cpuinfo", "re");
    CLEANUP_FREE char *line = NULL;
    size_t room = 0;
    const char *found;
    model[0] = virtual[0] = '\0';
    while (file && getline(&line, &room, file) > 1) { /* an empty line: another processor */
        for (size_t i = 0; i < COUNT_OF(keys) && !model[0]; i++)
            if ((found = after_key(line, keys[i])))
                snprintf(model, SETTING_VALUE_MAX, "%s", found);
        if ((found = after_key(line, "vendor_id")) && strncmp(found, "User Mode Linux", 15) == 0)
            snprintf(virtual, SETTING_VALUE_MAX, "user-mode Linux");
        if ((found = after_key(line, "flags")) && !virtual[0])
            snprintf(virtual, SETTING_VALUE_MAX, "%s",
                     has_word(found, "hypervisor") ? "a hypervisor" : "none seen");
    }
    tidy(model);
}

static void name_container(char container[SETTING_VALUE_MAX])
{
    read_line("/run/systemd/container", container); /* systemd, and what follows its ways */
    if (!container[0] && access("/.dockerenv", F_OK) == 0)
        snprintf(container, SETTING_VALUE_MAX, "docker");
    else if (!container[0] && access("/run/.containerenv", F_OK) == 0)
        snprintf(container, SETTING_VALUE_MAX, "podman");
}

/* ---- all ---- */

static char *next(struct setting *out, size_t *count, const char *name)
{
    struct setting *setting = &out[(*count)++];
    setting->name = name;
    setting->value[0] = '\0';
    return setting->value;
}

static void read_kernel(struct setting *out, size_t *count)
{
    struct utsname name = {0};
    uname(&name);
    snprintf(next(out, count, "kernel.release"), SETTING_VALUE_MAX, "%s", name.release);
    snprintf(next(out, count, "kernel.version"), SETTING_VALUE_MAX, "%s", name.version);
    snprintf(next(out, count, "machine.architecture"), SETTING_VALUE_MAX, "%s", name.machine);
}

static void read_processor(struct setting *out, size_t *count)
{
    char *model = next(out, count, "cpu.model");
    read_cpuinfo(model, next(out, count, "machine.virtual"));
    name_container(next(out, count, "machine.container"));
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0)
        snprintf(next(out, count, "cpu.count"), SETTING_VALUE_MAX, "%ld", online);
    else
        next(out, count, "cpu.count");
}

_Static_assert(COUNT_OF(sysctls) + COUNT_OF(files) + 7 <= SETTINGS_MAX, "no room for the settings");

size_t settings_read(struct setting out[SETTINGS_MAX])
{
    size_t count = 0;
    read_kernel(out, &count);
    read_processor(out, &count);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        read_line(files[i].path, next(out, &count, files[i].name));
    for (size_t i = 0; i < COUNT_OF(sysctls); i++)
        read_sysctl(sysctls[i], next(out, &count, sysctls[i]));
    return count;
}

const char *setting_value(const struct setting *settings, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    return "";
}
