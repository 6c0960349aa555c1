#include "agent/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/hello.h"
#include "agent/names.h"
#include "agent/preparation.h"
#include "agent/probe_service.h"
#include "agent/provenance.h"
#include "agent/runs.h"
#include "format/machine_message.h"
#include "format/message.h"
#include "format/spool_record.h"
#include "model/scenario.h"
#include "probe/discipline.h"
#include "probe/responder.h"
#include "rpc/service.h"
#include "util/address.h"
#include "util/clock.h"
#include "util/log.h"

#define NO_SUCH_RUN "this agent has no such run: it was forgotten, or the agent was started anew"

#define IO_SIZE_MAX 16777216u /* bytes a read or write */
#define PIECE_ENDS \
    ((size_t)2500) /* in one Prepare: with an error of 1 KiB each they can be answered */
#define PIECE_BYTES  (3u << 20) /* of a Prepare: a record of the spool has room for it */
#define ENDS_MAX     (UINT64_C(2) * SCENARIO_FLOWS_MAX)
#define WARNINGS_MAX 4096u

_Static_assert(PIECE_ENDS *(PROBLEMS_MAX + 32) +
                       CACHED_METRICS_MAX * (sizeof(struct cached_metrics) + 64) <
                   RPC_MESSAGE_MAX,
               "an answer with all errors and metrics is one message");
_Static_assert(PIECE_BYTES < SPOOL_RECORD_MAX, "a piece is one record");

struct service {
    struct rpc_loop *loop;
    const struct agent_options *options;
    void (*quit)(void *arg);
    void *quit_arg;
    char instance[RANDOM_ID_MAX];
    struct names *names;
    struct hello_desk hello;
    struct responder *responder;
    struct runs runs;
    struct audit audit;
    struct rpc_service table;
};

bool service_is_busy(const struct service *service)
{
    return runs_are_busy(&service->runs);
}

/* ---- calls ---- */

/* Finishes the call, and tells the log why. */
static void refuse(struct service *service, struct rpc_call *call, const char *what,
                   const char *run, int code, const char *why)
{
    audit_refused(&service->audit, call, what, run, why);
    rpc_finish(call, NULL, code, why);
}

/* Finishes the call and returns NULL if there is no such run; nor is there for who does not have
 * its secret, so that nobody finds out what runs there are. */
static struct hosted *run_of_call(struct service *service, struct rpc_call *call, const char *what,
                                  const char *id, ProtobufCBinaryData secret)
{
    struct hosted *hosted = runs_find(&service->runs, id, secret.data, secret.len);
    if (!hosted)
        refuse(service, call, what, id, RPC_NOT_FOUND, NO_SUCH_RUN);
    return hosted;
}

static void serve_hello(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    hello_serve(call, (const Tcpflowgen__HelloRequest *)message, &service->hello);
}

static void serve_clock(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    const Tcpflowgen__ClockRequest *request = (const Tcpflowgen__ClockRequest *)message;
    Tcpflowgen__ClockReply reply = TCPFLOWGEN__CLOCK_REPLY__INIT;
    reply.received_ns = rpc_received_ns(call);
    struct clock_discipline discipline = discipline_read();
    Tcpflowgen__ClockDiscipline about;
    message_from_discipline(&about, &discipline);
    reply.discipline = discipline.known ? &about : NULL;
    struct axis axis;
    struct hosted *hosted = NULL;
    if (request->axis && message_to_axis(&axis, request->axis, NULL) == 0)
        hosted = runs_find(&service->runs, request->run, request->secret.data, request->secret.len);
    if (request->axis && !hosted)
        audit_refused(&service->audit, call, "Clock", request->run, "no such run, or a wrong axis");
    reply.sent_ns = clock_now();
    rpc_finish(call, &reply.base, RPC_OK, NULL);
    if (hosted)
        run_adjust(hosted->run, &axis);
}

static void serve_probe(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    probe_serve(call, (const Tcpflowgen__ProbeRequest *)message, service->options,
                service->responder);
}

/* What a run is about, for its spool: nothing yet that only its end will tell. */
static bool about_is_sound(const Tcpflowgen__Run *about)
{
    return about->n_hosts <= SCENARIO_HOSTS_MAX && about->n_agents <= SCENARIO_HOSTS_MAX &&
           about->n_warnings <= WARNINGS_MAX && !about->n_events && !about->n_host_samples;
}

