/* In this protocol a flow has no run, no token and no common time: its id names it, a port of its
 * own brings its connection, and each end's clock begins with the end. */
#include "agent/seed_service.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "agent/errand.h"
#include "agent/names.h"
#include "agent/seed_flow.h"
#include "proto/seed.pb-c.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define FLOWS_MAX  1024
#define TICK_MS    10
#define MS_MAX     (UINT64_C(366) * 24 * 3600 * 1000) /* of start and duration */
#define LOOK_UP_NS (5 * NS_PER_S)
#define WAIT_NS    (700 * NS_PER_MS) /* GetResults: its caller may go away after a second */

/* A flow and the GetResults call that waits for its end. */
struct hosted {
    TAILQ_ENTRY(hosted) next;
    struct seed_flow flow;
    struct rpc_call *asker; /* NULL: none */
    int64_t asked_ns;
    bool fetched; /* its results were: it goes when its engine does */
};

struct seed_service {
    struct rpc_loop *loop;
    const struct agent_options *options;
    const struct service *beside;
    void (*quit)(void *arg);
    void *quit_arg;
    size_t starting;                       /* flows without an address yet */
    size_t looking_up;                     /* that of so many */
    TAILQ_HEAD(hosted_list, hosted) flows; /* oldest first */
    size_t flow_count;
    int ready_fd; /* an epoll of all engines */
    bool ticking;
    struct rpc_service table;
};

/* ---- flows ---- */

static void drop(struct seed_service *service, struct hosted *hosted)
{
    TAILQ_REMOVE(&service->flows, hosted, next);
    service->flow_count--;
    if (hosted->asker)
        rpc_finish(hosted->asker, NULL, RPC_NOT_FOUND, "the flow was dropped");
    seed_flow_fini(&hosted->flow);
    free(hosted);
}

static struct hosted *find_end(struct seed_service *service, int32_t id, enum flow_end end)
{
    struct hosted *hosted;
    TAILQ_FOREACH(hosted, &service->flows, next)
    {
        if (hosted->flow.id == id && hosted->flow.end == end && !hosted->fetched)
            return hosted;
    }
    return NULL;
}

/* Both ends of a flow may be here: first the one that nobody asks for yet. */
static struct hosted *find_results(struct seed_service *service, int32_t id)
{
    struct hosted *src = find_end(service, id, END_SRC), *dst = find_end(service, id, END_DST);
    return src && !(src->asker && dst) ? src : dst;
}

/* What an earlier run of a master left behind must not be in the way of the next. */
static int make_room(struct seed_service *service, int32_t id, enum flow_end end, struct error *err)
{
    struct hosted *hosted = find_end(service, id, end);
    if (hosted && hosted->flow.begun && !hosted->flow.over && clock_now() > hosted->flow.begin_ns)
        return error_set(err, ERROR_FLOW, NULL, "flow %d is under way here", id);
    if (hosted)
        drop(service, hosted);
    if (service->flow_count < FLOWS_MAX)
        return 0;
    TAILQ_FOREACH(hosted, &service->flows, next)
    {
        if (hosted->flow.over) {
            drop(service, hosted);
            return 0;
        }
    }
    return error_set(err, ERROR_FLOW, NULL, "%d flows are under way here", FLOWS_MAX);
}

static void tick(void *arg);

static int add_flow(struct seed_service *service, const struct end_spec *spec, int64_t begin_ns,
                    uint16_t *port, struct error *err)
{
    int failed = make_room(service, spec->id, spec->end, err);
    if (failed)
        return failed;
    struct hosted *hosted = calloc(1, sizeof *hosted);
    if (!hosted)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    failed = seed_flow_init(&hosted->flow, spec, begin_ns, service->options, port, err);
    if (failed) {
        free(hosted);
        return failed;
    }
    TAILQ_INSERT_TAIL(&service->flows, hosted, next);
    service->flow_count++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &hosted->flow};
    if (epoll_ctl(service->ready_fd, EPOLL_CTL_ADD, seed_flow_wait_fd(&hosted->flow), &event)) {
        const int cause = errno;
        drop(service, hosted);
        return error_set_errno(err, ERROR_SYSTEM, cause, NULL, "cannot watch a flow");
    }
    if (!service->ticking)
        tick(service);
    return 0;
}

/* ---- results ---- */

