#include "agent/shards.h"

#include <stdlib.h>

#include "agent/shard.h"
#include "util/cleanup.h"

#define SHARDS_MAX 64u

struct shards {
    unsigned count;
    struct shard *shard[SHARDS_MAX];
};

/* A quarter is left, as ends are spread evenly only on the whole. */
static uint64_t ends_of_one(void)
{
    return engine_ends_max() / 4 * 3;
}

unsigned shards_wanted(uint64_t ends, uint64_t others)
{
    uint64_t one = ends_of_one();
    if (one == 0 || (ends <= engine_ends_max() && others <= engine_ends_max() - ends))
        return 0;
    uint64_t wanted = (ends - 1) / one + 1;
    return wanted < SHARDS_MAX ? (unsigned)wanted : SHARDS_MAX;
}

uint64_t shards_ends_max(void)
{
    uint64_t alone = engine_ends_max(), together = ends_of_one() * SHARDS_MAX;
    return together > alone ? together : alone;
}

/* The inverse of shards_ends_max(). */
uint64_t shards_descriptors(uint64_t ends)
{
    const uint64_t quarters = UINT64_C(3) * SHARDS_MAX; /* that ends take */
    const uint64_t together = (ends + quarters - 1) / quarters * 4;
    return engine_descriptors(together < ends ? together : ends);
}

/* Both ends of a flow have one shard.  The golden ratio spreads any regular choice of flows, such
 * as every second one. */
static unsigned shard_of(const struct shards *shards, uint32_t flow)
{
    return (unsigned)((uint64_t)(flow * 2654435769u) * shards->count >> 32);
}

int shards_create(struct shards **out, unsigned count, const struct engine_options *options,
                  struct spool *spool, struct error *err)
{
    struct shards *shards = calloc(1, sizeof *shards);
    if (!shards)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    struct engine_options part = *options;
    part.parts = count;
    for (; shards->count < count; shards->count++) {
        part.part = shards->count;
        int failed = shard_create(&shards->shard[shards->count], &part, spool, err);
        if (failed) {
            shards_destroy(shards);
            return failed;
        }
    }
    *out = shards;
    return 0;
}

/* ---- preparing ---- */

/* What is asked of one shard: places in the whole. */
struct share {
    struct end_spec **specs;
    struct end_ready **answers;
    size_t count;
};

static void find_share(struct share *share, const struct shards *shards, unsigned which,
                       const struct end_spec *specs, size_t count, struct end_ready *answers)
{
    share->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (shard_of(shards, specs[i].flow) != which)
            continue;
        share->specs[share->count] = (struct end_spec *)&specs[i];
        share->answers[share->count++] = &answers[i];
    }
}

int shards_prepare(struct shards *shards, const struct end_spec *specs, size_t count,
                   struct end_ready *answers, struct error *err)
{
    CLEANUP_FREE struct end_spec **spec_places = calloc(count + 1, sizeof(*spec_places));
    CLEANUP_FREE struct end_ready **answer_places = calloc(count + 1, sizeof(*answer_places));
    struct share share = {.specs = spec_places, .answers = answer_places};
    if (!spec_places || !answer_places)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int failed = 0;
    for (unsigned i = 0; !failed && i < shards->count; i++) {
        find_share(&share, shards, i, specs, count, answers);
        failed = shard_ask(shards->shard[i], share.specs, share.count, err);
    }
    for (unsigned i = 0; !failed && i < shards->count; i++) {
        find_share(&share, shards, i, specs, count, answers);
        failed = shard_answer(shards->shard[i], share.answers, share.count, err);
    }
    return failed;
}

/* ---- the rest ---- */

void shards_start(struct shards *shards, const struct axis *axis)
{
    for (unsigned i = 0; i < shards->count; i++)
        shard_start(shards->shard[i], axis);
}

void shards_adjust(struct shards *shards, const struct axis *axis)
{
    for (unsigned i = 0; i < shards->count; i++)
        shard_adjust(shards->shard[i], axis);
}

void shards_stop(struct shards *shards)
{
    for (unsigned i = 0; i < shards->count; i++)
        shard_stop(shards->shard[i]);
}

struct engine_totals shards_totals(const struct shards *shards)
{
    struct engine_totals sum = {0};
    for (unsigned i = 0; i < shards->count; i++) {
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
    for (unsigned i = 0; i < shards->count && count < max; i++)
        out[count++] = shard_pid(shards->shard[i]);
    return count;
}

bool shards_are_over(const struct shards *shards)
{
    for (unsigned i = 0; i < shards->count; i++)
        if (!shard_is_over(shards->shard[i]))
            return false;
    return true;
}

void shards_destroy(struct shards *shards)
{
    if (!shards)
        return;
    for (unsigned i = 0; i < shards->count; i++)
        shard_dismiss(shards->shard[i]);
    for (unsigned i = 0; i < shards->count; i++)
        shard_destroy(shards->shard[i]);
    free(shards);
}