static bool prepare_request_is_sound(const Tcpflowgen__PrepareRequest *request)
{
    return random_id_is_sound(request->run) && request->secret.len == SECRET_SIZE &&
           request->flow_key.len == FLOW_KEY_SIZE && request->n_ends <= PIECE_ENDS &&
           request->ends_total <= ENDS_MAX &&
           (request->interval_ns == 0 ||
            (request->interval_ns >= INTERVAL_MIN_NS && request->interval_ns <= INTERVAL_MAX_NS)) &&
           (request->n_ends || request->until_stop) &&
           (!request->about || about_is_sound(request->about)) &&
           tcpflowgen__prepare_request__get_packed_size(request) <= PIECE_BYTES &&
           request->n_interfaces <= HOST_INTERFACES_MAX && request->lead_ns >= 0 &&
           request->lead_ns <= LEAD_MAX_NS && request->read_size <= IO_SIZE_MAX &&
           request->write_size <= IO_SIZE_MAX;
}

/* One Prepare under way: an errand. */
struct preparing {
    struct hosted *hosted;
    struct rpc_call *call;
    struct preparation p;
    bool flush_metrics;
    struct machine machine; /* what its kernel remembers of the peers */
    int failed;
    struct error err;
};

static void prepare(void *arg)
{
    struct preparing *this = arg;
    /* Before an end connects. */
    this->failed = provenance_metrics(&this->machine, this->p.specs, this->p.count,
                                      this->flush_metrics, &this->err);
    if (!this->failed)
        this->failed = run_prepare(this->hosted->run, this->p.specs, this->p.count, this->p.answers,
                                   &this->err);
}

static void free_preparing(struct preparing *this)
{
    machine_fini(&this->machine);
    preparation_fini(&this->p);
    free(this);
}

static void answer(struct preparing *this)
{
    bool failed = false;
    Tcpflowgen__PrepareReply *reply =
        preparation_reply(&this->p, run_interval_ns(this->hosted->run));
    reply->metrics = metrics_to_messages(&this->machine, &reply->n_metrics, &failed);
    reply->metrics_flushed = this->machine.metrics_flushed;
    rpc_finish(this->call, failed ? NULL : &reply->base, failed ? RPC_RESOURCE_EXHAUSTED : RPC_OK,
               failed ? "out of memory" : NULL);
    metrics_free(reply->metrics, reply->n_metrics);
}

/* What of it does not run after all has no place any more. */
static void give_back(const struct preparing *this)
{
    for (size_t i = 0; i < this->p.count; i++) {
        const bool runs = !this->failed && this->p.answers[i].runs;
        this->hosted->ends -= !runs;
        this->hosted->captures -= !runs && this->p.specs[i].capture != CAPTURE_NONE;
    }
    this->hosted->ends -= this->p.refused;
}

static void has_prepared(void *arg)
{
    struct preparing *this = arg;
    struct hosted *hosted = this->hosted;
    char text[512];
    if (this->failed)
        rpc_finish(this->call, NULL, RPC_INTERNAL, error_text(&this->err, text, sizeof text));
    else
        answer(this);
    hosted->stop |= this->failed == ERROR_SYSTEM;
    give_back(this);
    free_preparing(this);
    hosted_come_back(hosted);
}

static struct hosted *new_run(struct service *service, struct rpc_call *call,
                              const Tcpflowgen__PrepareRequest *request, struct error *err)
{
    struct run_owner owner = {.caller = rpc_caller(call)->key,
                              .is_here = rpc_caller(call)->is_here};
    struct run_settings settings = {
        .interval_ns = request->interval_ns,
        .lead_ns = request->lead_ns,
        .read_size = request->read_size,
        .write_size = request->write_size,
        .ends = request->ends_total > request->n_ends ? request->ends_total : request->n_ends,
    };
    snprintf(settings.id, sizeof settings.id, "%s", request->run);
    memcpy(settings.flow_key, request->flow_key.data, FLOW_KEY_SIZE);
    settings.until_stop = request->until_stop;
    settings.interface_count = request->n_interfaces;
    for (size_t i = 0; i < request->n_interfaces; i++)
        snprintf(settings.interfaces[i], DEVICE_MAX, "%s", request->interfaces[i]);
    memcpy(owner.secret, request->secret.data, SECRET_SIZE);
    return runs_add(&service->runs, &settings, &owner, err);
}