static void answer_results(struct hosted *hosted)
{
    const struct seed_flow *flow = &hosted->flow;
    struct rpc_call *call = hosted->asker;
    hosted->asker = NULL;
    CLEANUP_FREE Tcpflowgen__TCPInfo **rows = calloc(flow->row_count + 1, sizeof *rows);
    if (!rows) {
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    hosted->fetched = flow->over;
    if (flow->over && !seed_flow_connected(flow)) {
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, flow->report.error);
        return;
    }
    for (size_t i = 0; i < flow->row_count; i++)
        rows[i] = &flow->rows[i];
    Tcpflowgen__Results results = TCPFLOWGEN__RESULTS__INIT;
    results.id = flow->id;
    results.kbps = seed_flow_kbps(flow);
    results.tcpinfo = rows;
    results.n_tcpinfo = flow->row_count;
    rpc_finish(call, &results.base, RPC_OK, NULL);
}

/* The results are still there for its next call. */
static void asker_gone(struct rpc_call *call, void *arg)
{
    struct hosted *hosted = arg;
    if (hosted->asker != call)
        return;
    hosted->asker = NULL;
    rpc_finish(call, NULL, RPC_CANCELLED, "the master went away");
}

/* Returns whether time will yet bring something. */
static bool look_after(struct seed_service *service, struct hosted *hosted, int64_t now_ns)
{
    seed_flow_look_after(&hosted->flow, now_ns);
    if (hosted->asker && (hosted->flow.over || now_ns - hosted->asked_ns >= WAIT_NS))
        answer_results(hosted);
    const bool goes_on = hosted->flow.engine || hosted->asker;
    if (!goes_on && hosted->fetched)
        drop(service, hosted);
    return goes_on;
}

static void take_ready(struct seed_service *service)
{
    struct epoll_event events[64];
    int count;
    do {
        count = epoll_wait(service->ready_fd, events, COUNT_OF(events), 0);
        for (int i = 0; i < count; i++)
            seed_flow_take(events[i].data.ptr);
    } while (count == COUNT_OF(events));
}

static void tick(void *arg)
{
    struct seed_service *service = arg;
    const int64_t now = clock_now();
    bool goes_on = false;
    take_ready(service);
    for (struct hosted *hosted = TAILQ_FIRST(&service->flows), *next; hosted; hosted = next) {
        next = TAILQ_NEXT(hosted, next);
        goes_on |= look_after(service, hosted, now);
    }
    service->ticking = goes_on && rpc_loop_after(service->loop, TICK_MS, tick, service) == 0;
}

/* ---- calls ---- */

