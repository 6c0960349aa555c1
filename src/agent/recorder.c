/* Samples come in the order of time, from all ends mixed; columns want them by end.  So they are
 * gathered, sorted, and put out as one record an end, when the oldest of them was taken GATHER_NS
 * ago.  A worker hands over what it took within 100 ms, so that its samples are here by then.  If
 * this process is killed, so much is lost, and what the machine was late: docs promise 0.5 s. */
#include "agent/recorder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "format/packets_record.h"
#include "format/segment.h"
#include "format/spool_record.h"
#include "util/clock.h"
#include "util/watchdog.h"

#define GATHER_NS      (400 * NS_PER_MS)
#define RETRY_MS       10
#define WATCH_NS       (5 * NS_PER_S) /* a turn lasts no longer, or the watchdog tells */
#define GATHER_SAMPLES 32768u         /* or so many, whatever comes first: 10 MB */

struct recorder {
    struct engine *engine;
    struct recorder_sink sink;
    pthread_t thread;
    int quit_fd;
    /* the recorder's thread alone */
    struct sample *samples;
    const struct sample **order; /* scratch of flush() */
    size_t count, capacity;
    int64_t oldest_ns;     /* when the first of samples was taken */
    struct buffer framed;  /* records to put out */
    struct buffer reports; /* framed: go behind the samples */
    struct buffer scratch;
    uint64_t reports_seen;
    bool finished;
    /* between threads */
    _Atomic uint64_t expected; /* UINT64_MAX: not known yet */
};

static void out_of_memory(struct recorder *recorder, uint64_t samples)
{
    recorder->sink.failed(recorder->sink.arg, "out of memory", samples);
}

/* ---- taking ---- */

static bool grow(struct recorder *recorder)
{
    size_t capacity = recorder->capacity ? recorder->capacity * 2 : 64;
    struct sample *samples = realloc(recorder->samples, capacity * sizeof *samples);
    if (samples)
        recorder->samples = samples;
    const struct sample **order = realloc(recorder->order, capacity * sizeof(*order));
    if (order)
        recorder->order = order;
    if (!samples || !order)
        return false;
    recorder->capacity = capacity;
    return true;
}

static void flush_samples(struct recorder *recorder);

static void take_sample(struct recorder *recorder, const struct sample *sample)
{
    if (recorder->count >= GATHER_SAMPLES)
        flush_samples(recorder);
    if (recorder->count == recorder->capacity && !grow(recorder)) {
        out_of_memory(recorder, 1);
        return;
    }
    if (recorder->count == 0 || sample->t_ns < recorder->oldest_ns)
        recorder->oldest_ns = sample->t_ns;
    recorder->samples[recorder->count++] = *sample;
}

static int encode(struct buffer *out, const struct engine_item *item)
{
    switch (item->kind) {
    case ENGINE_READY:
        return spool_record_ready(out, item->flow, item->end, item->t_ns);
    case ENGINE_REPORT:
        return spool_record_report(out, item->report);
    case ENGINE_PACKETS:
        return packets_record_encode(out, item->packets);
    case ENGINE_CAPTURED:
        return packets_record_report(out, item->captured);
    case ENGINE_SAMPLE:
        break; /* with others of its end, later */
    }
    return -1;
}

static bool keep(struct recorder *recorder, const struct engine_item *item)
{
    struct buffer *to = item->kind == ENGINE_REPORT ? &recorder->reports : &recorder->framed;
    struct buffer *record = &recorder->scratch;
    const bool kept =
        encode(record, item) == 0 && segment_frame(to, record->data, record->size) == 0;
    buffer_clear(record);
    return kept;
}

/* No run begins or is complete without what is told once of an end: so this waits for memory,
 * until the recorder is to go.  Packets, of which there are many, are lost. */
static bool insist(struct recorder *recorder, const struct engine_item *item)
{
    struct pollfd quit = {.fd = recorder->quit_fd, .events = POLLIN};
    while (!keep(recorder, item)) {
        out_of_memory(recorder, 0);
        if (item->kind == ENGINE_PACKETS || poll(&quit, 1, RETRY_MS) > 0)
            return false;
    }
    return true;
}

static void take(void *arg, const struct engine_item *item)
{
    struct recorder *recorder = arg;
    if (item->kind == ENGINE_SAMPLE)
        take_sample(recorder, item->sample);
    else if (insist(recorder, item) && item->kind == ENGINE_REPORT)
        recorder->reports_seen++;
}

/* ---- putting out ---- */

static int by_end_and_time(const void *a, const void *b)
{
    const struct sample *x = *(const struct sample *const *)a;
    const struct sample *y = *(const struct sample *const *)b;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->t_ns > y->t_ns) - (x->t_ns < y->t_ns);
}