/* The run that ends are to be prepared for, which may be a new one; else NULL and err. */
static struct hosted *run_to_prepare(struct service *service, struct rpc_call *call,
                                     const Tcpflowgen__PrepareRequest *request, struct error *err)
{
    const ProtobufCBinaryData secret = request->secret;
    struct hosted *hosted = runs_find(&service->runs, request->run, secret.data, secret.len);
    if (!hosted && runs_have(&service->runs, request->run)) {
        error_set(err, ERROR_INPUT, NULL, "another run has this id");
        return NULL;
    }
    if (!hosted)
        return new_run(service, call, request, err);
    if (!hosted->busy && run_is_open(hosted->run))
        return hosted;
    error_set(err, ERROR_INPUT, NULL,
              "the run is busy with an earlier Prepare, under way, or over");
    return NULL;
}

/* The run, which takes the ends; else NULL and err: a new one is not there then. */
static struct hosted *admit(struct service *service, struct rpc_call *call,
                            const Tcpflowgen__PrepareRequest *request, struct error *err)
{
    const bool is_new = !runs_have(&service->runs, request->run);
    struct hosted *hosted = run_to_prepare(service, call, request, err);
    if (!hosted)
        return NULL;
    if (run_admit(hosted->run, request, err) || hosted_reserve(hosted, request->n_ends, err)) {
        if (is_new)
            hosted_forget(hosted, NULL);
        return NULL;
    }
    if (is_new)
        audit_done(&service->audit, call, request->run, "prepared");
    return hosted;
}

/* The call, whose errand goes on, is still to be finished. */
static void preparer_gone(struct rpc_call *call, void *arg)
{
    (void)call;
    run_hurry(((struct hosted *)arg)->run);
}

static int may_prepare(void *hosted, const struct end_spec *spec, struct error *err)
{
    return spec->capture == CAPTURE_NONE ? 0 : hosted_capture(hosted, err);
}

static void serve_prepare(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    const Tcpflowgen__PrepareRequest *request = (const Tcpflowgen__PrepareRequest *)message;
    if (!prepare_request_is_sound(request)) {
        refuse(service, call, "Prepare", request->run, RPC_INVALID_ARGUMENT,
               "a Prepare with values out of range");
        return;
    }
    struct error err = {0};
    if (request->flush_metrics && !service->options->allow_flush_metrics) {
        refuse(service, call, "Prepare", request->run, RPC_PERMISSION_DENIED,
               "this agent was not started with --allow-flush-metrics");
        return;
    }
    struct preparing *this = calloc(1, sizeof *this);
    int failed = this ? preparation_init(&this->p, request, &err)
                      : error_set(&err, ERROR_SYSTEM, NULL, "out of memory");
    struct hosted *hosted = failed ? NULL : admit(service, call, request, &err);
    if (!this || !hosted) {
        char text[512];
        refuse(service, call, "Prepare", request->run, RPC_FAILED_PRECONDITION,
               error_text(&err, text, sizeof text));
        if (this)
            free_preparing(this);
        return;
    }
    run_describe(hosted->run, request);
    preparation_sift(&this->p, may_prepare, hosted);
    this->hosted = hosted;
    this->call = call;
    this->flush_metrics = request->flush_metrics;
    rpc_on_gone(call, preparer_gone, hosted);
    if (hosted_lend(hosted, prepare, has_prepared, this)) {
        this->failed = error_set(&this->err, ERROR_AGENT, NULL, "no thread can be had");
        has_prepared(this);
    }
}

static void serve_start(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    const Tcpflowgen__StartRequest *request = (const Tcpflowgen__StartRequest *)message;
    struct hosted *hosted = run_of_call(service, call, "Start", request->run, request->secret);
    if (!hosted)
        return;
    if (hosted->busy) {
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, "the run's ends are being prepared");
        return;
    }
    struct error err = {0};
    struct axis axis;
    int failed = request->axis ? message_to_axis(&axis, request->axis, &err)
                               : error_set(&err, ERROR_INPUT, NULL, "a Start without a time axis");
    /* The others have begun: flows that begin late would be passed off as theirs. */
    if (!failed && axis_to_local(&axis, 0) <= clock_now()) {
        rpc_finish(call, NULL, RPC_DEADLINE_EXCEEDED, "the order to start came after its time");
        return;
    }
    if (!failed)
        failed = hosted_start(hosted, &axis, &err);
    if (failed) {
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, err.what);
        return;
    }
    audit_done(&service->audit, call, request->run, "started");
    Tcpflowgen__StartReply reply = TCPFLOWGEN__START_REPLY__INIT;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void watcher_ready(struct rpc_call *call, void *arg)
{
    struct watcher *watcher = arg;
    (void)call;
    watcher->blocked = false;
    rpc_loop_post(watcher->service->loop, runs_look_after, &watcher->service->runs);
}

