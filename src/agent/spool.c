#include "agent/spool.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/spool_record.h"
#include "util/clock.h"

#define WAITING_MAX (64u << 20) /* bytes; if more wait for the disk, samples are dropped */
#define FAILURE_MAX 384
#define LOOK_NS     (250 * NS_PER_MS) /* between two looks at the disk, if there was room */
#define SHARE       32u /* a look's part of the room: so many spools may grow between two */

struct spool {
    struct segment *segment;
    void (*grew)(void *arg);
    void *arg;
    pthread_mutex_t lock; /* of what follows, and of appending */
    uint64_t lost;        /* samples */
    struct spool_bounds bounds;
    uint64_t allowed; /* bytes that the file may have until it is looked for again */
    int64_t look_ns;  /* when it is, in any case */
    bool ended;
    atomic_bool failed;
    char failure[FAILURE_MAX]; /* written before `failed` is set */
};

int spool_create(struct spool **out, const char *path, const struct spool_bounds *bounds,
                 void (*grew)(void *arg), void *arg, struct error *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (!spool)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    spool->bounds = *bounds;
    spool->grew = grew;
    spool->arg = arg;
    int failed = segment_create(&spool->segment, path, err);
    if (failed) {
        free(spool);
        return failed;
    }
    pthread_mutex_init(&spool->lock, NULL);
    *out = spool;
    return 0;
}

/* ---- with the lock ---- */

static void fail(struct spool *spool, const char *why, uint64_t samples)
{
    spool->lost += samples;
    if (atomic_load(&spool->failed))
        return;
    snprintf(spool->failure, sizeof spool->failure, "%s", why);
    atomic_store(&spool->failed, true);
}

/* Lets the file grow by `more` bytes and what waits, as far as there is room.  Looking for that
 * costs little, but is not done for each append. */
static void grant(struct spool *spool, uint64_t more)
{
    const int64_t now = clock_now();
    const uint64_t waiting = segment_waiting(spool->segment);
    const uint64_t in_file = segment_size(spool->segment) - waiting;
    if (now < spool->look_ns && in_file + waiting + more <= spool->allowed)
        return;
    const uint64_t room = spool_place_room(&spool->bounds, NULL);
    uint64_t granted = room / SHARE > waiting + more ? room / SHARE : waiting + more;
    if (granted > room)
        granted = room;
    spool->allowed = in_file + granted;
    spool->look_ns = now + LOOK_NS;
    segment_limit(spool->segment, spool->allowed);
}

static bool append(struct spool *spool, const struct buffer *framed)
{
    struct error err = {0};
    char text[FAILURE_MAX];
    grant(spool, framed->size);
    int refused = segment_append_framed(spool->segment, framed, &err);
    if (!refused || atomic_load(&spool->failed))
        return refused >= 0;
    const uint64_t in_file = segment_size(spool->segment) - segment_waiting(spool->segment);
    if (refused > 0 && in_file >= spool->allowed) /* not by the disk itself */
        spool_place_room(&spool->bounds, &err);
    fail(spool, error_text(&err, text, sizeof text), 0);
    return refused >= 0;
}

/* What there is a few of for each end is kept in any case, so that it is bounded what waits. */
static bool is_kept(enum spool_kind kind)
{
    return kind == SPOOL_READY || kind == SPOOL_REPORT || kind == SPOOL_CAPTURED ||
           kind == SPOOL_RUN_END;
}

static bool append_without_samples(struct spool *spool, const struct buffer *framed)
{
    struct buffer rest = {0};
    struct spool_head head;
    const uint8_t *record;
    size_t size;
    uint64_t dropped = 0;
    bool whole = true, some = false;
    for (size_t at = 0; whole && segment_unframe(framed, &at, &record, &size);) {
        if (spool_record_head(record, size, &head, NULL))
            continue;
        bool rows = head.kind == SPOOL_SAMPLES || head.kind == SPOOL_HOST;
        if (rows)
            dropped += head.rows;
        else if (is_kept(head.kind))
            whole = segment_frame(&rest, record, size) == 0;
        some |= !is_kept(head.kind);
    }
    bool appended = whole && append(spool, &rest);
    if (!whole)
        fail(spool, "out of memory", 0);
    else if (appended && some)
        fail(spool, "too much waits for the disk", dropped);
    buffer_fini(&rest);
    return appended;
}

/* ---- without ---- */

bool spool_append(struct spool *spool, const struct buffer *framed)
{
    pthread_mutex_lock(&spool->lock);
    uint64_t waiting = segment_waiting(spool->segment);
    bool much = waiting && waiting + framed->size > WAITING_MAX;
    bool appended = much ? append_without_samples(spool, framed) : append(spool, framed);
    pthread_mutex_unlock(&spool->lock);
    if (appended)
        spool->grew(spool->arg);
    return appended;
}

void spool_retry(struct spool *spool)
{
    const struct buffer nothing = {0};
    pthread_mutex_lock(&spool->lock);
    if (segment_waiting(spool->segment))
        append(spool, &nothing);
    pthread_mutex_unlock(&spool->lock);
}

void spool_nudge(struct spool *spool)
{
    spool->grew(spool->arg);
}

void spool_fail(struct spool *spool, const char *why, uint64_t samples)
{
    pthread_mutex_lock(&spool->lock);
    fail(spool, why, samples);
    pthread_mutex_unlock(&spool->lock);
}

const char *spool_failure(const struct spool *spool)
{
    return atomic_load(&spool->failed) ? spool->failure : NULL;
}

bool spool_end(struct spool *spool, uint32_t other_runs)
{
    char problem[FAILURE_MAX + 64] = "";
    struct buffer record = {0}, framed = {0};
    pthread_mutex_lock(&spool->lock);
    if (atomic_load(&spool->failed))
        snprintf(problem, sizeof problem, "%s; %" PRIu64 " samples were lost", spool->failure,
                 spool->lost);
    if (!spool->ended && spool_record_run_end(&record, clock_now(), other_runs, problem) == 0 &&
        segment_frame(&framed, record.data, record.size) == 0)
        spool->ended = append(spool, &framed);
    bool ended = spool->ended;
    pthread_mutex_unlock(&spool->lock);
    buffer_fini(&record);
    buffer_fini(&framed);
    return ended;
}

struct segment *spool_segment(const struct spool *spool)
{
    return spool->segment;
}

void spool_close(struct spool *spool, bool remove_file)
{
    if (!spool)
        return;
    if (!remove_file)
        grant(spool, 0);
    segment_close(spool->segment, remove_file);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}
