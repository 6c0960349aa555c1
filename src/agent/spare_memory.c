#include "agent/spare_memory.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/errand.h"

#define LOOK_MS   2000
#define WORTH_IT  (UINT64_C(16) << 20) /* bytes more than were held */
#define AN_ERRAND "giving memory back"

/* Bytes of the process in memory; 0: not known. */
static uint64_t resident(void)
{
    uint64_t size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &size, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look(void *arg);

static void look_later(struct spare_memory *spare)
{
    if (!spare->stopped)
        rpc_loop_after(spare->loop, LOOK_MS, look, spare);
}

/* An errand's work. */
static void give_back(void *arg)
{
    (void)arg;
    malloc_trim(0);
}

static void has_given_back(void *arg)
{
    struct spare_memory *spare = arg;
    spare->held = resident();
    look_later(spare);
}

static void look(void *arg)
{
    struct spare_memory *spare = arg;
    const uint64_t now = resident();
    if (now < spare->held)
        spare->held = now;
    if (now > spare->held + WORTH_IT && !service_is_busy(spare->service) &&
        errand_try(spare->loop, AN_ERRAND, give_back, has_given_back, spare) == 0)
        return;
    look_later(spare);
}

void spare_memory_watch(struct spare_memory *spare, struct rpc_loop *loop,
                        const struct service *service)
{
    *spare = (struct spare_memory){.loop = loop, .service = service, .held = resident()};
    look_later(spare);
}

void spare_memory_stop(struct spare_memory *spare)
{
    spare->stopped = true;
    rpc_loop_cancel(spare->loop, look, spare);
}