static bool one_record(const struct sample *x, const struct sample *y)
{
    return x->flow == y->flow && x->end == y->end && x->info_length == y->info_length &&
           x->cc_length == y->cc_length;
}

/* Moves the gathered samples, by end, behind the framed records. */
static void flush_samples(struct recorder *recorder)
{
    const struct sample **order = recorder->order;
    struct buffer *record = &recorder->scratch;
    if (!recorder->count)
        return;
    for (size_t i = 0; i < recorder->count; i++)
        order[i] = &recorder->samples[i];
    qsort(order, recorder->count, sizeof(*order), by_end_and_time);
    for (size_t first = 0, next; first < recorder->count; first = next) {
        for (next = first + 1; next < recorder->count && next - first < SPOOL_ROWS_MAX &&
                               one_record(order[first], order[next]);)
            next++;
        if (spool_record_samples(record, &order[first], next - first) ||
            segment_frame(&recorder->framed, record->data, record->size))
            out_of_memory(recorder, next - first);
        buffer_clear(record);
    }
    recorder->count = 0;
}

static void put_out(struct recorder *recorder)
{
    if (recorder->framed.size && recorder->sink.append(recorder->sink.arg, &recorder->framed))
        buffer_clear(&recorder->framed);
}

static void finish(struct recorder *recorder)
{
    if (recorder->finished || recorder->reports.size || recorder->framed.size ||
        recorder->reports_seen < atomic_load(&recorder->expected) ||
        engine_is_capturing(recorder->engine))
        return;
    recorder->finished = true;
    recorder->sink.finished(recorder->sink.arg);
}

static void flush(struct recorder *recorder, bool all)
{
    bool old = recorder->count && clock_now() - recorder->oldest_ns >= GATHER_NS;
    if (all || old || recorder->reports.size) {
        flush_samples(recorder);
        if (recorder->reports.size &&
            buffer_append(&recorder->framed, recorder->reports.data, recorder->reports.size) == 0)
            buffer_clear(&recorder->reports);
    }
    put_out(recorder);
    finish(recorder);
}

/* How long to wait in ms for what no descriptor tells of: the gathered samples' age, the end. */
static int patience(const struct recorder *recorder)
{
    const bool ending = atomic_load(&recorder->expected) != UINT64_MAX && !recorder->finished;
    const int idle = recorder->framed.size || ending ? 100 : 1000;
    if (!recorder->count)
        return idle;
    const int64_t left = recorder->oldest_ns + GATHER_NS - clock_now();
    if (left <= 0)
        return 0;
    const int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
    return ms < idle ? (int)ms : idle;
}

static void *record(void *arg)
{
    struct recorder *recorder = arg;
    struct pollfd fds[2] = {
        {.fd = engine_wait_fd(recorder->engine), .events = POLLIN},
        {.fd = recorder->quit_fd, .events = POLLIN},
    };
    struct watched watched = {0};
    watchdog_add(recorder->sink.watchdog, &watched, "a recorder", WATCH_NS);
    while (!(fds[1].revents & POLLIN)) {
        watch_idle(&watched);
        poll(fds, 2, patience(recorder));
        watch_busy(&watched, "the spool", clock_now());
        engine_take(recorder->engine, take, recorder);
        flush(recorder, false);
    }
    engine_take(recorder->engine, take, recorder);
    flush(recorder, true);
    watchdog_remove(recorder->sink.watchdog, &watched);
    return NULL;
}

/* ---- life ---- */

int recorder_create(struct recorder **out, struct engine *engine, const struct recorder_sink *sink,
                    struct error *err)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    recorder->engine = engine;
    recorder->sink = *sink;
    atomic_init(&recorder->expected, UINT64_MAX);
    recorder->quit_fd = eventfd(0, EFD_CLOEXEC);
    int failed =
        recorder->quit_fd < 0 ? errno : pthread_create(&recorder->thread, NULL, record, recorder);
    if (failed) {
        if (recorder->quit_fd >= 0)
            close(recorder->quit_fd);
        free(recorder);
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL, "cannot start the recorder");
    }
    *out = recorder;
    return 0;
}

void recorder_expect(struct recorder *recorder, uint64_t ends)
{
    atomic_store(&recorder->expected, ends);
}

void recorder_destroy(struct recorder *recorder)
{
    if (!recorder)
        return;
    uint64_t one = 1;
    ssize_t wrote = write(recorder->quit_fd, &one, sizeof one);
    (void)wrote; /* an eventfd that is not full takes it */
    pthread_join(recorder->thread, NULL);
    close(recorder->quit_fd);
    free(recorder->samples);
    free(recorder->order);
    buffer_fini(&recorder->framed);
    buffer_fini(&recorder->reports);
    buffer_fini(&recorder->scratch);
    free(recorder);
}
