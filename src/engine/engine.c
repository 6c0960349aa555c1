/* The engine's outside: checks what it is asked for, and spreads it over the workers. */
#include "engine/engine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/capture.h"
#include "engine/ecn.h"
#include "engine/ecn_guardian.h"
#include "engine/preflight.h"
#include "engine/worker.h"
#include "util/cleanup.h"

#define WORKERS_MAX 256u
#define SIZE_MAX_IO (64u << 20) /* of a read or write */
#define BACKLOG     4096u       /* the kernel's net.core.somaxconn, if it cannot be read */
#define SPARE_FDS   256u        /* for strangers at data ports, listeners, taps, files */

struct engine {
    struct worker_setup setup;
    struct worker **workers;
    unsigned worker_count;
    struct capture *capture;
    size_t descriptors, other_descriptors; /* that ends may use, and others */
    size_t ends;                           /* prepared */
    bool started;
};

static int check_options(const struct engine_options *options, struct error *err)
{
    if (options->interval_ns < INTERVAL_MIN_NS)
        return error_set(err, ERROR_SYSTEM, NULL, "the sampling interval is under 1 ms");
    if (options->read_size > SIZE_MAX_IO || options->write_size > SIZE_MAX_IO)
        return error_set(err, ERROR_SYSTEM, NULL, "read or write size is over 64 MiB");
    if (options->port_first > options->port_last || (!options->port_first && options->port_last))
        return error_set(err, ERROR_SYSTEM, NULL, "data ports %u-%u are no range",
                         options->port_first, options->port_last);
    if (options->lead_ns < 0 || options->lead_ns > INT64_MAX / 4)
        return error_set(err, ERROR_SYSTEM, NULL, "the lead is out of range");
    if (options->workers > WORKERS_MAX)
        return error_set(err, ERROR_SYSTEM, NULL, "more than %u workers", WORKERS_MAX);
    if (options->part && options->part >= options->parts)
        return error_set(err, ERROR_SYSTEM, NULL, "part %u of %u", options->part, options->parts);
    return 0;
}

/* As many descriptors as may be; returns how many. */
static size_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

size_t engine_ends_max(size_t others)
{
    const size_t descriptors = raise_descriptors(), spare = SPARE_FDS + others;
    return descriptors > spare ? descriptors - spare : 0;
}

size_t engine_descriptors(size_t ends)
{
    return ends + SPARE_FDS;
}

static unsigned read_backlog(void)
{
    unsigned backlog = BACKLOG;
    CLEANUP_FCLOSE FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    if (!file || fscanf(file, "%u", &backlog) != 1)
        backlog = BACKLOG;
    return backlog;
}

/* Half of a listener's backlog, shared by the workers: late accepts cost SYN retransmits. */
static unsigned share_backlog(unsigned workers)
{
    const unsigned share = workers ? read_backlog() / 2 / workers : 0;
    return share ? share : 1;
}

static int setup_init(struct worker_setup *setup, const struct engine_options *options,
                      struct error *err)
{
    *setup = (struct worker_setup){
        .port_first = options->port_first,
        .port_last = options->port_last,
        .interval_ns = options->interval_ns,
        .lead_ns = options->lead_ns,
        .read_size = options->read_size ? options->read_size : ENGINE_READ_SIZE,
        .write_size = options->write_size ? options->write_size : ENGINE_WRITE_SIZE,
        .watchdog = options->watchdog,
        .recorder_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .has_flow_key = options->has_flow_key,
    };
    memcpy(setup->flow_key, options->flow_key, FLOW_KEY_SIZE);
    if (setup->recorder_fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make an eventfd");
    /* Zeros that are never written are one physical page: it stays in the first cache. */
    void *payload =
        mmap(NULL, setup->write_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (payload == MAP_FAILED)
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "no memory for the payload");
    setup->payload = payload;
    return ecn_setup_create(&setup->ecn, options->guarded ? ECN_GUARDIAN_PROGRAM : NULL, err);
}

/* Which of the run's workers are this engine's. */
struct share {
    unsigned first, count, total;
};

static struct share share_workers(const struct engine_options *options, unsigned cpu_count)
{
    const unsigned parts = options->parts ? options->parts : 1;
    const unsigned ports = options->port_last - options->port_first + 1u;
    unsigned total = options->workers ? options->workers : cpu_count ? cpu_count : 1;
    if (options->port_first && total > ports)
        total = ports; /* each listens on its own */
    struct share share = {.first = options->part * total / parts};
    share.count = (options->part + 1) * total / parts - share.first;
    if (share.count == 0)
        share.count = 1;
    share.total = total > parts ? total : parts;
    return share;
}

/* The nth of the CPUs, which come round again. */
static int nth_cpu(const cpu_set_t *cpus, unsigned n)
{
    int cpu = -1;
    for (unsigned left = n % (unsigned)CPU_COUNT(cpus) + 1; left;)
        left -= CPU_ISSET((unsigned)++cpu, cpus) ? 1 : 0;
    return cpu;
}

static int start_workers(struct engine *engine, const struct engine_options *options,
                         struct error *err)
{
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) < 0)
        CPU_ZERO(&cpus);
    const unsigned cpu_count = (unsigned)CPU_COUNT(&cpus);
    const struct share share = share_workers(options, cpu_count);
    engine->setup.workers = share.total;
    engine->setup.connecting_max = share_backlog(share.total);
    engine->workers = calloc(share.count, sizeof(struct worker *));
    if (!engine->workers)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (unsigned i = 0; i < share.count; i++) {
        const bool pinned = cpu_count > 1 && !options->unpinned;
        const int cpu = pinned ? nth_cpu(&cpus, share.first + i) : -1;
        const int failed = worker_create(&engine->workers[i], &engine->setup, cpu, err);
        if (failed)
            return failed;
        engine->worker_count++;
    }
    return 0;
}

