#include "agent/capacity.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "agent/shards.h"
#include "util/cleanup.h"

#define END_BYTES   (16u << 10) /* of an end: its socket in the kernel, and what is known of it */
#define FILES_SPARE 1024u       /* open files that are left for others */

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

/* Descriptors of all processes of an agent; memory and files of what is not open yet. */
uint64_t capacity_ends(uint64_t wanted, char *reason, size_t size)
{
    const uint64_t descriptors = shards_ends_max();
    const uint64_t memory = memory_available() / END_BYTES;
    const uint64_t files = files_left();
    if (descriptors <= memory && descriptors <= files) {
        snprintf(reason, size, "raise its limit of descriptors there (ulimit -n %" PRIu64 ")",
                 shards_descriptors(wanted));
        return descriptors;
    }
    if (files <= memory) {
        snprintf(reason, size, "raise its system's limit of open files there (sysctl fs.file-max)");
        return files;
    }
    snprintf(reason, size, "its memory has no room for more, spread the flows over more machines");
    return memory;
}

int capacity_check(uint64_t wanted, uint64_t taken, uint64_t open, struct error *err)
{
    char reason[256];
    const uint64_t total = taken + wanted;
    uint64_t most = capacity_ends(total, reason, sizeof reason);
    /* What memory and files there are is beside those that are open. */
    if (most < shards_ends_max())
        most = most + open < shards_ends_max() ? most + open : shards_ends_max();
    if (total <= most)
        return 0;
    if (!taken) {
        error_set(err, ERROR_AGENT, NULL,
                  "%" PRIu64 " ends of flows are more than this agent can have, %" PRIu64, wanted,
                  most);
        return error_cure(err, "%s", reason);
    }
    error_set(err, ERROR_AGENT, NULL,
              "there is no room for %" PRIu64 " ends of flows more: %" PRIu64 " of the %" PRIu64
              " that this agent can have are taken",
              wanted, taken, most);
    return error_cure(err, "wait until other runs are over, or %s", reason);
}
