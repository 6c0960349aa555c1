#include "agent/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/recorder.h"
#include "util/cleanup.h"

struct run {
    char id[RANDOM_ID_MAX];
    int64_t interval_ns;
    struct engine *engine; /* NULL once the run is over */
    struct recorder *recorder;
    struct segment *spool;
    uint64_t ends; /* prepared */
    bool started, stopped;
    struct engine_totals last_totals; /* when the engine went */
};

const char *run_spool_directory(const struct agent_options *agent)
{
    if (agent->spool_directory)
        return agent->spool_directory;
    const char *tmp = getenv("TMPDIR");
    return tmp && *tmp ? tmp : "/var/tmp";
}

int run_spool_check(const struct agent_options *agent, struct error *err)
{
    const char *directory = run_spool_directory(agent);
    struct stat status;
    int why = 0;
    if (stat(directory, &status) || access(directory, W_OK | X_OK))
        why = errno;
    else if (!S_ISDIR(status.st_mode))
        why = ENOTDIR;
    if (!why)
        return 0;
    error_set_errno(err, ERROR_INPUT, why, directory, "no spool can be kept there");
    return error_cure(err, "make that directory, or start the agent with another --spool");
}

static int open_spool(struct run *run, const struct agent_options *agent, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    /* Two agents on one machine may have ends of one run. */
    if (asprintf(&path, "%s/tcp-flowgen-%s-%d.spool", run_spool_directory(agent), run->id,
                 getpid()) < 0)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    return segment_create(&run->spool, path, err);
}

int run_create(struct run **out, const struct run_settings *settings,
               const struct agent_options *agent, void (*grew)(void *arg), void *arg,
               struct error *err)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    snprintf(run->id, sizeof run->id, "%s", settings->id);
    run->interval_ns = settings->interval_ns ? settings->interval_ns : agent->interval_ns;
    struct engine_options options = {
        .workers = agent->workers,
        .port_first = agent->data_port_first,
        .port_last = agent->data_port_last,
        .interval_ns = run->interval_ns,
        .read_size = settings->read_size ? settings->read_size : agent->read_size,
        .write_size = settings->write_size ? settings->write_size : agent->write_size,
        .lead_ns = settings->lead_ns ? settings->lead_ns : LEAD_NS,
        .guardian = "/proc/self/exe",
    };
    snprintf(options.run, sizeof options.run, "%s", run->id);
    int failed = open_spool(run, agent, err);
    if (!failed)
        failed = engine_create(&run->engine, &options, err);
    if (!failed)
        failed = recorder_create(&run->recorder, run->engine, run->spool, grew, arg, err);
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

int run_prepare(struct run *run, const struct end_spec *specs, size_t count,
                struct end_ready *answers, struct error *err)
{
    if (run->started || run->stopped)
        return error_set(err, ERROR_INPUT, NULL, "run %s is under way or over", run->id);
    int failed = engine_prepare(run->engine, specs, count, answers, err);
    for (size_t i = 0; !failed && i < count; i++)
        run->ends += answers[i].error[0] == '\0';
    return failed;
}

int run_start(struct run *run, const struct axis *axis, struct error *err)
{
    if (run->started || run->stopped)
        return error_set(err, ERROR_INPUT, NULL, "run %s is under way or over", run->id);
    int failed = engine_start(run->engine, axis, err);
    if (failed)
        return failed;
    run->started = true;
    recorder_expect(run->recorder, run->ends);
    return 0;
}

void run_adjust(struct run *run, const struct axis *axis)
{
    if (run->engine && run->started)
        engine_adjust(run->engine, axis);
}

void run_stop(struct run *run)
{
    if (!run->engine || run->stopped)
        return;
    run->stopped = true;
    engine_stop(run->engine);
    recorder_expect(run->recorder, run->ends);
}

bool run_settle(struct run *run)
{
    if (run->engine && recorder_finished(run->recorder)) {
        run->last_totals = engine_totals(run->engine);
        recorder_destroy(run->recorder);
        run->recorder = NULL;
        engine_destroy(run->engine);
        run->engine = NULL;
    }
    return !run->engine;
}

const char *run_failure(const struct run *run)
{
    return run->recorder ? recorder_failure(run->recorder) : NULL;
}

struct engine_totals run_totals(const struct run *run)
{
    return run->engine ? engine_totals(run->engine) : run->last_totals;
}

struct segment *run_spool(const struct run *run)
{
    return run->spool;
}

void run_destroy(struct run *run, bool remove_spool)
{
    if (!run)
        return;
    if (run->engine && run->recorder)
        engine_stop(run->engine);
    recorder_destroy(run->recorder);
    engine_destroy(run->engine);
    segment_close(run->spool, remove_spool);
    free(run);
}