int engine_create(struct engine **out, const struct engine_options *options, struct error *err)
{
    int failed = check_options(options, err);
    if (failed)
        return failed;
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    engine->other_descriptors = options->other_descriptors;
    engine->descriptors = engine_ends_max(options->other_descriptors);
    failed = setup_init(&engine->setup, options, err);
    if (!failed)
        failed = capture_create(&engine->capture, engine->setup.recorder_fd, err);
    if (!failed)
        failed = start_workers(engine, options, err);
    if (failed) {
        engine_destroy(engine);
        return failed;
    }
    *out = engine;
    return 0;
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    for (unsigned i = 0; i < engine->worker_count; i++)
        worker_leave(engine->workers[i]);
    for (unsigned i = 0; i < engine->worker_count; i++)
        worker_destroy(engine->workers[i]);
    free(engine->workers);
    capture_destroy(engine->capture);
    ecn_setup_destroy(engine->setup.ecn);
    if (engine->setup.payload)
        munmap((void *)engine->setup.payload, engine->setup.write_size);
    if (engine->setup.recorder_fd >= 0)
        close(engine->setup.recorder_fd);
    free(engine);
}

/* The opening end's packets are heard from the first on; the accepting end's, once it was asked for
 * its proof, by its worker. */
static void open_tap(const struct engine *engine, const struct end_spec *spec, const char *device,
                     struct tap **tap, char problems[PROBLEMS_MAX])
{
    struct error err;
    if (spec->capture == CAPTURE_NONE)
        return;
    /* Where the end has no way out, any device tells whether there may be a capture. */
    const char *at = *problems && !*device ? "lo" : device;
    if (capture_open(engine->capture, spec, at, tap, &err))
        error_add_line(problems, &err);
    else if (spec->end == END_SRC)
        capture_aim(*tap, spec->peer_port);
}

/* Whether there is one for the end, the nth of so many. */
static bool has_descriptor(const struct engine *engine, size_t nth, size_t all,
                           char problems[PROBLEMS_MAX])
{
    struct error err;
    if (nth <= engine->descriptors)
        return true;
    error_set(&err, ERROR_SYSTEM, NULL,
              "too few descriptors: the run has %zu ends here, %zu can be open", all,
              engine->descriptors);
    error_cure(&err, "raise the limit of open files to %zu (ulimit -n)",
               engine_descriptors(all) + engine->other_descriptors);
    error_add_line(problems, &err);
    return false;
}

/* The end, if it may run; else NULL, and the answer has why. */
static struct end *prepare_end(const struct engine *engine, struct preflight *preflight,
                               const struct end_spec *spec, struct tap **tap,
                               struct end_ready *answer)
{
    struct socket_address peer;
    char device[DEVICE_MAX];
    preflight_check(preflight, spec, &peer, device, answer->error);
    open_tap(engine, spec, device, tap, answer->error);
    if (*answer->error || (spec->end == END_SRC && spec->peer_port == 0))
        return NULL;
    /* Both ends of a flow get the same worker, if both are here. */
    struct worker *worker = engine->workers[spec->flow % engine->worker_count];
    struct end *end = end_create(worker, spec, &peer, device);
    if (!end)
        snprintf(answer->error, sizeof answer->error, "out of memory");
    else
        end->tap = *tap;
    return end;
}

/* What became of an end and its tap, now that it was admitted or refused. */
static void settle(struct engine *engine, const struct end *end, struct tap *tap,
                   struct end_ready *answer)
{
    answer->runs = end != NULL;
    engine->ends += answer->runs;
    if (tap && !answer->runs)
        capture_cancel(tap);
}

/* Of the whole run: other processes have as many ends for each of their workers. */
static size_t ports_wanted(const struct engine *engine, const char *address)
{
    size_t count = 0;
    for (unsigned i = 0; i < engine->worker_count; i++)
        count += reception_ports_wanted(&engine->workers[i]->reception, address);
    return count * engine->setup.workers / engine->worker_count;
}

