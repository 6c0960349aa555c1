#include "agent/hello.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/capacity.h"
#include "agent/errand.h"
#include "agent/names.h"
#include "agent/provenance.h"
#include "agent/spool_place.h"
#include "engine/algorithms.h"
#include "engine/ecn.h"
#include "engine/hosts.h"
#include "format/machine_message.h"
#include "format/message.h"
#include "model/host_series.h"
#include "probe/discipline.h"
#include "rpc/service.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/location.h"
#include "util/version.h"

#define HELLO_PROBLEMS_MAX 64             /* and lacks, together */
#define LOOK_UP_NS         (3 * NS_PER_S) /* for all names; a master waits for 4 s */
#define ERROR_BYTES        512            /* of a host, or a problem */
#define CURE_BYTES         sizeof((struct error){0}.cure)
#define OTHERS_MAX         (512 << 10) /* bytes of what else an answer says: settings, mostly */
#define ADDRESS_BYTES      (sizeof(struct host_address) + 16)

/* A host that was sent back with its name has either addresses or an error. */
_Static_assert(HELLO_BYTES_MAX + HELLO_ADDRESSES_MAX * ADDRESS_BYTES +
                       HELLO_PROBLEMS_MAX * (ERROR_BYTES + CURE_BYTES) + OTHERS_MAX <
                   RPC_MESSAGE_MAX,
               "an answer is one message");
_Static_assert(ERROR_BYTES < ADDRESS_BYTES * HELLO_ADDRESSES_MAX / HELLO_HOSTS_MAX,
               "also one of errors alone");

/* One of a Hello's hosts. */
struct resolved {
    Tcpflowgen__ResolvedHost message;
    char *error;
    struct place {
        struct host_address address;
        Tcpflowgen__HostAddress message;
    } * places;
    Tcpflowgen__HostAddress **pointers;
};

/* One that is being answered, with everything that the reply points to, in one block. */
struct hello {
    struct hello_desk *desk;
    struct hello *next;
    struct rpc_call *call;
    struct names_caller caller;
    const struct agent_options *options;
    Tcpflowgen__HelloRequest *request; /* owned */
    bool complete;                     /* nothing lacked memory */
    Tcpflowgen__HelloReply reply;
    struct utsname uname;
    char hostname[256];
    struct location location;
    char ends_reason[256];
    char spool_reason[sizeof(struct error)];
    Tcpflowgen__ClockDiscipline discipline;
    char algorithm_text[ALGORITHMS_MAX][CCALG_MAX];
    char *algorithms[ALGORITHMS_MAX];
    char problem_text[HELLO_PROBLEMS_MAX][ERROR_BYTES];
    char *problems[HELLO_PROBLEMS_MAX];
    char cure_text[HELLO_PROBLEMS_MAX][CURE_BYTES];
    char *cures[HELLO_PROBLEMS_MAX];
    char lack_text[HELLO_PROBLEMS_MAX][ERROR_BYTES];
    char *lacks[HELLO_PROBLEMS_MAX];
    size_t host_count;
    struct resolved *resolved;
    Tcpflowgen__ResolvedHost **hosts;
    char interface_names[HOST_INTERFACES_MAX][DEVICE_MAX];
    char *interfaces[HOST_INTERFACES_MAX];
    struct machine machine;
};

static void add_problem(struct hello *hello, const struct error *err)
{
    size_t n = hello->reply.n_problems;
    if (n == HELLO_PROBLEMS_MAX)
        return;
    error_text(err, hello->problem_text[n], sizeof hello->problem_text[n]);
    hello->problems[n] = hello->problem_text[n];
    snprintf(hello->cure_text[n], sizeof hello->cure_text[n], "%s", err->cure);
    hello->cures[n] = hello->cure_text[n];
    hello->reply.problems = hello->problems;
    hello->reply.cures = hello->cures;
    hello->reply.n_problems = hello->reply.n_cures = n + 1;
}

