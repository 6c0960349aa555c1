#include "agent/sysctls.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

static const char *const names[] = {
    "net.core.default_qdisc",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_recovery",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
};

const char *sysctl_name(size_t index)
{
    return index < COUNT_OF(names) ? names[index] : NULL;
}

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

char *sysctl_read(size_t index, char out[SYSCTL_VALUE_MAX])
{
    char path[128] = "/proc/sys/";
    size_t used = strlen(path);
    for (const char *at = names[index]; *at && used + 1 < sizeof path; at++)
        path[used++] = (char)(*at == '.' ? '/' : *at);
    path[used] = '\0';
    out[0] = '\0';
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    if (file && fgets(out, SYSCTL_VALUE_MAX, file))
        tidy(out);
    return out;
}
