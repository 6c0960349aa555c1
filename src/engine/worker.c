/* A worker's thread, and what the control thread may ask of it. */
#include "engine/worker.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "engine/sampler.h"
#include "util/clock.h"
#include "util/signals.h"

#define PUBLISH_NS (100 * NS_PER_MS) /* see recorder.c: less than samples are gathered for */
#define RETRY_NS   (10 * NS_PER_MS)  /* when the recorder is behind */
#define WATCH_NS   (3 * NS_PER_S)    /* a round lasts no longer, or the watchdog tells */

/* ---- In the thread ---- */

static int by_flow(const void *a, const void *b)
{
    const struct end_spec *x = &((const struct end *)a)->spec;
    const struct end_spec *y = &((const struct end *)b)->spec;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    return (int)x->end - (int)y->end;
}

static int by_token(const void *a, const void *b)
{
    return memcmp(((const struct end *)a)->spec.token, ((const struct end *)b)->spec.token,
                  TOKEN_SIZE);
}

static int token_of(const void *token, const void *end)
{
    return memcmp(token, ((const struct end *)end)->spec.token, TOKEN_SIZE);
}

struct end *worker_find_token(const struct worker *worker, const uint8_t token[TOKEN_SIZE])
{
    struct end *const *found = tfind(token, &worker->by_token, token_of);
    return found ? *found : NULL;
}

void worker_owe(struct end *end)
{
    if (end->in_debt)
        return;
    end->in_debt = true;
    TAILQ_INSERT_TAIL(&end->worker->debtors, end, in_debts);
}

static void pay_debts(struct worker *worker)
{
    struct end *end;
    while ((end = TAILQ_FIRST(&worker->debtors)) && end_pay(end)) {
        end->in_debt = false;
        TAILQ_REMOVE(&worker->debtors, end, in_debts);
    }
}

static void publish_totals(struct worker *worker)
{
    atomic_store_explicit(&worker->totals.ends_over, worker->ends_over, memory_order_relaxed);
    atomic_store_explicit(&worker->totals.received, worker->received, memory_order_relaxed);
    atomic_store_explicit(&worker->totals.sent, worker->sent, memory_order_relaxed);
}

/* What is urgent is handed over at once, the rest when a block is full or has waited. */
static void publish(struct worker *worker, int64_t now_ns)
{
    const bool waited = now_ns >= worker->publish_ns;
    outbox_publish(&worker->outbox, !waited);
    if (waited) {
        worker->publish_ns = now_ns + PUBLISH_NS;
        eventfd_write(worker->setup->recorder_fd, 1);
    }
}