static void tell_no_port(const struct engine *engine, const struct end_spec *spec,
                         struct end_ready *answer)
{
    struct error err;
    const unsigned first = engine->setup.port_first, last = engine->setup.port_last;
    const unsigned there = last - first + 1;
    const size_t wanted = ports_wanted(engine, spec->local_address);
    const char *address = *spec->local_address ? spec->local_address : "any address";
    if (there < wanted)
        error_set(&err, ERROR_SYSTEM, NULL,
                  "the data ports %u-%u are %u port%s, and the flows need %zu on %s", first, last,
                  there, there == 1 ? "" : "s", wanted, address);
    else
        error_set(&err, ERROR_SYSTEM, NULL,
                  "too few of the data ports %u-%u are free on %s, where the flows need %zu", first,
                  last, address, wanted);
    error_cure(&err,
               "widen --data-ports so that so many are free: each worker needs one, and one more "
               "for each receive_buffer, mss and captured flow");
    error_add_line(answer->error, &err);
}

int engine_prepare(struct engine *engine, const struct end_spec *specs, size_t count,
                   struct end_ready *answers, struct error *err)
{
    struct preflight preflight = {.ecn = engine->setup.ecn};
    CLEANUP_FREE struct end **ends = calloc(count ? count : 1, sizeof(struct end *));
    CLEANUP_FREE struct tap **taps = calloc(count ? count : 1, sizeof(struct tap *));
    CLEANUP_FREE bool *no_port = calloc(count ? count : 1, sizeof *no_port);
    if (!ends || !taps || !no_port)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    const size_t before = engine->ends;
    for (size_t i = 0; i < count; i++) {
        answers[i] = (struct end_ready){.flow = specs[i].flow, .end = specs[i].end};
        if (has_descriptor(engine, before + i + 1, before + count, answers[i].error))
            ends[i] = prepare_end(engine, &preflight, &specs[i], &taps[i], &answers[i]);
    }
    struct admission admission = {
        .ends = ends, .answers = answers, .no_port = no_port, .count = count};
    for (unsigned i = 0; i < engine->worker_count; i++)
        worker_admit(engine->workers[i], &admission);
    for (size_t i = 0; i < count; i++) {
        if (no_port[i])
            tell_no_port(engine, &specs[i], &answers[i]);
        settle(engine, ends[i], taps[i], &answers[i]);
    }
    return 0;
}

int engine_start(struct engine *engine, const struct axis *axis, struct error *err)
{
    if (engine->started)
        return error_set(err, ERROR_SYSTEM, NULL, "the run was started already");
    engine->started = true;
    engine_adjust(engine, axis);
    return 0;
}

void engine_adjust(struct engine *engine, const struct axis *axis)
{
    for (unsigned i = 0; i < engine->worker_count; i++)
        worker_set_axis(engine->workers[i], axis);
}

void engine_stop(struct engine *engine)
{
    for (unsigned i = 0; i < engine->worker_count; i++)
        worker_stop(engine->workers[i]);
}

void engine_await(struct engine *engine)
{
    for (unsigned i = 0; i < engine->worker_count; i++)
        worker_await(engine->workers[i]);
}

int engine_wait_fd(const struct engine *engine)
{
    return engine->setup.recorder_fd;
}

/* Between the workers and the consumer: the taps are told of reports. */
struct passage {
    struct capture *capture;
    engine_consumer *consumer;
    void *arg;
};

static void pass(void *arg, const struct engine_item *item)
{
    const struct passage *passage = arg;
    if (item->kind == ENGINE_REPORT)
        capture_end_over(passage->capture, item->flow, item->end);
    passage->consumer(passage->arg, item);
}

void engine_take(struct engine *engine, engine_consumer *consumer, void *arg)
{
    struct passage passage = {engine->capture, consumer, arg};
    eventfd_t count;
    eventfd_read(engine->setup.recorder_fd, &count);
    for (unsigned i = 0; i < engine->worker_count; i++)
        outbox_take(&engine->workers[i]->outbox, pass, &passage);
    capture_take(engine->capture, consumer, arg);
}

bool engine_is_capturing(struct engine *engine)
{
    return capture_is_busy(engine->capture);
}

struct engine_totals engine_totals(const struct engine *engine)
{
    struct engine_totals sum = {0};
    for (unsigned i = 0; i < engine->worker_count; i++) {
        const struct worker *worker = engine->workers[i];
        sum.ends += atomic_load_explicit(&worker->totals.ends, memory_order_relaxed);
        sum.ends_over += atomic_load_explicit(&worker->totals.ends_over, memory_order_relaxed);
        sum.received_bytes += atomic_load_explicit(&worker->totals.received, memory_order_relaxed);
        sum.sent_bytes += atomic_load_explicit(&worker->totals.sent, memory_order_relaxed);
    }
    return sum;
}
