/* Congestion control by name.  A socket is the judge: what /proc lists says neither what this
 * process may use nor what the kernel would load on demand.  Any thread, before data moves. */
#include "engine/algorithms.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"

#define AVAILABLE "/proc/sys/net/ipv4/tcp_available_congestion_control"

int algorithms_available(char out[ALGORITHMS_MAX][CCALG_MAX])
{
    CLEANUP_FCLOSE FILE *file = fopen(AVAILABLE, "re");
    int count = 0;

    _Static_assert(CCALG_MAX == 16, "the width below");
    while (file && count < ALGORITHMS_MAX && fscanf(file, "%15s", out[count]) == 1)
        count++;
    return count;
}

static int unknown(const char *name, struct error *err)
{
    char names[ALGORITHMS_MAX][CCALG_MAX];
    char list[256] = "";
    int count = algorithms_available(names);

    for (int i = 0; i < count; i++) {
        size_t size = strlen(list);
        snprintf(list + size, sizeof list - size, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    error_set(err, ERROR_AGENT, NULL, "unknown congestion control algorithm \"%.64s\"", name);
    return error_cure(err, "there are %.150s; or, as root, load its module: modprobe tcp_%.64s",
                      list, name);
}

int algorithm_check(const char *name, struct error *err)
{
    size_t size = strlen(name);
    if (size == 0)
        return 0; /* the host's default */
    if (size >= CCALG_MAX)
        return unknown(name, err); /* the kernel would cut it */

    CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make a socket");
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)size) == 0)
        return 0;
    if (errno == ENOENT)
        return unknown(name, err);
    if (errno == EPERM) {
        error_set(err, ERROR_AGENT, NULL,
                  "this agent may not use the congestion control algorithm \"%s\"", name);
        return error_cure(err,
                          "start it with CAP_NET_ADMIN, or add \"%s\" to the sysctl "
                          "net.ipv4.tcp_allowed_congestion_control",
                          name);
    }
    return error_set_errno(err, ERROR_AGENT, errno, NULL,
                           "cannot use the congestion control algorithm \"%s\"", name);
}