static int64_t do_round(void *context, int64_t now_ns)
{
    struct worker *worker = context;
    end_connect_queued(worker);
    int64_t due = sampler_slice(worker, now_ns);
    pay_debts(worker);
    publish_totals(worker);
    publish(worker, now_ns);
    if (worker->ends_over < worker->end_count && worker->publish_ns < due)
        due = worker->publish_ns;
    if ((worker->outbox.urgent || !TAILQ_EMPTY(&worker->debtors)) && now_ns + RETRY_NS < due)
        due = now_ns + RETRY_NS;
    if (!TAILQ_EMPTY(&worker->queued) && worker->connecting < worker->setup->connecting_max)
        due = now_ns;
    worker->loop.quit = worker->leaving && !worker->held;
    return worker->loop.quit ? now_ns : due;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    prctl(PR_SET_NAME, "flow-worker");
    prctl(PR_SET_TIMERSLACK, 1);
    if (worker->cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((unsigned)worker->cpu, &cpus);
        pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    }
    usage_open(&worker->usage);
    watchdog_add(worker->setup->watchdog, &worker->loop.watched, "a worker", WATCH_NS);
    loop_run(&worker->loop, do_round);
    watchdog_remove(worker->setup->watchdog, &worker->loop.watched);
    usage_close(&worker->usage);
    return NULL;
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

/* Makes the end known by what a connection will show.  Returns the port, or an error. */
static int admit_accepting(struct worker *worker, struct end *end, struct error *err)
{
    if (end->spec.no_token)
        return reception_prepare(worker, end, err);
    if (tfind(end, &worker->by_token, by_token))
        return error_set(err, ERROR_FLOW, NULL, "another flow has the same token");
    if (!tsearch(end, &worker->by_token, by_token))
        return out_of_memory(err);
    const int port = reception_prepare(worker, end, err);
    if (port < 0)
        tdelete(end, &worker->by_token, by_token);
    return port;
}

/* Leaves nothing behind if it fails. */
static int admit(struct worker *worker, struct end *end, uint16_t *port, struct error *err)
{
    const size_t ends = worker->end_count + 1;
    const size_t paced = worker->paced_halves + pacing_timers(&end->spec);
    /* A timer of each kind an end; the listeners', and the reception's. */
    if (loop_reserve(&worker->loop, ends + paced + worker->reception.listener_count + 2) < 0 ||
        outbox_reserve(&worker->outbox, ends) < 0)
        return out_of_memory(err);
    if (tfind(end, &worker->by_flow, by_flow))
        return error_set(err, ERROR_FLOW, NULL, "this end of the flow was prepared already");
    if (!tsearch(end, &worker->by_flow, by_flow))
        return out_of_memory(err);
    const int listening = end->spec.end == END_DST ? admit_accepting(worker, end, err) : 0;
    if (listening < 0) {
        tdelete(end, &worker->by_flow, by_flow);
        return listening;
    }
    *port = (uint16_t)listening;
    TAILQ_INSERT_TAIL(&worker->ends, end, in_worker);
    worker->end_count = ends;
    worker->paced_halves = paced;
    end_admit(end);
    return 0;
}

static int admit_all(void *context, void *arg)
{
    struct worker *worker = context;
    struct admission *admission = arg;
    for (size_t i = 0; i < admission->count; i++) {
        struct end *end = admission->ends[i];
        struct error err;
        if (!end || end->worker != worker)
            continue;
        const int failed = admit(worker, end, &admission->answers[i].port, &err);
        if (!failed)
            continue;
        admission->no_port[i] = failed == RECEPTION_NO_PORT;
        if (!admission->no_port[i])
            error_add_line(admission->answers[i].error, &err);
        end_free(end);
        admission->ends[i] = NULL;
    }
    atomic_store_explicit(&worker->totals.ends, worker->end_count, memory_order_relaxed);
    return 0;
}

static int stop_all(void *context, void *arg)
{
    (void)arg;
    struct worker *worker = context;
    struct end *end;
    TAILQ_FOREACH(end, &worker->ends, in_worker)
    {
        end_stop(end);
    }
    /* At once: who stops an engine may destroy it before the next round. */
    pay_debts(worker);
    outbox_publish(&worker->outbox, false);
    return 0;
}

static int leave(void *context, void *arg)
{
    (void)arg;
    struct worker *worker = context;
    struct end *end;
    worker->leaving = true;
    TAILQ_FOREACH(end, &worker->ends, in_worker)
    {
        end_hurry(end);
    }
    return 0;
}

/* ---- In the control thread ---- */

void worker_admit(struct worker *worker, struct admission *admission)
{
    loop_call(&worker->loop, admit_all, admission);
}

void worker_set_axis(struct worker *worker, const struct axis *axis)
{
    loop_post_axis(&worker->loop, axis);
}

void worker_stop(struct worker *worker)
{
    loop_post(&worker->loop, &worker->stop);
}

static int nothing(void *context, void *arg)
{
    (void)context;
    (void)arg;
    return 0;
}

void worker_await(struct worker *worker)
{
    loop_call(&worker->loop, nothing, NULL);
}

static int map_discard(struct worker *worker, struct error *err)
{
    void *discard = mmap(NULL, worker->setup->read_size, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (discard == MAP_FAILED)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot map the sinks' block");
    worker->discard = discard;
    return 0;
}

static int start_thread(struct worker *worker, struct error *err)
{
    const int failed = signals_spare_thread(&worker->thread, work, worker);
    if (failed)
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL, "cannot start a worker thread");
    worker->has_thread = true;
    return 0;
}

int worker_create(struct worker **out, const struct worker_setup *setup, int cpu, struct error *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return out_of_memory(err);
    worker->setup = setup;
    worker->cpu = cpu;
    worker->stop.run = stop_all;
    TAILQ_INIT(&worker->ends);
    TAILQ_INIT(&worker->sampled);
    TAILQ_INIT(&worker->queued);
    TAILQ_INIT(&worker->debtors);
    outbox_init(&worker->outbox, setup->recorder_fd);
    int failed = loop_init(&worker->loop, worker, err);
    if (failed) {
        free(worker);
        return failed;
    }
    failed = reception_init(&worker->reception, setup, err);
    if (!failed)
        failed = map_discard(worker, err);
    if (!failed)
        failed = ecn_create(&worker->ecn, setup->ecn, err);
    if (!failed)
        failed = start_thread(worker, err);
    if (failed) {
        worker_destroy(worker);
        return failed;
    }
    *out = worker;
    return 0;
}

static void keep_end(void *end)
{
    (void)end; /* the trees only refer to ends */
}

void worker_leave(struct worker *worker)
{
    if (worker->has_thread && !worker->told_to_leave)
        loop_call(&worker->loop, leave, NULL);
    worker->told_to_leave = true;
}

void worker_destroy(struct worker *worker)
{
    if (!worker)
        return;
    worker_leave(worker);
    if (worker->has_thread)
        pthread_join(worker->thread, NULL);
    if (worker->discard)
        munmap(worker->discard, worker->setup->read_size);
    tdestroy(worker->by_flow, keep_end);
    tdestroy(worker->by_token, keep_end);
    struct end *end;
    while ((end = TAILQ_FIRST(&worker->ends))) {
        TAILQ_REMOVE(&worker->ends, end, in_worker);
        end_free(end);
    }
    reception_fini(&worker->reception);
    ecn_destroy(worker->ecn);
    outbox_fini(&worker->outbox);
    loop_fini(&worker->loop);
    free(worker);
}