static unsigned cpus_allowed(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

static void describe(struct hello *hello)
{
    const struct agent_options *options = hello->options;
    Tcpflowgen__HelloReply *reply = &hello->reply;
    reply->protocol = AGENT_PROTOCOL;
    reply->version = (char *)TCP_FLOWGEN_VERSION;
    if (gethostname(hello->hostname, sizeof hello->hostname - 1) == 0)
        reply->hostname = hello->hostname;
    if (uname(&hello->uname) == 0) {
        reply->kernel = hello->uname.release;
        reply->machine = hello->uname.machine;
    }
    reply->cpus = cpus_allowed();
    reply->workers = options->workers ? options->workers : reply->cpus;
    reply->interval_ns = options->interval_ns;
    reply->max_ends =
        capacity_ends(hello->request->ends, hello->ends_reason, sizeof hello->ends_reason);
    reply->max_ends_reason = hello->ends_reason;
    const struct spool_bounds bounds = spool_place_bounds(options, hello->caller.key);
    struct error bound = {0};
    reply->spool_directory = (char *)options->spool_directory;
    reply->spool_free_bytes = spool_place_room(&bounds, &bound);
    reply->spool_reason = error_text(&bound, hello->spool_reason, sizeof hello->spool_reason);
    struct clock_discipline discipline = discipline_read();
    message_from_discipline(&hello->discipline, &discipline);
    reply->discipline = discipline.known ? &hello->discipline : NULL;
    location_here(&hello->location);
    reply->boot = hello->location.boot;
    reply->netns = hello->location.netns;
}

static void list_algorithms(struct hello *hello)
{
    int count = algorithms_available(hello->algorithm_text);
    for (int i = 0; i < count; i++)
        hello->algorithms[i] = hello->algorithm_text[i];
    hello->reply.n_ccalgs = count > 0 ? (size_t)count : 0;
    hello->reply.ccalgs = hello->algorithms;
}

/* What keeps no run from going on, and needs no cure. */
static void look_for_lacks(struct hello *hello)
{
    const Tcpflowgen__HelloRequest *request = hello->request;
    Tcpflowgen__HelloReply *reply = &hello->reply;
    struct error err;
    reply->lacks = hello->lacks;
    for (size_t i = 0; i < request->n_wished_ccalgs; i++) {
        const size_t n = reply->n_lacks;
        if (reply->n_problems + n == HELLO_PROBLEMS_MAX)
            return;
        if (algorithm_check(request->wished_ccalgs[i], &err) == 0)
            continue;
        snprintf(hello->lack_text[n], sizeof hello->lack_text[n], "%s", err.what);
        hello->lacks[n] = hello->lack_text[n];
        reply->n_lacks = n + 1;
    }
}

static void look_for_problems(struct hello *hello)
{
    const Tcpflowgen__HelloRequest *request = hello->request;
    struct error err = {0};
    if (spool_place_admit(hello->options, hello->caller.key, &err))
        add_problem(hello, &err);
    for (size_t i = 0; i < request->n_ccalgs; i++)
        if (algorithm_check(request->ccalgs[i], &err))
            add_problem(hello, &err);
    if (request->opens_ecn && ecn_can_connect(true, &err))
        add_problem(hello, &err);
    if (request->opens_plain && ecn_can_connect(false, &err))
        add_problem(hello, &err);
    if (request->accepts_ecn && ecn_can_accept(&err))
        add_problem(hello, &err);
    if (request->flush_metrics && provenance_may_flush(hello->options->allow_flush_metrics, &err))
        add_problem(hello, &err);
}

static bool take_places(struct resolved *out, const struct host_address *found, size_t count)
{
    out->places = calloc(count, sizeof *out->places);
    out->pointers = calloc(count, sizeof(*out->pointers));
    if (!out->places || !out->pointers)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct place *place = &out->places[i];
        tcpflowgen__host_address__init(&place->message);
        place->address = found[i];
        place->message.address = place->address.address;
        place->message.bind = place->address.bind;
        place->message.interface = place->address.interface;
        out->pointers[i] = &place->message;
    }
    out->message.addresses = out->pointers;
    out->message.n_addresses = count;
    return true;
}

/* With so many addresses at most.  False: out of memory. */
static bool resolve(struct resolved *out, const Tcpflowgen__AgentHost *host, size_t most,
                    struct names_caller *caller)
{
    struct host_address found[HOST_ADDRESSES_MAX];
    struct error err = {0};
    char text[ERROR_BYTES];
    tcpflowgen__resolved_host__init(&out->message);
    out->message.name = host->name;
    int count = host_resolve(host->host, host->bind, host->device, names_find, caller, found, &err);
    if (count > 0)
        return take_places(out, found, (size_t)count < most ? (size_t)count : most);
    out->error = strdup(error_text(&err, text, sizeof text));
    if (out->error)
        out->message.error = out->error;
    return out->error;
}