static void watcher_gone(struct rpc_call *call, void *arg)
{
    (void)call;
    ((struct watcher *)arg)->gone = true;
}

/* A stream that breaks is taken up again and again: who reads is told once. */
static void tell_reader(struct service *service, struct rpc_call *call, struct hosted *hosted)
{
    const char *caller = rpc_caller(call)->key;
    if (strcmp(hosted->reader, caller) == 0)
        return;
    snprintf(hosted->reader, sizeof hosted->reader, "%s", caller);
    audit_done(&service->audit, call, run_id(hosted->run), "read");
}

static void watch(struct service *service, struct rpc_call *call,
                  const Tcpflowgen__WatchRequest *request, bool follow)
{
    struct hosted *hosted =
        run_of_call(service, call, follow ? "Watch" : "Collect", request->run, request->secret);
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
    };
    tell_reader(service, call, hosted);
    rpc_on_ready(call, watcher_ready, watcher);
    rpc_on_gone(call, watcher_gone, watcher);
    if (!hosted_watch(hosted, watcher)) {
        free(watcher);
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED,
                   "too many watch this run already: try again in a moment");
    }
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
    struct service *service = ctx;
    const Tcpflowgen__RunRequest *request = (const Tcpflowgen__RunRequest *)message;
    struct hosted *hosted = run_of_call(service, call, "Stop", request->run, request->secret);
    if (!hosted)
        return;
    if (!hosted->stop)
        audit_done(&service->audit, call, request->run, "stopped");
    hosted_stop(hosted);
    reply_empty(call);
}

static void serve_forget(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct service *service = ctx;
    const Tcpflowgen__RunRequest *request = (const Tcpflowgen__RunRequest *)message;
    const ProtobufCBinaryData secret = request->secret;
    /* It may have come before the run, or without one. */
    const bool probed =
        secret.len == SECRET_SIZE && responder_remove(service->responder, secret.data);
    if (probed && !runs_find(&service->runs, request->run, secret.data, secret.len)) {
        rpc_finish(call, NULL, RPC_NOT_FOUND, NO_SUCH_RUN);
        return;
    }
    struct hosted *hosted = run_of_call(service, call, "Forget", request->run, secret);
    if (!hosted)
        return;
    audit_done(&service->audit, call, request->run, "forgotten");
    hosted_forget(hosted, call);
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
    log_info("%s asks this agent to exit", rpc_caller(call)->text);
    reply_empty(call);
    service->quit(service->quit_arg);
}

static rpc_serve *const serve[AGENT_METHODS] = {
    [AGENT_HELLO] = serve_hello,   [AGENT_CLOCK] = serve_clock,
    [AGENT_PROBE] = serve_probe,   [AGENT_PREPARE] = serve_prepare,
    [AGENT_START] = serve_start,   [AGENT_WATCH] = serve_watch,
    [AGENT_STOP] = serve_stop,     [AGENT_COLLECT] = serve_collect,
    [AGENT_FORGET] = serve_forget, [AGENT_SHUTDOWN] = serve_shutdown,
};

/* ---- life ---- */

int service_create(struct service **out, struct rpc_loop *loop, const struct agent_options *options,
                   void (*quit)(void *arg), void *arg, struct error *err)
{
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int failed = responder_create(&service->responder, PROBE_SILENCE_NS, err);
    if (!failed)
        failed = names_create(&service->names, host_lookup, err);
    if (failed) {
        responder_destroy(service->responder);
        free(service);
        return failed;
    }
    service->loop = loop;
    service->options = options;
    service->quit = quit;
    service->quit_arg = arg;
    service->runs = (struct runs){.loop = loop,
                                  .options = options,
                                  .responder = service->responder,
                                  .consents = CONSENT_LIMIT_NEW};
    random_id(service->instance);
    service->hello = (struct hello_desk){.loop = loop,
                                         .options = options,
                                         .instance = service->instance,
                                         .runs = &service->runs,
                                         .names = service->names};
    service->table = (struct rpc_service){
        .methods = agent_methods, .serve = serve, .count = AGENT_METHODS, .ctx = service};
    *out = service;
    return 0;
}

struct names *service_names(const struct service *service)
{
    return service->names;
}

const struct rpc_service *service_table(const struct service *service)
{
    return &service->table;
}

void service_destroy(struct service *service)
{
    if (!service)
        return;
    hello_fini(&service->hello);
    runs_fini(&service->runs);
    names_release(service->names);
    responder_destroy(service->responder);
    audit_fini(&service->audit);
    free(service);
}
