#include "engine/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define FRESH_NS NS_PER_MS

static int64_t cpu_now(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) < 0)
        return 0;
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t wait_now(const struct usage *usage)
{
    char text[96];
    int64_t wait_ns;
    const ssize_t size =
        usage->schedstat >= 0 ? pread(usage->schedstat, text, sizeof text - 1, 0) : -1;
    if (size <= 0)
        return -1;
    text[size] = '\0';
    return sscanf(text, "%*u %" SCNd64, &wait_ns) == 1 ? wait_ns : -1;
}

void usage_open(struct usage *usage)
{
    *usage = (struct usage){.wait_ns = -1};
    usage->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    usage_read(usage, clock_now());
}

void usage_close(struct usage *usage)
{
    if (usage->schedstat >= 0)
        close(usage->schedstat);
    usage->schedstat = -1;
}

void usage_read(struct usage *usage, int64_t now_ns)
{
    if (usage->t_ns && now_ns - usage->t_ns < FRESH_NS)
        return;
    usage->cpu_ns = cpu_now();
    usage->wait_ns = wait_now(usage);
    usage->t_ns = clock_now();
}
