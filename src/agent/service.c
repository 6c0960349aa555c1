/* A master that goes away without a word does not leave flows behind: a run that nobody watches
 * for so long is stopped.  Its spool stays until the master collects and forgets it, or until
 * RUNS_MAX newer runs push it out of the table (the file stays). */
#include "agent/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/hello.h"
#include "agent/preparation.h"
#include "agent/run.h"
#include "agent/watcher.h"
#include "format/message.h"
#include "model/scenario.h"
#include "rpc/service.h"
#include "util/clock.h"
#include "util/log.h"

#define RUNS_MAX    16
#define TICK_MS     250
#define IO_SIZE_MAX 16777216u /* bytes a read or write */
#define PIECE_MAX   65536     /* ends in one Prepare */
#define ENDS_MAX    (UINT64_C(2) * SCENARIO_FLOWS_MAX)

/* A run and the calls that watch it. */
struct hosted {
    struct run *run;
    struct watcher *watchers;
    int64_t watched_ns; /* when a master was last there */
    bool over, failure_told;
};

struct service {
    struct rpc_loop *loop;
    const struct agent_options *options;
    void (*quit)(void *arg);
    void *quit_arg;
    char instance[RANDOM_ID_MAX];
    struct hosted runs[RUNS_MAX]; /* oldest first */
    size_t run_count;
    struct rpc_service table;
};

/* ---- runs ---- */

static struct hosted *find_run(struct service *service, const char *id)
{
    for (size_t i = 0; i < service->run_count; i++)
        if (strcmp(run_id(service->runs[i].run), id) == 0)
            return &service->runs[i];
    return NULL;
}

/* Finishes the call and returns NULL if there is no such run. */
static struct hosted *run_of_call(struct service *service, struct rpc_call *call, const char *id)
{
    struct hosted *hosted = find_run(service, id);
    if (!hosted)
        rpc_finish(call, NULL, RPC_NOT_FOUND,
                   "this agent has no such run: it was forgotten, or the agent was started anew");
    return hosted;
}

bool service_is_busy(const struct service *service)
{
    for (size_t i = 0; i < service->run_count; i++)
        if (!service->runs[i].over)
            return true;
    return false;
}

static void pump(struct hosted *hosted)
{
    int64_t now = clock_now();
    for (struct watcher **at = &hosted->watchers; *at;) {
        struct watcher *watcher = *at;
        hosted->watched_ns = now;
        if (watcher_pump(watcher, now)) {
            at = &watcher->next;
        } else {
            *at = watcher->next;
            free(watcher);
        }
    }
}

static void drop_run(struct service *service, struct hosted *hosted, bool remove_spool)
{
    for (struct watcher *watcher = hosted->watchers, *next; watcher; watcher = next) {
        next = watcher->next;
        rpc_finish(watcher->call, NULL, RPC_NOT_FOUND, "the run was forgotten");
        free(watcher);
    }
    run_destroy(hosted->run, remove_spool);
    size_t index = (size_t)(hosted - service->runs);
    memmove(hosted, hosted + 1, (service->run_count - index - 1) * sizeof *hosted);
    service->run_count--;
}

/* Sees to what a run's end, a failing disk or a vanished master ask for. */
static void look_after(struct hosted *hosted, int64_t orphan_ns)
{
    const char *failure = run_failure(hosted->run);
    if (failure && !hosted->failure_told) {
        log_error("run %s: %s", run_id(hosted->run), failure);
        hosted->failure_told = true;
    }
    pump(hosted);
    if (hosted->over)
        return;
    hosted->over = run_settle(hosted->run);
    if (hosted->over)
        log_info("run %s is over", run_id(hosted->run));
    else if (clock_now() - hosted->watched_ns > orphan_ns) {
        log_warning("run %s: no master for %lld s, its flows are stopped", run_id(hosted->run),
                    (long long)(orphan_ns / NS_PER_S));
        run_stop(hosted->run);
        hosted->watched_ns = clock_now();
    }
}

static void look_after_all(void *arg)
{
    struct service *service = arg;
    for (size_t i = 0; i < service->run_count; i++)
        look_after(&service->runs[i], service->options->orphan_ns);
}

/* Also the watchers' heartbeat. */
static void tick(void *arg)
{
    struct service *service = arg;
    look_after_all(service);
    if (service->run_count)
        rpc_loop_after(service->loop, TICK_MS, tick, service);
}

/* A recorder's thread: its spool has grown. */
static void spool_grew(void *arg)
{
    struct service *service = arg;
    rpc_loop_post(service->loop, look_after_all, service);
}

