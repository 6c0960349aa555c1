#include "agent/run.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/host_sampler.h"
#include "agent/own_process.h"
#include "agent/recorder.h"
#include "agent/shards.h"
#include "agent/spool.h"
#include "agent/spool_place.h"
#include "format/spool_record.h"
#include "proto/agent.pb-c.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define PREPARE_MAX (64u << 20) /* bytes of all pieces of a run */

struct run {
    char id[RANDOM_ID_MAX];
    int64_t interval_ns;
    struct spool *spool;
    struct consent *consent;
    /* The ends are in this process, or in shards; neither once the run is over. */
    struct engine *engine;
    struct recorder *recorder;
    atomic_bool recorded; /* every end's report */
    struct shards *shards;
    uint64_t ends;        /* prepared in this process */
    uint64_t asked_for;   /* ends in all, */
    uint64_t announced;   /* of so many */
    uint64_t asked_bytes; /* of all pieces of Prepare; 0: none came */
    bool described;       /* the spool says what the run is about */
    uint32_t agent;       /* this one, as the master counts */
    struct host_sampler_options sampling;
    struct host_sampler *sampler; /* from start to the end */
    bool until_stop;
    bool started, stopped, over;
    uint32_t other_runs;              /* met so far */
    struct engine_totals last_totals; /* when it was over */
};

/* ---- this process as the recorder's sink ---- */

static bool append(void *arg, const struct buffer *framed)
{
    return spool_append(((struct run *)arg)->spool, framed);
}

static void note_failure(void *arg, const char *why, uint64_t samples)
{
    spool_fail(((struct run *)arg)->spool, why, samples);
}

static void note_finish(void *arg)
{
    struct run *run = arg;
    atomic_store(&run->recorded, true);
    spool_nudge(run->spool);
}

/* ---- creating ---- */

static int open_spool(struct run *run, const char *caller, const struct agent_options *agent,
                      void (*grew)(void *arg), void *arg, struct error *err)
{
    char path[SPOOL_PLACE_MAX];
    const struct spool_bounds bounds = spool_place_bounds(agent, caller);
    int failed = spool_place_path(agent->spool_directory, run->id, caller, path, err);
    return failed ? failed : spool_create(&run->spool, path, &bounds, grew, arg, err);
}

static int start_engine(struct run *run, const struct engine_options *options, struct error *err)
{
    const struct recorder_sink sink = {.arg = run,
                                       .watchdog = options->watchdog,
                                       .append = append,
                                       .failed = note_failure,
                                       .finished = note_finish};
    int failed = engine_create(&run->engine, options, err);
    if (!failed)
        failed = recorder_create(&run->recorder, run->engine, &sink, err);
    return failed;
}

int run_create(struct run **out, const struct run_settings *settings,
               const struct agent_options *agent, void (*grew)(void *arg), void *arg,
               struct error *err)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    snprintf(run->id, sizeof run->id, "%s", settings->id);
    run->announced = settings->ends;
    run->interval_ns = settings->interval_ns ? settings->interval_ns : agent->interval_ns;
    run->until_stop = settings->until_stop;
    run->sampling.interval_ns = run->interval_ns;
    run->sampling.interface_count = settings->interface_count;
    memcpy(run->sampling.interfaces, settings->interfaces, sizeof settings->interfaces);
    struct engine_options options = {
        .workers = agent->workers,
        .port_first = agent->data_port_first,
        .port_last = agent->data_port_last,
        .interval_ns = run->interval_ns,
        .read_size = settings->read_size ? settings->read_size : agent->read_size,
        .write_size = settings->write_size ? settings->write_size : agent->write_size,
        .lead_ns = settings->lead_ns ? settings->lead_ns : LEAD_NS,
        .watchdog = settings->watchdog,
        .other_descriptors = own_process_reserve(),
        .guarded = true,
        .has_flow_key = true,
    };
    memcpy(options.flow_key, settings->flow_key, FLOW_KEY_SIZE);
    snprintf(options.run, sizeof options.run, "%s", run->id);
    unsigned shards = shards_wanted(settings->ends, settings->ends_here);
    int failed = open_spool(run, settings->caller, agent, grew, arg, err);
    if (!failed)
        failed = consent_create(&run->consent, settings->limit, settings->caller,
                                settings->flow_key, err);
    if (!failed && settings->caller_is_here)
        consent_be_frank(run->consent);
    if (!failed && shards)
        failed = shards_create(&run->shards, shards, settings->ends, &options, run->spool, err);
    else if (!failed)
        failed = start_engine(run, &options, err);
    if (failed) {
        run_destroy(run, true);
        return failed;
    }
    *out = run;
    return 0;
}

