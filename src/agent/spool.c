#include "agent/spool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/spool_record.h"
#include "util/clock.h"

#define RETRY_BYTES_MAX (256u << 20) /* kept in memory while the disk is full */

struct spool {
    struct segment *segment;
    void (*grew)(void *arg);
    void *arg;
    pthread_mutex_t lock;  /* of what follows, and of appending */
    struct buffer waiting; /* for the disk */
    bool ended;
    atomic_bool failed;
    char failure[256]; /* written before `failed` is set */
};

int spool_create(struct spool **out, const char *path, void (*grew)(void *arg), void *arg,
                 struct error *err)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (!spool)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
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

static void fail(struct spool *spool, const char *why)
{
    if (atomic_load(&spool->failed))
        return;
    snprintf(spool->failure, sizeof spool->failure, "%s", why);
    atomic_store(&spool->failed, true);
}

static bool write_out(struct spool *spool, const struct buffer *framed)
{
    struct error err = {0};
    if (segment_append_framed(spool->segment, framed, &err) == 0)
        return true;
    char text[256];
    fail(spool, error_text(&err, text, sizeof text));
    return false;
}

static bool write_waiting(struct spool *spool)
{
    if (!spool->waiting.size)
        return true;
    if (!write_out(spool, &spool->waiting))
        return false;
    buffer_fini(&spool->waiting);
    return true;
}

/* A full disk may get room again: what it does not take is tried anew until it is too much. */
static bool append(struct spool *spool, const struct buffer *framed)
{
    if (write_waiting(spool) && write_out(spool, framed))
        return true;
    if (spool->waiting.size > RETRY_BYTES_MAX)
        buffer_fini(&spool->waiting);
    if (buffer_append(&spool->waiting, framed->data, framed->size))
        fail(spool, "out of memory: records were lost");
    return false;
}

/* ---- without ---- */

void spool_append(struct spool *spool, const struct buffer *framed)
{
    pthread_mutex_lock(&spool->lock);
    bool grew = append(spool, framed);
    pthread_mutex_unlock(&spool->lock);
    if (grew)
        spool->grew(spool->arg);
}

void spool_retry(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool grew = spool->waiting.size && write_waiting(spool);
    pthread_mutex_unlock(&spool->lock);
    if (grew)
        spool->grew(spool->arg);
}

void spool_nudge(struct spool *spool)
{
    spool->grew(spool->arg);
}

void spool_end(struct spool *spool)
{
    struct buffer record = {0}, framed = {0};
    pthread_mutex_lock(&spool->lock);
    if (!spool->ended && spool_record_run_end(&record, clock_now()) == 0 &&
        segment_frame(&framed, record.data, record.size) == 0) {
        append(spool, &framed);
        spool->ended = true;
    }
    pthread_mutex_unlock(&spool->lock);
    buffer_fini(&record);
    buffer_fini(&framed);
}

bool spool_is_complete(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    bool complete = spool->ended && !spool->waiting.size;
    pthread_mutex_unlock(&spool->lock);
    return complete;
}

void spool_fail(struct spool *spool, const char *why)
{
    pthread_mutex_lock(&spool->lock);
    fail(spool, why);
    pthread_mutex_unlock(&spool->lock);
}

const char *spool_failure(const struct spool *spool)
{
    return atomic_load(&spool->failed) ? spool->failure : NULL;
}

const struct segment *spool_segment(const struct spool *spool)
{
    return spool->segment;
}

void spool_close(struct spool *spool, bool remove_file)
{
    if (!spool)
        return;
    segment_close(spool->segment, remove_file);
    buffer_fini(&spool->waiting);
    pthread_mutex_destroy(&spool->lock);
    free(spool);
}