static void reply_empty(struct rpc_call *call)
{
    Tcpflowgen__SeedEmpty reply = TCPFLOWGEN__SEED_EMPTY__INIT;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

static void refuse(struct rpc_call *call, const struct error *err)
{
    char text[512];
    rpc_finish(call, NULL,
               err->code == ERROR_INPUT ? RPC_INVALID_ARGUMENT : RPC_FAILED_PRECONDITION,
               error_text(err, text, sizeof text));
}

/* What a Listen or StartFlow says of the end, addresses excepted. */
static int read_params(struct end_spec *spec, enum flow_end end,
                       const Tcpflowgen__FlowParams *params, struct error *err)
{
    if (params->duration == 0 || params->duration > MS_MAX || params->start > MS_MAX)
        return error_set(err, ERROR_INPUT, NULL, "flow %d: start or duration is out of range",
                         params->id);
    if (strlen(params->ccalg) >= CCALG_MAX)
        return error_set(err, ERROR_INPUT, NULL, "flow %d: \"%.32s...\" is no algorithm's name",
                         params->id, params->ccalg);
    *spec = (struct end_spec){
        .id = params->id,
        .end = end,
        .source = end == END_SRC,
        .sink = end == END_DST,
        .duration_ns = (int64_t)params->duration * NS_PER_MS,
        .ecn = params->ecn,
        .nodelay = params->nodelay,
        .connect = CONNECT_AT_START,
        .no_token = true,
    };
    strcpy(spec->ccalg, params->ccalg);
    return 0;
}

static int64_t begin_of(struct rpc_call *call, const Tcpflowgen__FlowParams *params)
{
    return rpc_received_ns(call) + (int64_t)params->start * NS_PER_MS;
}

/* Nobody proves here that he wants what a flow sends: an agent that strangers may reach says so. */
static int check_peer(const struct seed_service *service, const char *address, struct error *err)
{
    if (service->options->insecure || host_is_loopback(address, NULL) > 0)
        return 0;
    error_set(err, ERROR_FLOW, NULL,
              "%s is not a loopback address: in this protocol nobody there can say that he wants "
              "the flow",
              address);
    return error_cure(err, "start the agent with -insecure, or use `tcp-flowgen run` of today");
}

static void serve_hello(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    (void)message;
    (void)ctx;
    reply_empty(call);
}

static void serve_shutdown(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct seed_service *service = ctx;
    (void)message;
    if (!service->options->allow_shutdown) {
        rpc_finish(call, NULL, RPC_PERMISSION_DENIED, "this agent is not to be shut down");
    } else if (service_is_busy(service->beside)) {
        rpc_finish(call, NULL, RPC_FAILED_PRECONDITION, "another run is under way here");
    } else {
        log_info("a master asks this agent to exit");
        reply_empty(call);
        service->quit(service->quit_arg);
    }
}

static void serve_listen(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    const Tcpflowgen__FlowParams *params = (const Tcpflowgen__FlowParams *)message;
    struct error err = {0};
    struct end_spec spec = {0};
    uint16_t port = 0;
    if (read_params(&spec, END_DST, params, &err) ||
        add_flow(ctx, &spec, begin_of(call, params), &port, &err)) {
        refuse(call, &err);
        return;
    }
    Tcpflowgen__ListenStatus reply = TCPFLOWGEN__LISTEN_STATUS__INIT;
    reply.port = port;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}

/* A StartFlow whose destination is looked up: an errand. */
struct starting {
    struct seed_service *service;
    struct rpc_call *call;
    struct names_caller caller;
    char host[256];
    struct end_spec spec;
    int64_t begin_ns;
    const char *why; /* its destination has no address; NULL: it has */
};

/* The first address, in numbers. */
static void look_up(void *arg)
{
    struct starting *this = arg;
    struct addrinfo *found = NULL;
    this->why = names_find(&this->caller, this->host, &found);
    if (this->why)
        return;
    int failed = getnameinfo(found->ai_addr, found->ai_addrlen, this->spec.peer_address,
                             ADDRESS_MAX, NULL, 0, NI_NUMERICHOST);
    this->why = failed ? gai_strerror(failed) : NULL;
    freeaddrinfo(found);
}

static void start_flow(void *arg)
{
    struct starting *this = arg;
    struct error err = {0};
    uint16_t unused;
    int failed = 0;
    if (this->why)
        failed = error_set(&err, ERROR_INPUT, NULL, "cannot resolve \"%.200s\": %s", this->host,
                           this->why);
    if (!failed)
        failed = check_peer(this->service, this->spec.peer_address, &err);
    if (!failed)
        failed = add_flow(this->service, &this->spec, this->begin_ns, &unused, &err);
    if (failed)
        refuse(this->call, &err);
    else
        reply_empty(this->call);
    this->service->starting--;
    free(this);
}

static void starter_gone(struct rpc_call *call, void *arg)
{
    struct starting *this = arg;
    (void)call;
    names_cancel(&this->caller);
}

static void has_looked_up(void *arg)
{
    struct starting *this = arg;
    this->service->looking_up--;
    start_flow(this);
}

/* Numbers need no look-up; names wait for their turn. */
static void begin_to_start(void *arg)
{
    struct starting *this = arg;
    struct seed_service *service = this->service;
    const bool may_wait = clock_now() < this->caller.until_ns && !atomic_load(&this->caller.gone);
    if (host_is_numeric(this->host)) {
        look_up(this);
        start_flow(this);
        return;
    }
    if (service->looking_up < LOOK_UPS_A_CALLER &&
        errand_try(service->loop, "StartFlow", look_up, has_looked_up, this) == 0) {
        service->looking_up++;
        return;
    }
    if (may_wait && rpc_loop_after(service->loop, TICK_MS, begin_to_start, this) == 0)
        return;
    this->why = "too many names are being looked up at once";
    start_flow(this);
}

static void serve_start_flow(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    const Tcpflowgen__FlowParams *params = (const Tcpflowgen__FlowParams *)message;
    struct seed_service *service = ctx;
    struct error err = {0};
    struct starting *this = calloc(1, sizeof *this);
    int failed = this ? read_params(&this->spec, END_SRC, params, &err)
                      : error_set(&err, ERROR_SYSTEM, NULL, "out of memory");
    if (!failed && (params->port == 0 || params->port > UINT16_MAX))
        failed = error_set(&err, ERROR_INPUT, NULL, "flow %d: no port to connect to", params->id);
    if (!failed && service->starting >= FLOWS_MAX)
        failed = error_set(&err, ERROR_FLOW, NULL, "%d flows are about to start", FLOWS_MAX);
    if (!failed && strlen(params->dst) >= sizeof this->host)
        failed = error_set(&err, ERROR_INPUT, NULL, "flow %d: no host has such a name", params->id);
    if (failed || !this) {
        refuse(call, &err);
        free(this);
        return;
    }
    this->service = service;
    this->call = call;
    this->caller.names = service_names(service->beside);
    this->caller.until_ns = clock_now() + LOOK_UP_NS;
    snprintf(this->caller.key, sizeof this->caller.key, "%s", rpc_caller(call)->key);
    snprintf(this->host, sizeof this->host, "%s", params->dst);
    this->spec.peer_port = (uint16_t)params->port;
    this->begin_ns = begin_of(call, params);
    service->starting++;
    rpc_on_gone(call, starter_gone, this);
    begin_to_start(this);
}

static void serve_get_results(struct rpc_call *call, const ProtobufCMessage *message, void *ctx)
{
    struct seed_service *service = ctx;
    const int32_t id = ((const Tcpflowgen__FlowParams *)message)->id;
    struct hosted *hosted = find_results(service, id);
    if (!hosted) {
        rpc_finish(call, NULL, RPC_NOT_FOUND, "unknown flow");
        return;
    }
    if (hosted->asker)
        rpc_finish(hosted->asker, NULL, RPC_CANCELLED, "asked again");
    hosted->asker = call;
    hosted->asked_ns = clock_now();
    rpc_on_gone(call, asker_gone, hosted);
    if (!service->ticking)
        tick(service);
}

enum { HELLO, SHUTDOWN, LISTEN, START_FLOW, GET_RESULTS, METHODS };

#define METHOD(name, request, response)                                       \
    {                                                                         \
        "/tcpflowgen.TcpFlowGen/" name, &tcpflowgen__##request##__descriptor, \
            &tcpflowgen__##response##__descriptor, RPC_UNARY                  \
    }

static const struct rpc_method methods[METHODS] = {
    [HELLO] = METHOD("Hello", seed_empty, seed_empty),
    [SHUTDOWN] = METHOD("Shutdown", seed_empty, seed_empty),
    [LISTEN] = METHOD("Listen", flow_params, listen_status),
    [START_FLOW] = METHOD("StartFlow", flow_params, seed_empty),
    [GET_RESULTS] = METHOD("GetResults", flow_params, results),
};

static rpc_serve *const serve[METHODS] = {
    [HELLO] = serve_hello,           [SHUTDOWN] = serve_shutdown,       [LISTEN] = serve_listen,
    [START_FLOW] = serve_start_flow, [GET_RESULTS] = serve_get_results,
};

/* ---- life ---- */

int seed_service_create(struct seed_service **out, struct rpc_loop *loop,
                        const struct agent_options *options, const struct service *beside,
                        void (*quit)(void *arg), void *arg, struct error *err)
{
    struct seed_service *service = calloc(1, sizeof *service);
    if (!service)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    *service = (struct seed_service){
        .loop = loop,
        .options = options,
        .beside = beside,
        .quit = quit,
        .quit_arg = arg,
        .ready_fd = epoll_create1(EPOLL_CLOEXEC),
        .table = {.methods = methods,
                  .serve = serve,
                  .count = METHODS,
                  .ctx = service,
                  .next = service_table(beside)},
    };
    TAILQ_INIT(&service->flows);
    if (service->ready_fd < 0) {
        const int cause = errno;
        free(service);
        return error_set_errno(err, ERROR_SYSTEM, cause, NULL, "cannot make an epoll");
    }
    *out = service;
    return 0;
}

const struct rpc_service *seed_service_table(const struct seed_service *service)
{
    return &service->table;
}

void seed_service_destroy(struct seed_service *service)
{
    if (!service)
        return;
    while (service->starting) /* not for long: their callers are gone */
        rpc_loop_run(service->loop, -1);
    rpc_loop_cancel(service->loop, tick, service);
    while (!TAILQ_EMPTY(&service->flows))
        drop(service, TAILQ_FIRST(&service->flows));
    close(service->ready_fd);
    free(service);
}
