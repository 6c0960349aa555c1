#include "host/cpu.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define STAT_MAX  512  /* of /proc/stat: its first line */
#define CHUNK_MAX 4096 /* of softnet_stat, whose lines are far shorter */

int64_t cpu_of_process(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time))
        return -1;
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

void cpu_reader_open(struct cpu_reader *reader)
{
    reader->stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    reader->softnet_fd = open("/proc/net/softnet_stat", O_RDONLY | O_CLOEXEC);
}

void cpu_reader_close(struct cpu_reader *reader)
{
    if (reader->stat_fd >= 0)
        close(reader->stat_fd);
    if (reader->softnet_fd >= 0)
        close(reader->softnet_fd);
}

/* As much of the text as there is room for in out; false: it is not to be had. */
static bool read_text(int fd, char *out, size_t size)
{
    ssize_t length = fd < 0 ? -1 : pread(fd, out, size - 1, 0);
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

void cpu_read_times(const struct cpu_reader *reader, struct cpu_times *out)
{
    char text[STAT_MAX];
    int64_t user, nice, system, idle, iowait, irq, softirq, steal;
    const int64_t tick_ns = NS_PER_S / sysconf(_SC_CLK_TCK);
    *out = (struct cpu_times){-1, -1, -1, -1, -1, -1};
    if (!read_text(reader->stat_fd, text, sizeof text) ||
        sscanf(text,
               "cpu %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
               " %" SCNd64 " %" SCNd64,
               &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 8)
        return;
    *out = (struct cpu_times){
        .user_ns = (user + nice) * tick_ns,
        .system_ns = system * tick_ns,
        .irq_ns = irq * tick_ns,
        .softirq_ns = softirq * tick_ns,
        .idle_ns = (idle + iowait) * tick_ns,
        .steal_ns = steal * tick_ns,
    };
}

/* Columns 2 and 3, in hexadecimal: net/core/net-procfs.c. */
static void add_line(struct softnet_counters *sum, const char *line)
{
    uint32_t processed, dropped, squeezed;
    if (sscanf(line, "%" SCNx32 " %" SCNx32 " %" SCNx32, &processed, &dropped, &squeezed) != 3)
        return;
    sum->dropped += dropped;
    sum->squeezed += squeezed;
}

/* Adds the whole lines of the text up, and moves what is left of it to its front.  The length of
 * that. */
static size_t add_lines(struct softnet_counters *sum, char *text, size_t length)
{
    char *line = text, *end;
    while ((end = memchr(line, '\n', length - (size_t)(line - text)))) {
        *end = '\0';
        add_line(sum, line);
        line = end + 1;
    }
    const size_t left = length - (size_t)(line - text);
    memmove(text, line, left);
    return left;
}

/* A line a CPU, of which the kernel hands out no more than a page's at a time. */
void cpu_read_softnet(const struct cpu_reader *reader, struct softnet_counters *out)
{
    char text[CHUNK_MAX];
    struct softnet_counters sum = {0, 0};
    size_t left = 0;
    off_t at = 0;
    ssize_t got = -1;
    while (reader->softnet_fd >= 0 &&
           (got = pread(reader->softnet_fd, text + left, sizeof text - left, at)) > 0) {
        at += got;
        left = add_lines(&sum, text, left + (size_t)got);
    }
    *out = got == 0 && at > 0 ? sum : (struct softnet_counters){-1, -1};
}