static bool resolve_all(struct hello *hello)
{
    const Tcpflowgen__HelloRequest *request = hello->request;
    size_t count = request->n_hosts;
    hello->resolved = calloc(count + 1, sizeof *hello->resolved);
    hello->hosts = calloc(count + 1, sizeof(*hello->hosts));
    if (!hello->resolved || !hello->hosts)
        return false;
    hello->host_count = count;
    const size_t most = HELLO_ADDRESSES_MAX / (count + 1);
    for (size_t i = 0; i < count; i++) {
        if (atomic_load(&hello->caller.gone) ||
            !resolve(&hello->resolved[i], request->hosts[i], most, &hello->caller))
            return false;
        hello->hosts[i] = &hello->resolved[i].message;
    }
    hello->reply.hosts = hello->hosts;
    hello->reply.n_hosts = count;
    return true;
}

/* ---- interfaces to be sampled ---- */

static bool is_listed(const struct hello *hello, const char *name)
{
    for (size_t i = 0; i < hello->reply.n_interfaces; i++)
        if (strcmp(hello->interfaces[i], name) == 0)
            return true;
    return false;
}

/* False: there is no room. */
static bool add_interface(struct hello *hello, const char *name)
{
    size_t n = hello->reply.n_interfaces;
    if (!*name || strlen(name) >= DEVICE_MAX || is_listed(hello, name))
        return true;
    if (n == HOST_INTERFACES_MAX)
        return false;
    snprintf(hello->interface_names[n], DEVICE_MAX, "%s", name);
    hello->interfaces[n] = hello->interface_names[n];
    hello->reply.interfaces = hello->interfaces;
    hello->reply.n_interfaces = n + 1;
    return true;
}

static void refuse_interface(struct hello *hello, const char *host, const char *name)
{
    struct error err = {0};
    error_set(&err, ERROR_AGENT, host, "there is no interface \"%s\" here to sample", name);
    error_cure(&err, "name one that `ip link` shows there in \"interfaces\"");
    add_problem(hello, &err);
}

/* The kernel is asked for as many as there is room for. */
static void add_named(struct hello *hello, const Tcpflowgen__AgentHost *host)
{
    char name[DEVICE_MAX];
    bool room = true;
    for (const char *at = host->interfaces; at && room;
         at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t size = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : 0), at);
        if (is_listed(hello, name))
            continue;
        if (if_nametoindex(name))
            room = add_interface(hello, name);
        else
            refuse_interface(hello, host->name, name);
        room = room && hello->reply.n_problems < HELLO_PROBLEMS_MAX;
    }
}

static void list_interfaces(struct hello *hello)
{
    for (size_t i = 0; i < hello->request->n_hosts; i++) {
        const Tcpflowgen__AgentHost *host = hello->request->hosts[i];
        const Tcpflowgen__ResolvedHost *resolved = hello->hosts[i];
        if (host->interfaces[0])
            add_named(hello, host);
        else if (host->device[0])
            add_interface(hello, host->device);
        for (size_t a = 0; a < resolved->n_addresses && !host->interfaces[0]; a++)
            add_interface(hello, resolved->addresses[a]->interface);
    }
}

/* ---- serving ---- */

static void hello_free(struct hello *hello)
{
    for (size_t i = 0; i < hello->host_count; i++) {
        free(hello->resolved[i].error);
        free(hello->resolved[i].places);
        free(hello->resolved[i].pointers);
    }
    if (hello->request)
        tcpflowgen__hello_request__free_unpacked(hello->request, NULL);
    settings_free(hello->reply.settings, hello->reply.n_settings);
    machine_fini(&hello->machine);
    free(hello->resolved);
    free(hello->hosts);
    free(hello);
}

/* An errand's work: name servers take their time, and the kernel and the disk some. */
static void look_up(void *arg)
{
    struct hello *hello = arg;
    Tcpflowgen__HelloReply *reply = &hello->reply;
    bool failed = !resolve_all(hello);
    if (failed)
        return;
    list_interfaces(hello);
    failed = provenance_read(&hello->machine, reply->interfaces, reply->n_interfaces) != 0;
    reply->settings = settings_to_messages(&hello->machine, &reply->n_settings, &failed);
    describe(hello);
    list_algorithms(hello);
    look_for_problems(hello);
    look_for_lacks(hello);
    hello->complete = !failed;
}

static void take_out(struct hello *hello)
{
    struct hello **at = &hello->desk->hellos;
    while (*at != hello)
        at = &(*at)->next;
    *at = hello->next;
}

