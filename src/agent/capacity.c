#include "agent/capacity.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "agent/shards.h"
#include "util/cleanup.h"

#define END_BYTES   (16u << 10) /* of an end: its socket in the kernel, and what is known of it */
#define FILES_SPARE 1024u       /* open files that are left for others */
#define LIMIT_MIN   1024u       /* of descriptors: less is not worth while */

/* Memory that can be had without swapping, bytes. */
static uint64_t memory_available(void)
{
    char line[128];
    uint64_t kilobytes = 0;
    CLEANUP_FCLOSE FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kilobytes) == 1)
            return kilobytes * 1024;
    return UINT64_MAX;
}

/* Files that the whole system may still open. */
static uint64_t files_left(void)
{
    uint64_t open, unused, most;
    CLEANUP_FCLOSE FILE *file = fopen("/proc/sys/fs/file-nr", "re");
    if (!file || fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &open, &unused, &most) != 3)
        return UINT64_MAX;
    return most > open + FILES_SPARE ? most - open - FILES_SPARE : 0;
}

/* Of descriptors: twice what it is, but something sensible. */
static uint64_t better_limit(void)
{
    struct rlimit files;
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < UINT32_MAX;
    return known && files.rlim_max > LIMIT_MIN / 2 ? 2 * files.rlim_max : LIMIT_MIN;
}

uint64_t capacity_ends(char *reason, size_t size)
{
    const uint64_t descriptors = shards_ends_max();
    const uint64_t memory = memory_available() / END_BYTES;
    const uint64_t files = files_left();
    if (descriptors <= memory && descriptors <= files) {
        snprintf(reason, size, "raise its limit of descriptors there (ulimit -n %" PRIu64 ")",
                 better_limit());
        return descriptors;
    }
    if (files <= memory) {
        snprintf(reason, size, "raise its system's limit of open files there (sysctl fs.file-max)");
        return files;
    }
    snprintf(reason, size, "its memory has no room for more, spread the flows over more machines");
    return memory;
}
