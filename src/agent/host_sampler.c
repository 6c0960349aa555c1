#include "agent/host_sampler.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/spool_record.h"
#include "host/reading.h"
#include "util/clock.h"

#define GATHER_NS   (400 * NS_PER_MS) /* of rows in one record: as the flows' samples */
#define GATHER_ROWS 8                 /* so many at most: HOST_SPACING_NS is between two */
#define SLEW_NS     (2 * NS_PER_S)    /* as the engine's schedules */
#define NAP_NS      (100 * NS_PER_MS) /* longest wait: the axis may move meanwhile */

struct host_sampler {
    struct spool *spool;
    int64_t interval_ns; /* between rows: a multiple of the run's */
    int64_t ticks;       /* the run's ticks in it */
    pthread_t thread;
    /* the thread's alone, but before it and after it */
    struct host_reader *reader;
    struct host_series series; /* rows to put out */
    size_t gather;             /* rows that make a record */
    int64_t *row;
    struct buffer record, framed;
    int64_t next; /* multiple of interval_ns that is to be sampled */
    /* between threads */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct axis axis, target; /* followed until slewed_ns, then met */
    int64_t slewed_ns;
    bool quit;
};

/* ---- rows ---- */

static void put_out(struct host_sampler *sampler)
{
    buffer_clear(&sampler->record);
    buffer_clear(&sampler->framed);
    if (sampler->series.count == 0)
        return;
    if (spool_record_host(&sampler->record, &sampler->series) ||
        segment_frame(&sampler->framed, sampler->record.data, sampler->record.size))
        spool_fail(sampler->spool, "out of memory", sampler->series.count);
    else
        spool_append(sampler->spool, &sampler->framed);
    host_series_clear(&sampler->series);
}

static void take_row(struct host_sampler *sampler, int64_t tick)
{
    host_reader_read(sampler->reader, &sampler->series, sampler->row);
    sampler->row[HOST_tick] = tick;
    if (host_series_add(&sampler->series, sampler->row, GATHER_ROWS + 1))
        spool_fail(sampler->spool, "out of memory", 1);
    if (sampler->series.count >= sampler->gather)
        put_out(sampler);
}

/* ---- the thread ---- */

static struct timespec to_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

/* With the lock.  Waits for the next row's time, which may move; false: the end. */
static bool await(struct host_sampler *sampler)
{
    while (!sampler->quit) {
        int64_t now = clock_now();
        if (now >= sampler->slewed_ns)
            sampler->axis = sampler->target;
        int64_t due = axis_to_local(&sampler->axis, sampler->next * sampler->interval_ns);
        if (now >= due)
            return true;
        struct timespec until = to_timespec(due < now + NAP_NS ? due : now + NAP_NS);
        pthread_cond_timedwait(&sampler->changed, &sampler->lock, &until);
    }
    return false;
}

static void *sample(void *arg)
{
    struct host_sampler *sampler = arg;
    pthread_mutex_lock(&sampler->lock);
    while (await(sampler)) {
        /* Ticks before the one that is due are not taken any more. */
        int64_t now = axis_from_local(&sampler->axis, clock_now());
        int64_t due = tick_at_or_before(now, sampler->interval_ns);
        due = due > sampler->next ? due : sampler->next;
        pthread_mutex_unlock(&sampler->lock);
        take_row(sampler, due * sampler->ticks);
        sampler->next = due + 1;
        pthread_mutex_lock(&sampler->lock);
    }
    pthread_mutex_unlock(&sampler->lock);
    return NULL;
}

/* ---- life ---- */

static void release(struct host_sampler *sampler)
{
    pthread_cond_destroy(&sampler->changed);
    pthread_mutex_destroy(&sampler->lock);
    host_reader_destroy(sampler->reader);
    host_series_fini(&sampler->series);
    buffer_fini(&sampler->record);
    buffer_fini(&sampler->framed);
    free(sampler->row);
    free(sampler);
}

static void make_locks(struct host_sampler *sampler)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sampler->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&sampler->lock, NULL);
}

static int prepare(struct host_sampler *sampler, const struct host_sampler_options *options,
                   struct error *err)
{
    struct host_series *series = &sampler->series;
    sampler->ticks = (HOST_SPACING_NS + options->interval_ns - 1) / options->interval_ns;
    sampler->interval_ns = sampler->ticks * options->interval_ns;
    const int64_t rows = (GATHER_NS + sampler->interval_ns - 1) / sampler->interval_ns;
    sampler->gather = rows < GATHER_ROWS ? (size_t)rows : GATHER_ROWS;
    series->interface_count = options->interface_count;
    for (size_t i = 0; i < options->interface_count; i++)
        snprintf(series->interfaces[i].name, DEVICE_MAX, "%s", options->interfaces[i]);
    sampler->row = calloc(host_series_width(series), sizeof *sampler->row);
    if (!sampler->row)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return host_reader_create(&sampler->reader, options->interfaces, options->interface_count,
                              options->processes, options->process_count, err);
}

int host_sampler_start(struct host_sampler **out, const struct host_sampler_options *options,
                       const struct axis *axis, struct spool *spool, struct error *err)
{
    struct host_sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    make_locks(sampler);
    sampler->spool = spool;
    sampler->axis = sampler->target = *axis;
    int failed = prepare(sampler, options, err);
    if (!failed) {
        take_row(sampler, SAMPLE_OFF_TICK);
        int why = pthread_create(&sampler->thread, NULL, sample, sampler);
        if (why)
            failed = error_set_errno(err, ERROR_SYSTEM, why, NULL, "cannot start a thread");
    }
    if (failed)
        release(sampler);
    else
        *out = sampler;
    return failed;
}

void host_sampler_adjust(struct host_sampler *sampler, const struct axis *axis)
{
    pthread_mutex_lock(&sampler->lock);
    int64_t now = clock_now();
    sampler->axis = axis_slew(&sampler->axis, axis, now, SLEW_NS);
    sampler->target = *axis;
    sampler->slewed_ns = now + SLEW_NS;
    pthread_mutex_unlock(&sampler->lock);
}

void host_sampler_stop(struct host_sampler *sampler)
{
    if (!sampler)
        return;
    pthread_mutex_lock(&sampler->lock);
    sampler->quit = true;
    pthread_cond_signal(&sampler->changed);
    pthread_mutex_unlock(&sampler->lock);
    pthread_join(sampler->thread, NULL);
    take_row(sampler, SAMPLE_OFF_TICK);
    put_out(sampler);
    release(sampler);
}
