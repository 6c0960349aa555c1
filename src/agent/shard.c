#include "agent/shard.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/shard_wire.h"
#include "format/message.h"
#include "format/spool_record.h"
#include "proto/shard.pb-c.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/number_map.h"
#include "util/self_spawn.h"
#include "util/waking.h"

#define ANSWER_NS  (30 * NS_PER_S) /* a master waits longer */
#define GOODBYE_NS (10 * NS_PER_S)
#define SLICE_NS   (250 * NS_PER_MS)

struct shard {
    pid_t pid;
    int fd, its_fd;
    struct spool *spool;
    int64_t asked_ns, dismissed_ns; /* what it is given so much time for */
    atomic_bool dismissed;
    pthread_t reader;
    bool has_reader;
    /* between threads */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool tried;                     /* to start the process */
    int not_started;                /* the reason; 0: it runs */
    bool finished;                  /* it said so */
    bool ended;                     /* its process */
    bool reaped;                    /* its pid may be another's */
    char why[256];                  /* it ended, as far as is known */
    Tcpflowgen__ShardReply *answer; /* to shard_ask() */
    struct engine_totals totals;
    struct own_end *ends; /* that were prepared */
    size_t end_count, end_capacity;
    struct number_map places; /* in ends, by flow * 2 + end */
};

struct own_end {
    uint32_t flow;
    enum flow_end end;
    bool open; /* no report seen */
    struct spool_ticks ticks;
};

/* ---- which ends are open; with the lock ---- */

static uint32_t key_of(uint32_t flow, enum flow_end end)
{
    return flow * 2 + end;
}

/* NULL: it is not of this shard. */
static struct own_end *find_end(struct shard *shard, uint32_t flow, enum flow_end end)
{
    uint32_t place;
    return number_map_get(&shard->places, key_of(flow, end), &place) ? &shard->ends[place] : NULL;
}

static bool make_room(struct shard *shard)
{
    if (shard->ends && shard->end_count < shard->end_capacity)
        return true;
    size_t capacity = shard->end_capacity ? shard->end_capacity * 2 : 64;
    struct own_end *ends = reallocarray(shard->ends, capacity, sizeof *ends);
    if (!ends)
        return false;
    shard->ends = ends;
    shard->end_capacity = capacity;
    return true;
}

static bool set_open(struct shard *shard, uint32_t flow, enum flow_end end)
{
    struct own_end *known = find_end(shard, flow, end);
    if (known) {
        known->open = true;
        return true;
    }
    if (!make_room(shard) ||
        number_map_set(&shard->places, key_of(flow, end), (uint32_t)shard->end_count))
        return false;
    shard->ends[shard->end_count++] = (struct own_end){.flow = flow, .end = end, .open = true};
    return true;
}

static void close_end(struct shard *shard, uint32_t flow, enum flow_end end)
{
    struct own_end *own = find_end(shard, flow, end);
    if (own)
        own->open = false;
}

/* ---- the reader ---- */

/* Waits for memory, if there is none, but not for longer than this is of use to anybody. */
static void append(struct shard *shard, const struct buffer *framed)
{
    const struct timespec moment = {.tv_nsec = 10 * NS_PER_MS};
    while (!spool_append(shard->spool, framed) && !atomic_load(&shard->dismissed))
        nanosleep(&moment, NULL);
}

static void take_notes(struct shard *shard, const struct buffer *framed)
{
    struct spool_head head;
    const uint8_t *record;
    size_t size;
    for (size_t at = 0; segment_unframe(framed, &at, &record, &size);) {
        if (spool_record_head(record, size, &head, NULL))
            continue;
        struct own_end *own = find_end(shard, head.flow, head.end);
        if (own && head.kind == SPOOL_REPORT)
            own->open = false;
        else if (own && head.kind == SPOOL_SAMPLES)
            spool_record_ticks(record, size, &own->ticks);
    }
}

static void take_records(struct shard *shard, const ProtobufCBinaryData *records)
{
    const struct buffer framed = {.data = records->data, .size = records->len};
    pthread_mutex_lock(&shard->lock);
    take_notes(shard, &framed);
    pthread_mutex_unlock(&shard->lock);
    append(shard, &framed);
}