static struct hosted *oldest_over(struct service *service)
{
    for (size_t i = 0; i < service->run_count; i++)
        if (service->runs[i].over)
            return &service->runs[i];
    return NULL;
}

static struct hosted *add_run(struct service *service, const Tcpflowgen__PrepareRequest *request,
                              struct error *err)
{
    if (service->run_count == RUNS_MAX) {
        struct hosted *oldest = oldest_over(service);
        if (!oldest) {
            error_set(err, ERROR_AGENT, NULL, "%d runs are under way here", RUNS_MAX);
            return NULL;
        }
        log_warning("run %s was never collected: its samples stay in %s", run_id(oldest->run),
                    segment_path(run_spool(oldest->run)));
        drop_run(service, oldest, false);
    }
    struct run_settings settings = {
        .interval_ns = request->interval_ns,
        .lead_ns = request->lead_ns,
        .read_size = request->read_size,
        .write_size = request->write_size,
        .ends = request->ends_total > request->n_ends ? request->ends_total : request->n_ends,
    };
    snprintf(settings.id, sizeof settings.id, "%s", request->run);
    struct run *run;
    if (run_create(&run, &settings, service->options, spool_grew, service, err))
        return NULL;
    struct hosted *hosted = &service->runs[service->run_count++];
    *hosted = (struct hosted){.run = run, .watched_ns = clock_now()};
    if (service->run_count == 1) {
        rpc_loop_cancel(service->loop, tick, service); /* the last run's may still be to come */
        rpc_loop_after(service->loop, TICK_MS, tick, service);
    }
    log_info("run %s: prepared", run_id(run));
    return hosted;
}

/* ---- calls ---- */

static void serve_hello(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    hello_serve(call, (const Tcpflowgen__HelloRequest *)message, service->options,
                service->instance);
}

static void serve_clock(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    const Tcpflowgen__ClockRequest *request = (const Tcpflowgen__ClockRequest *)message;
    Tcpflowgen__ClockReply reply = TCPFLOWGEN__CLOCK_REPLY__INIT;
    reply.received_ns = rpc_received_ns(call);
    reply.sent_ns = clock_now();
    rpc_finish(call, &reply.base, RPC_OK, NULL);
    struct hosted *hosted = find_run(service, request->run);
    struct axis axis;
    if (hosted && request->axis && message_to_axis(&axis, request->axis, NULL) == 0)
        run_adjust(hosted->run, &axis);
}

static bool prepare_request_is_sound(const Tcpflowgen__PrepareRequest *request)
{
    size_t length = strlen(request->run);
    return length == RANDOM_ID_MAX - 1 && strspn(request->run, "0123456789abcdef") == length &&
           request->n_ends <= PIECE_MAX && request->ends_total <= ENDS_MAX &&
           (request->interval_ns == 0 || request->interval_ns >= INTERVAL_MIN_NS) &&
           request->lead_ns >= 0 && request->read_size <= IO_SIZE_MAX &&
           request->write_size <= IO_SIZE_MAX;
}

static void serve_prepare(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    const Tcpflowgen__PrepareRequest *request = (const Tcpflowgen__PrepareRequest *)message;
    if (!prepare_request_is_sound(request)) {
        rpc_finish(call, NULL, RPC_INVALID_ARGUMENT, "a Prepare with values out of range");
        return;
    }
    struct error err = {0};
    struct preparation p = {0};
    struct hosted *hosted = NULL;
    int failed = preparation_init(&p, request, &err);
    if (!failed) {
        hosted = find_run(service, request->run);
        if (!hosted)
            hosted = add_run(service, request, &err);
        failed = hosted ? run_prepare(hosted->run, p.specs, p.count, p.answers, &err) : -1;
        if (hosted)
            hosted->watched_ns = clock_now();
    }
    if (failed) {
        char text[512];
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, error_text(&err, text, sizeof text));
    } else {
        rpc_finish(call, &preparation_reply(&p, run_interval_ns(hosted->run))->base, RPC_OK, NULL);
    }
    preparation_fini(&p);
}

