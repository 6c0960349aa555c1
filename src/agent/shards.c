#include "agent/shards.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "agent/own_process.h"
#include "agent/shard.h"
#include "util/cleanup.h"
#include "util/number_map.h"

#define SHARDS_MAX 64u

#define OPENING 8u /* a shard has so many-th of its share before the next one is started */

struct shards {
    struct engine_options options; /* of each, but for its part */
    struct spool *spool;
    uint32_t opening;       /* flows that a shard has before the next one is started */
    struct number_map home; /* of each flow: its shard */
    atomic_uint count;      /* started: behind their pointers, as other threads look */
    struct shard *shard[SHARDS_MAX];
};

/* A quarter is left, as ends are spread evenly only on the whole. */
static uint64_t ends_of_one(void)
{
    return engine_ends_max(0) / 4 * 3;
}

unsigned shards_wanted(uint64_t ends, uint64_t others)
{
    const uint64_t one = ends_of_one(), here = own_process_ends_max();
    if (one == 0 || (ends <= here && others <= here - ends))
        return 0;
    uint64_t wanted = (ends - 1) / one + 1;
    return wanted < SHARDS_MAX ? (unsigned)wanted : SHARDS_MAX;
}

uint64_t shards_ends_max(void)
{
    uint64_t alone = own_process_ends_max(), together = ends_of_one() * SHARDS_MAX;
    return together > alone ? together : alone;
}

/* The inverse of shards_ends_max(). */
uint64_t shards_descriptors(uint64_t ends)
{
    const uint64_t quarters = UINT64_C(3) * SHARDS_MAX; /* that ends take */
    const uint64_t together = (ends + quarters - 1) / quarters * 4;
    const uint64_t here = own_process_descriptors(ends), in_shards = engine_descriptors(together);
    return here < in_shards ? here : in_shards;
}

int shards_create(struct shards **out, unsigned count, uint64_t ends,
                  const struct engine_options *options, struct spool *spool, struct error *err)
{
    struct shards *shards = calloc(1, sizeof *shards);
    if (!shards)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    const uint64_t flows = ends / 2 / count; /* of a shard, if both ends of each are here */
    shards->options = *options;
    shards->options.parts = count;
    shards->spool = spool;
    shards->opening = flows > OPENING ? (uint32_t)(flows / OPENING) : 1;
    *out = shards;
    return 0;
}

/* ---- where a flow is ---- */

static int start_another(struct shards *shards, struct error *err)
{
    const unsigned count = atomic_load(&shards->count);
    shards->options.part = count;
    int failed = shard_create(&shards->shard[count], &shards->options, shards->spool, err);
    if (!failed)
        atomic_store(&shards->count, count + 1);
    return failed;
}

/* The next new flow's.  The first flows fill shard after shard with a small part of its share, so
 * that few flows start few processes.  All others are spread: the golden ratio spreads any regular
 * choice of flows, such as every second one. */
static int choose(struct shards *shards, uint32_t flow, uint32_t *which, struct error *err)
{
    const uint64_t parts = shards->options.parts, known = shards->home.count;
    if (known >= parts * shards->opening) {
        *which = (uint32_t)((uint64_t)(flow * 2654435769u) * parts >> 32);
        return 0;
    }
    *which = (uint32_t)(known / shards->opening);
    return *which < atomic_load(&shards->count) ? 0 : start_another(shards, err);
}

/* Both ends of a flow have one shard. */
static int find_home(struct shards *shards, uint32_t flow, uint32_t *which, struct error *err)
{
    if (number_map_get(&shards->home, flow, which))
        return 0;
    int failed = choose(shards, flow, which, err);
    if (!failed && number_map_set(&shards->home, flow, *which))
        failed = error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return failed;
}

/* ---- preparing ---- */

/* What is asked of one shard: places in the whole. */
struct share {
    struct end_spec **specs;
    struct end_ready **answers;
    size_t count;
};

static void find_share(struct share *share, const uint32_t *homes, uint32_t which,
                       const struct end_spec *specs, size_t count, struct end_ready *answers)
{
    share->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (homes[i] != which)
            continue;
        share->specs[share->count] = (struct end_spec *)&specs[i];
        share->answers[share->count++] = &answers[i];
    }
}

/* A shard that has no part in it is not asked. */
static int ask_all(struct shards *shards, const uint32_t *homes, struct share *share,
                   const struct end_spec *specs, size_t count, struct end_ready *answers,
                   struct error *err)
{
    const unsigned started = atomic_load(&shards->count);
    int failed = 0;
    for (unsigned i = 0; !failed && i < started; i++) {
        find_share(share, homes, i, specs, count, answers);
        if (share->count)
            failed = shard_ask(shards->shard[i], share->specs, share->count, err);
    }
    for (unsigned i = 0; !failed && i < started; i++) {
        find_share(share, homes, i, specs, count, answers);
        if (share->count)
            failed = shard_answer(shards->shard[i], share->answers, share->count, err);
    }
    return failed;
}

int shards_prepare(struct shards *shards, const struct end_spec *specs, size_t count,
                   struct end_ready *answers, struct error *err)
{
    CLEANUP_FREE struct end_spec **spec_places = calloc(count + 1, sizeof(*spec_places));
    CLEANUP_FREE struct end_ready **answer_places = calloc(count + 1, sizeof(*answer_places));
    CLEANUP_FREE uint32_t *homes = calloc(count + 1, sizeof *homes);
    struct share share = {.specs = spec_places, .answers = answer_places};
    if (!spec_places || !answer_places || !homes)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int failed = 0;
    for (size_t i = 0; !failed && i < count; i++)
        failed = find_home(shards, specs[i].flow, &homes[i], err);
    return failed ? failed : ask_all(shards, homes, &share, specs, count, answers, err);
}

/* ---- the rest ---- */

void shards_start(struct shards *shards, const struct axis *axis)
{
    for (unsigned i = 0; i < atomic_load(&shards->count); i++)
        shard_start(shards->shard[i], axis);
}

void shards_adjust(struct shards *shards, const struct axis *axis)
{
    for (unsigned i = 0; i < atomic_load(&shards->count); i++)
        shard_adjust(shards->shard[i], axis);
}

void shards_stop(struct shards *shards)
{
    for (unsigned i = 0; i < atomic_load(&shards->count); i++)
        shard_stop(shards->shard[i]);
}

struct engine_totals shards_totals(const struct shards *shards)
{
    struct engine_totals sum = {0};
    for (unsigned i = 0; i < atomic_load(&shards->count); i++) {
        struct engine_totals totals = shard_totals(shards->shard[i]);
        sum.ends += totals.ends;
        sum.ends_over += totals.ends_over;
        sum.received_bytes += totals.received_bytes;
        sum.sent_bytes += totals.sent_bytes;
    }
    return sum;
}

size_t shards_pids(const struct shards *shards, pid_t *out, size_t max)
{
    size_t count = 0;
    for (unsigned i = 0; i < atomic_load(&shards->count) && count < max; i++)
        out[count++] = shard_pid(shards->shard[i]);
    return count;
}

bool shards_are_over(const struct shards *shards)
{
    for (unsigned i = 0; i < atomic_load(&shards->count); i++)
        if (!shard_is_over(shards->shard[i]))
            return false;
    return true;
}

void shards_destroy(struct shards *shards)
{
    if (!shards)
        return;
    for (unsigned i = 0; i < atomic_load(&shards->count); i++)
        shard_dismiss(shards->shard[i]);
    for (unsigned i = 0; i < atomic_load(&shards->count); i++)
        shard_destroy(shards->shard[i]);
    number_map_fini(&shards->home);
    free(shards);
}