const char *run_id(const struct run *run)
{
    return run->id;
}

int64_t run_interval_ns(const struct run *run)
{
    return run->interval_ns;
}

bool run_is_sharded(const struct run *run)
{
    return run->shards;
}

/* ---- its life ---- */

static int refuse(const struct run *run, struct error *err)
{
    return error_set(err, ERROR_INPUT, NULL, "run %s is under way or over", run->id);
}

/* Appends the record that the spool has for `recover`, and empties it. */
static void note(struct run *run, struct buffer *record, int failed)
{
    struct buffer framed = {0};
    if (!failed && record->size <= SPOOL_RECORD_MAX)
        failed = segment_frame(&framed, record->data, record->size);
    if (failed || (framed.size && !spool_append(run->spool, &framed)))
        spool_fail(run->spool, "out of memory", 0);
    buffer_fini(&framed);
    buffer_fini(record);
}

void run_describe(struct run *run, const Tcpflowgen__PrepareRequest *piece)
{
    struct buffer record = {0};
    if (!piece->about && !run->described)
        return;
    run->described = true;
    run->agent = piece->agent;
    note(run, &record, spool_record_prepare(&record, piece));
}

static int check_room(const struct run *run, size_t count, struct error *err)
{
    if (count <= run->announced - run->asked_for)
        return 0;
    return error_set(err, ERROR_INPUT, NULL, "more ends than the %" PRIu64 " announced",
                     run->announced);
}

int run_admit(struct run *run, const Tcpflowgen__PrepareRequest *piece, struct error *err)
{
    const bool first = !run->asked_bytes;
    const size_t bytes = tcpflowgen__prepare_request__get_packed_size(piece);
    if (!first && piece->n_ends == 0)
        return error_set(err, ERROR_INPUT, NULL, "a further piece of a run without ends");
    if (!first && piece->about)
        return error_set(err, ERROR_INPUT, NULL, "what a run is about comes with its first piece");
    if (bytes > PREPARE_MAX - run->asked_bytes) {
        error_set(err, ERROR_INPUT, NULL, "what is to be prepared for a run is larger than %u MiB",
                  PREPARE_MAX >> 20);
        return error_cure(err, "spread its flows over more agents");
    }
    int failed = check_room(run, piece->n_ends, err);
    if (failed)
        return failed;
    run->asked_bytes += bytes;
    return 0;
}

static void note_axis(struct run *run, const struct axis *axis)
{
    struct buffer record = {0};
    int64_t t0_unix_ns = clock_now_unix() + axis_to_local(axis, 0) - clock_now();
    if (run->described)
        note(run, &record, spool_record_axis(&record, run->agent, axis, t0_unix_ns));
}

bool run_is_sampled(const struct run *run)
{
    return run->until_stop;
}

bool run_is_open(const struct run *run)
{
    return !run->started && !run->stopped;
}

static int prepare_ends(struct run *run, const struct end_spec *specs, size_t count,
                        struct end_ready *answers, struct error *err)
{
    if (run->shards)
        return shards_prepare(run->shards, specs, count, answers, err);
    int failed = engine_prepare(run->engine, specs, count, answers, err);
    for (size_t i = 0; !failed && i < count; i++)
        run->ends += answers[i].runs;
    return failed;
}

void run_hurry(struct run *run)
{
    consent_cancel(run->consent);
}

void run_take_time(struct run *run)
{
    consent_resume(run->consent);
}