static void serve_start(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    const Tcpflowgen__StartRequest *request = (const Tcpflowgen__StartRequest *)message;
    struct hosted *hosted = run_of_call(ctx, call, request->run);
    if (!hosted)
        return;
    struct error err = {0};
    struct axis axis;
    int failed = request->axis ? message_to_axis(&axis, request->axis, &err)
                               : error_set(&err, ERROR_INPUT, NULL, "a Start without a time axis");
    /* The others have begun: flows that begin late would be passed off as theirs. */
    if (!failed && axis_to_local(&axis, 0) <= clock_now())
        failed = error_set(&err, ERROR_INPUT, NULL, "the order to start came after its time");
    if (!failed)
        failed = run_start(hosted->run, &axis, &err);
    if (failed) {
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, err.what);
        return;
    }
    Tcpflowgen__StartReply reply = TCPFLOWGEN__START_REPLY__INIT;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void watcher_ready(struct rpc_call *call, void *arg)
{
    struct watcher *watcher = arg;
    (void)call;
    watcher->blocked = false;
    rpc_loop_post(watcher->service->loop, look_after_all, watcher->service);
}

static void watcher_gone(struct rpc_call *call, void *arg)
{
    (void)call;
    ((struct watcher *)arg)->gone = true;
}

static void watch(struct service *service, struct rpc_call *call,
                  const Tcpflowgen__WatchRequest *request, bool follow)
{
    struct hosted *hosted = run_of_call(service, call, request->run);
    if (!hosted)
        return;
    if (request->offset > segment_size(run_spool(hosted->run))) {
        rpc_finish(call, NULL, RPC_INVALID_ARGUMENT, "an offset behind the end of the spool");
        return;
    }
    struct watcher *watcher = malloc(sizeof *watcher);
    if (!watcher) {
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *watcher = (struct watcher){
        .service = service,
        .call = call,
        .run = hosted->run,
        .offset = request->offset,
        .follow = follow,
        .quiet_since_ns = clock_now(),
        .next = hosted->watchers,
    };
    rpc_on_ready(call, watcher_ready, watcher);
    rpc_on_gone(call, watcher_gone, watcher);
    hosted->watchers = watcher;
    pump(hosted);
}

static void serve_watch(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    watch(ctx, call, (const Tcpflowgen__WatchRequest *)message, true);
}

static void serve_collect(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    watch(ctx, call, (const Tcpflowgen__WatchRequest *)message, false);
}

static void reply_empty(struct rpc_call *call)
{
    Tcpflowgen__RunReply reply = TCPFLOWGEN__RUN_REPLY__INIT;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void serve_stop(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct hosted *hosted = run_of_call(ctx, call, ((const Tcpflowgen__RunRequest *)message)->run);
    if (!hosted)
        return;
    run_stop(hosted->run);
    reply_empty(call);
}

static void serve_forget(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    struct hosted *hosted =
        run_of_call(service, call, ((const Tcpflowgen__RunRequest *)message)->run);
    if (!hosted)
        return;
    drop_run(service, hosted, true);
    reply_empty(call);
}

static void serve_shutdown(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    (void)message;
    if (!service->options->allow_shutdown) {
        rpc_finish(call, NULL, RPC_PERMISSION_DENIED,
                   "this agent was not started with --allow-shutdown");
        return;
    }
    if (service_is_busy(service)) {
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, "another run is under way here");
        return;
    }
    log_info("a master asks this agent to exit");
    reply_empty(call);
    service->quit(service->quit_arg);
}

static rpc_serve *const serve[AGENT_METHODS] = {
    [AGENT_HELLO] = serve_hello,       [AGENT_CLOCK] = serve_clock,
    [AGENT_PREPARE] = serve_prepare,   [AGENT_START] = serve_start,
    [AGENT_WATCH] = serve_watch,       [AGENT_STOP] = serve_stop,
    [AGENT_COLLECT] = serve_collect,   [AGENT_FORGET] = serve_forget,
    [AGENT_SHUTDOWN] = serve_shutdown,
};

/* ---- life ---- */

int service_create(struct service **out, struct rpc_loop *loop, const struct agent_options *options,
                   void (*quit)(void *arg), void *arg, struct error *err)
{
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    service->loop = loop;
    service->options = options;
    service->quit = quit;
    service->quit_arg = arg;
    random_id(service->instance);
    service->table = (struct rpc_service){
        .methods = agent_methods, .serve = serve, .count = AGENT_METHODS, .ctx = service};
    *out = service;
    return 0;
}

const struct rpc_service *service_table(const struct service *service)
{
    return &service->table;
}

void service_destroy(struct service *service)
{
    if (!service)
        return;
    rpc_loop_cancel(service->loop, tick, service);
    while (service->run_count)
        drop_run(service, &service->runs[service->run_count - 1], false);
    free(service);
}