/* Takes the reply over. */
static void take_reply(struct shard *shard, Tcpflowgen__ShardReply *reply)
{
    if (reply->records.len)
        take_records(shard, &reply->records);
    if (reply->failure[0])
        spool_fail(shard->spool, reply->failure, reply->samples_lost);
    pthread_mutex_lock(&shard->lock);
    if (reply->failure[0])
        snprintf(shard->why, sizeof shard->why, "%s", reply->failure);
    if (reply->totals)
        shard->totals = (struct engine_totals){
            .ends = reply->totals->ends,
            .ends_over = reply->totals->ends_over,
            .received_bytes = reply->totals->received_bytes,
            .sent_bytes = reply->totals->sent_bytes,
        };
    bool finished = shard->finished = shard->finished || reply->finished;
    if (reply->prepared && !shard->answer) {
        shard->answer = reply;
        reply = NULL;
        pthread_cond_signal(&shard->changed);
    }
    pthread_mutex_unlock(&shard->lock);
    if (reply)
        tcpflowgen__shard_reply__free_unpacked(reply, NULL);
    if (finished)
        spool_nudge(shard->spool);
}

/* With the lock.  Only now another process may get its pid. */
static void reap(struct shard *shard)
{
    int status = 0;
    waitpid(shard->pid, &status, 0);
    shard->reaped = true;
    if (shard->why[0])
        return;
    if (WIFSIGNALED(status))
        snprintf(shard->why, sizeof shard->why, "killed by SIG%s",
                 sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    else
        snprintf(shard->why, sizeof shard->why, "exit status %d", WEXITSTATUS(status));
}

/* With the lock: reports of the ends that are open. */
static void write_off(struct shard *shard, struct buffer *framed)
{
    struct buffer record = {0};
    for (size_t i = 0; i < shard->end_count; i++) {
        struct own_end *own = &shard->ends[i];
        struct end_report report = {
            .flow = own->flow, .end = own->end, .status = END_FAILED, .cpu = -1};
        if (!own->open)
            continue;
        own->open = false;
        snprintf(report.error, sizeof report.error, "the worker process ended: %.200s", shard->why);
        spool_ticks_report(&own->ticks, &report);
        if (spool_record_report(&record, &report) ||
            segment_frame(framed, record.data, record.size))
            spool_fail(shard->spool, "out of memory", 0);
        buffer_clear(&record);
    }
    buffer_fini(&record);
}

static void bury(struct shard *shard)
{
    struct buffer framed = {0};
    siginfo_t info;
    shutdown(shard->fd, SHUT_RDWR); /* after nonsense it still is there */
    waitid(P_PID, (id_t)shard->pid, &info, WEXITED | WNOWAIT);
    pthread_mutex_lock(&shard->lock);
    reap(shard);
    write_off(shard, &framed);
    pthread_mutex_unlock(&shard->lock);
    if (framed.size)
        append(shard, &framed);
    buffer_fini(&framed);

    pthread_mutex_lock(&shard->lock);
    shard->ended = true;
    shard->totals.ends_over = shard->totals.ends;
    pthread_cond_signal(&shard->changed);
    pthread_mutex_unlock(&shard->lock);
    spool_nudge(shard->spool);
}

/* The process dies with the thread that started it (PR_SET_PDEATHSIG): this one, which stays until
 * that has ended. */
static bool start_process(struct shard *shard)
{
    const char *const argv[] = {"tcp-flowgen", "shard", NULL};
    pthread_mutex_lock(&shard->lock);
    shard->not_started = self_spawn(&shard->pid, argv, shard->its_fd);
    shard->tried = true;
    close(shard->its_fd);
    pthread_cond_signal(&shard->changed);
    pthread_mutex_unlock(&shard->lock);
    return !shard->not_started;
}

static void *read_replies(void *arg)
{
    struct shard *shard = arg;
    struct buffer scratch = {0};
    ProtobufCMessage *message;
    if (!start_process(shard))
        return NULL;
    while (shard_wire_receive(shard->fd, &tcpflowgen__shard_reply__descriptor, &scratch, &message) >
           0)
        take_reply(shard, (Tcpflowgen__ShardReply *)message);
    buffer_fini(&scratch);
    bury(shard);
    return NULL;
}

/* ---- requests ---- */

static void put_down(struct shard *shard)
{
    pthread_mutex_lock(&shard->lock);
    if (!shard->reaped)
        kill(shard->pid, SIGKILL);
    pthread_mutex_unlock(&shard->lock);
}

static void request(struct shard *shard, const Tcpflowgen__ShardRequest *message)
{
    if (shard_wire_send(shard->fd, &message->base))
        put_down(shard); /* half a message may have been sent */
}

/* With the lock.  Waits for an answer, or only for the end; for so long as this process runs. */
static void await(struct shard *shard, bool answer, int64_t deadline)
{
    struct waking waking = {.seen_ns = clock_now()};
    while (!shard->ended && !(answer && shard->answer)) {
        const int64_t until = clock_now() + SLICE_NS;
        const struct timespec due = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
        pthread_cond_clockwait(&shard->changed, &shard->lock, CLOCK_MONOTONIC, &due);
        const int64_t now = clock_now();
        waking_come_round(&waking, now, until);
        if (waking_time(&waking, now) >= deadline)
            return;
    }
}

static int is_gone(const struct shard *shard, struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "a worker process ended: %s", shard->why);
}