static void reply(void *arg)
{
    struct hello *hello = arg;
    const struct hello_desk *desk = hello->desk;
    take_out(hello);
    hello->reply.instance = (char *)desk->instance;
    hello->reply.runs_under_way = runs_with_flows(desk->runs);
    if (hello->complete)
        rpc_finish(hello->call, &hello->reply.base, RPC_OK, NULL);
    else if (atomic_load(&hello->caller.gone))
        rpc_finish(hello->call, NULL, RPC_CANCELLED, "the master went away");
    else
        rpc_finish(hello->call, NULL, RPC_RESOURCE_EXHAUSTED, "out of memory");
    hello_free(hello);
}

static void caller_gone(struct rpc_call *call, void *arg)
{
    struct hello *hello = arg;
    (void)call;
    names_cancel(&hello->caller);
}

/* The caller's goes when the call was served. */
static Tcpflowgen__HelloRequest *copy_request(const Tcpflowgen__HelloRequest *request)
{
    size_t size = tcpflowgen__hello_request__get_packed_size(request);
    CLEANUP_FREE uint8_t *packed = malloc(size + 1);
    if (!packed)
        return NULL;
    tcpflowgen__hello_request__pack(request, packed);
    return tcpflowgen__hello_request__unpack(NULL, size, packed);
}

/* What is wrong with it, or NULL. */
static const char *request_fault(const Tcpflowgen__HelloRequest *request)
{
    size_t names = 0;
    if (request->n_hosts > HELLO_HOSTS_MAX || request->n_ccalgs > ALGORITHMS_MAX ||
        request->n_wished_ccalgs > ALGORITHMS_MAX)
        return "too many hosts or algorithms in one Hello";
    if (tcpflowgen__hello_request__get_packed_size(request) > HELLO_BYTES_MAX)
        return "a Hello of more than 1 MiB";
    for (size_t i = 0; i < request->n_hosts; i++)
        names += !host_is_numeric(request->hosts[i]->host);
    return names > HELLO_NAMES_MAX ? "an agent looks 64 names up at most: write addresses" : NULL;
}

static bool has_room(const struct hello_desk *desk, const char *key, size_t hosts)
{
    size_t all = 0, own = 0, all_hosts = hosts, own_hosts = hosts;
    for (const struct hello *at = desk->hellos; at; at = at->next) {
        const bool same = strcmp(at->caller.key, key) == 0;
        all++;
        own += same;
        all_hosts += at->request->n_hosts;
        own_hosts += same ? at->request->n_hosts : 0;
    }
    return all < HELLOS_MAX && own < HELLOS_A_CALLER && own_hosts <= HELLO_HOSTS_MAX &&
           all_hosts <= HELLO_HOSTS_ALL;
}

static struct hello *hello_new(struct rpc_call *call, const Tcpflowgen__HelloRequest *request,
                               struct hello_desk *desk)
{
    struct hello *hello = calloc(1, sizeof *hello);
    if (!hello)
        return NULL;
    tcpflowgen__hello_reply__init(&hello->reply);
    hello->desk = desk;
    hello->call = call;
    hello->options = desk->options;
    hello->caller.names = desk->names;
    hello->caller.until_ns = clock_now() + LOOK_UP_NS;
    snprintf(hello->caller.key, sizeof hello->caller.key, "%s", rpc_caller(call)->key);
    hello->request = copy_request(request);
    if (hello->request)
        return hello;
    hello_free(hello);
    return NULL;
}

void hello_serve(struct rpc_call *call, const Tcpflowgen__HelloRequest *request,
                 struct hello_desk *desk)
{
    const char *fault = request_fault(request);
    if (fault) {
        rpc_finish(call, NULL, RPC_INVALID_ARGUMENT, fault);
        return;
    }
    if (!has_room(desk, rpc_caller(call)->key, request->n_hosts)) {
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED,
                   "too many masters say Hello here at once: try again in a moment");
        return;
    }
    struct hello *hello = hello_new(call, request, desk);
    if (!hello || errand_try(desk->loop, "Hello", look_up, reply, hello)) {
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED, "out of memory or threads");
        if (hello)
            hello_free(hello);
        return;
    }
    hello->next = desk->hellos;
    desk->hellos = hello;
    rpc_on_gone(call, caller_gone, hello);
}

void hello_fini(struct hello_desk *desk)
{
    while (desk->hellos)
        rpc_loop_run(desk->loop, -1);
}