int run_prepare(struct run *run, struct end_spec *specs, size_t count, struct end_ready *answers,
                struct error *err)
{
    if (run->started || run->stopped)
        return refuse(run, err);
    int failed = check_room(run, count, err);
    if (failed)
        return failed;
    run->asked_for += count;
    CLEANUP_FREE const struct consent_place **denied = calloc(count + 1, sizeof(*denied));
    if (!denied)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    failed = consent_ask(run->consent, specs, count, denied, err);
    if (!failed)
        failed = prepare_ends(run, specs, count, answers, err);
    for (size_t i = 0; !failed && i < count; i++)
        if (denied[i])
            consent_explain(run->consent, denied[i], answers[i].error);
    return failed;
}

static int start_sampler(struct run *run, const struct axis *axis, struct error *err)
{
    struct host_sampler_options *sampling = &run->sampling;
    sampling->processes[0] = getpid();
    sampling->process_count = 1;
    if (run->shards)
        sampling->process_count +=
            shards_pids(run->shards, sampling->processes + 1, HOST_PROCESSES_MAX - 1);
    return host_sampler_start(&run->sampler, sampling, axis, run->spool, err);
}

int run_start(struct run *run, const struct axis *axis, struct error *err)
{
    if (run->started || run->stopped)
        return refuse(run, err);
    int unsampled = start_sampler(run, axis, err);
    if (unsampled)
        return unsampled;
    if (run->shards) {
        shards_start(run->shards, axis);
    } else {
        int failed = engine_start(run->engine, axis, err);
        if (failed)
            return failed;
        recorder_expect(run->recorder, run->ends);
    }
    note_axis(run, axis);
    run->started = true;
    return 0;
}

void run_adjust(struct run *run, const struct axis *axis)
{
    if (run->over || !run->started)
        return;
    note_axis(run, axis);
    if (run->sampler)
        host_sampler_adjust(run->sampler, axis);
    if (run->shards)
        shards_adjust(run->shards, axis);
    else
        engine_adjust(run->engine, axis);
}

bool run_was_started(const struct run *run)
{
    return run->started;
}

bool run_has_flows(const struct run *run)
{
    return run->started && !run->over;
}

void run_meet_another(struct run *run)
{
    run->other_runs++;
}

void run_stop(struct run *run)
{
    if (run->over || run->stopped)
        return;
    run->stopped = true;
    if (run->shards) {
        shards_stop(run->shards);
        return;
    }
    engine_stop(run->engine);
    recorder_expect(run->recorder, run->ends);
}

/* ---- its end ---- */

/* Its last rows are in the spool then. */
static void stop_sampler(struct run *run)
{
    host_sampler_stop(run->sampler);
    run->sampler = NULL;
}

void run_let_go(struct run *run)
{
    stop_sampler(run);
    recorder_destroy(run->recorder);
    run->recorder = NULL;
    engine_destroy(run->engine);
    run->engine = NULL;
    shards_destroy(run->shards);
    run->shards = NULL;
}

bool run_settle(struct run *run)
{
    spool_retry(run->spool);
    if (run->over)
        return true;
    bool expecting = run->stopped || (run->started && !run->until_stop);
    bool recorded = run->shards ? shards_are_over(run->shards) : atomic_load(&run->recorded);
    if (!expecting || !recorded)
        return false;
    stop_sampler(run);
    if (!spool_end(run->spool, run->other_runs))
        return false;
    run->last_totals = run_totals(run);
    run->over = true;
    return true;
}

const char *run_failure(const struct run *run)
{
    return spool_failure(run->spool);
}

struct engine_totals run_totals(const struct run *run)
{
    if (run->over)
        return run->last_totals;
    return run->shards ? shards_totals(run->shards) : engine_totals(run->engine);
}

struct segment *run_spool(const struct run *run)
{
    return spool_segment(run->spool);
}

void run_destroy(struct run *run, bool remove_spool)
{
    if (!run)
        return;
    if (run->engine && run->recorder) {
        engine_stop(run->engine);
        engine_await(run->engine);
    }
    run_let_go(run);
    consent_destroy(run->consent);
    spool_close(run->spool, remove_spool);
    free(run);
}