static int open_all(struct shard *shard, struct end_spec *const *specs, size_t count,
                    struct error *err)
{
    int failed = 0;
    pthread_mutex_lock(&shard->lock);
    if (shard->ended)
        failed = is_gone(shard, err);
    for (size_t i = 0; !failed && i < count; i++)
        if (!set_open(shard, specs[i]->flow, specs[i]->end))
            failed = error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    pthread_mutex_unlock(&shard->lock);
    return failed;
}

int shard_ask(struct shard *shard, struct end_spec *const *specs, size_t count, struct error *err)
{
    CLEANUP_FREE Tcpflowgen__EndSpec *messages = calloc(count + 1, sizeof *messages);
    CLEANUP_FREE Tcpflowgen__EndSpec **pointers = calloc(count + 1, sizeof(*pointers));
    if (!messages || !pointers)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    /* Before they are prepared: a report may overtake the answer. */
    int failed = open_all(shard, specs, count, err);
    if (failed)
        return failed;
    for (size_t i = 0; i < count; i++) {
        message_from_end_spec(&messages[i], specs[i]);
        pointers[i] = &messages[i];
    }
    shard->asked_ns = clock_now();
    Tcpflowgen__PrepareRequest prepare = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    prepare.ends = pointers;
    prepare.n_ends = count;
    Tcpflowgen__ShardRequest message = TCPFLOWGEN__SHARD_REQUEST__INIT;
    message.prepare = &prepare;
    request(shard, &message);
    return 0;
}

static void take_answer(struct shard *shard, const Tcpflowgen__PrepareReply *prepared,
                        struct end_ready *const *answers)
{
    for (size_t i = 0; i < prepared->n_ends; i++) {
        const Tcpflowgen__EndReady *ready = prepared->ends[i];
        struct end_ready *answer = answers[i];
        *answer = (struct end_ready){
            .flow = ready->flow,
            .end = (enum flow_end)ready->end,
            .runs = ready->runs,
            .port = (uint16_t)ready->port,
        };
        snprintf(answer->error, sizeof answer->error, "%s", ready->error);
        if (!ready->runs)
            close_end(shard, answer->flow, answer->end);
    }
}

int shard_answer(struct shard *shard, struct end_ready *const *answers, size_t count,
                 struct error *err)
{
    int failed = 0;
    pthread_mutex_lock(&shard->lock);
    await(shard, true, shard->asked_ns + ANSWER_NS);
    Tcpflowgen__ShardReply *reply = shard->answer;
    shard->answer = NULL;
    if (reply && reply->prepared->n_ends == count)
        take_answer(shard, reply->prepared, answers);
    else if (shard->ended)
        failed = is_gone(shard, err);
    else
        failed = error_set(err, ERROR_SYSTEM, NULL, "a worker process does not answer");
    pthread_mutex_unlock(&shard->lock);
    if (reply)
        tcpflowgen__shard_reply__free_unpacked(reply, NULL);
    if (failed)
        put_down(shard);
    return failed;
}

static void send_axis(struct shard *shard, const struct axis *axis, bool start)
{
    Tcpflowgen__Axis message;
    message_from_axis(&message, axis);
    Tcpflowgen__ShardRequest order = TCPFLOWGEN__SHARD_REQUEST__INIT;
    order.start = start ? &message : NULL;
    order.adjust = start ? NULL : &message;
    request(shard, &order);
}

void shard_start(struct shard *shard, const struct axis *axis)
{
    send_axis(shard, axis, true);
}

/* One that does not read just now is not waited for: the next mapping comes in a second. */
void shard_adjust(struct shard *shard, const struct axis *axis)
{
    if (shard_wire_has_room(shard->fd))
        send_axis(shard, axis, false);
}

void shard_stop(struct shard *shard)
{
    Tcpflowgen__ShardRequest message = TCPFLOWGEN__SHARD_REQUEST__INIT;
    message.stop = true;
    request(shard, &message);
}

struct engine_totals shard_totals(struct shard *shard)
{
    pthread_mutex_lock(&shard->lock);
    struct engine_totals totals = shard->totals;
    pthread_mutex_unlock(&shard->lock);
    return totals;
}

pid_t shard_pid(const struct shard *shard)
{
    return shard->pid;
}

bool shard_is_over(struct shard *shard)
{
    pthread_mutex_lock(&shard->lock);
    bool over = shard->finished || shard->ended;
    pthread_mutex_unlock(&shard->lock);
    return over;
}

/* ---- life ---- */

static void set_up(struct shard *shard, const struct engine_options *options)
{
    Tcpflowgen__ShardSetup setup = TCPFLOWGEN__SHARD_SETUP__INIT;
    setup.run = (char *)options->run;
    setup.part = options->part;
    setup.parts = options->parts;
    setup.workers = options->workers;
    setup.port_first = options->port_first;
    setup.port_last = options->port_last;
    setup.interval_ns = options->interval_ns;
    setup.lead_ns = options->lead_ns;
    setup.read_size = options->read_size;
    setup.write_size = options->write_size;
    if (options->has_flow_key)
        setup.flow_key = (ProtobufCBinaryData){FLOW_KEY_SIZE, (uint8_t *)options->flow_key};
    Tcpflowgen__ShardRequest message = TCPFLOWGEN__SHARD_REQUEST__INIT;
    message.setup = &setup;
    request(shard, &message);
}

static int spawn(struct shard *shard, struct error *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make a socket pair");
    shard->fd = fds[0];
    shard->its_fd = fds[1];
    shard_wire_bound(shard->fd, SHARD_WIRE_NS);
    int failed = pthread_create(&shard->reader, NULL, read_replies, shard);
    if (failed) {
        close(shard->its_fd);
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL,
                               "cannot start a thread for a shard");
    }
    pthread_mutex_lock(&shard->lock);
    while (!shard->tried)
        pthread_cond_wait(&shard->changed, &shard->lock);
    pthread_mutex_unlock(&shard->lock);
    shard->has_reader = !shard->not_started;
    if (shard->has_reader)
        return 0;
    pthread_join(shard->reader, NULL);
    return error_set_errno(err, ERROR_SYSTEM, shard->not_started, NULL,
                           "cannot start a worker process");
}

int shard_create(struct shard **out, const struct engine_options *options, struct spool *spool,
                 struct error *err)
{
    struct shard *shard = calloc(1, sizeof *shard);
    if (!shard)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    shard->fd = -1;
    shard->spool = spool;
    pthread_mutex_init(&shard->lock, NULL);
    pthread_cond_init(&shard->changed, NULL);
    int failed = spawn(shard, err);
    if (failed) {
        shard_destroy(shard);
        return failed;
    }
    set_up(shard, options);
    *out = shard;
    return 0;
}

void shard_dismiss(struct shard *shard)
{
    shard->dismissed_ns = clock_now();
    atomic_store(&shard->dismissed, true);
    shutdown(shard->fd, SHUT_WR);
}

void shard_destroy(struct shard *shard)
{
    if (!shard)
        return;
    if (shard->has_reader) {
        pthread_mutex_lock(&shard->lock);
        await(shard, false, shard->dismissed_ns + GOODBYE_NS);
        pthread_mutex_unlock(&shard->lock);
        put_down(shard);
        pthread_join(shard->reader, NULL);
    }
    if (shard->answer)
        tcpflowgen__shard_reply__free_unpacked(shard->answer, NULL);
    if (shard->fd >= 0)
        close(shard->fd);
    pthread_cond_destroy(&shard->changed);
    pthread_mutex_destroy(&shard->lock);
    free(shard->ends);
    number_map_fini(&shard->places);
    free(shard);
}
