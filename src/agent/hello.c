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
#include "util/cleanup.h"
#include "util/version.h"

#define HOSTS_MAX          4096
#define HELLO_PROBLEMS_MAX 64
#define BUSY_MAX           64 /* Hellos at once: each has a thread, while names are looked up */

/* Everything that the reply points to, in one block. */
struct answer {
    struct hello_desk *desk;
    struct rpc_call *call;
    Tcpflowgen__HelloRequest *request; /* owned */
    bool looked_up;                    /* nothing lacked memory */
    Tcpflowgen__HelloReply reply;
    struct utsname uname;
    char hostname[256];
    char boot[64], netns[32];
    char ends_reason[256];
    Tcpflowgen__ClockDiscipline discipline;
    char algorithm_text[ALGORITHMS_MAX][CCALG_MAX];
    char *algorithms[ALGORITHMS_MAX];
    char problem_text[HELLO_PROBLEMS_MAX][512];
    char *problems[HELLO_PROBLEMS_MAX];
    struct resolved {
        Tcpflowgen__ResolvedHost message;
        char error[512];
        struct host_address addresses[HOST_ADDRESSES_MAX];
        Tcpflowgen__HostAddress messages[HOST_ADDRESSES_MAX];
        Tcpflowgen__HostAddress *pointers[HOST_ADDRESSES_MAX];
    } * resolved;
    Tcpflowgen__ResolvedHost **hosts;
    char interface_names[HOST_INTERFACES_MAX][DEVICE_MAX];
    char *interfaces[HOST_INTERFACES_MAX];
    struct machine machine;
};

static void add_problem(struct answer *answer, const struct error *err)
{
    size_t n = answer->reply.n_problems;
    if (n == HELLO_PROBLEMS_MAX)
        return;
    error_text(err, answer->problem_text[n], sizeof answer->problem_text[n]);
    answer->problems[n] = answer->problem_text[n];
    answer->reply.problems = answer->problems;
    answer->reply.n_problems = n + 1;
}

static unsigned cpus_allowed(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

/* Machine and network namespace: an inode alone is unique only on its machine, until that is booted
 * anew. */
static void name_place(struct answer *answer)
{
    CLEANUP_FCLOSE FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!file || !fgets(answer->boot, sizeof answer->boot, file))
        answer->boot[0] = '\0';
    answer->boot[strcspn(answer->boot, "\n")] = '\0';
    struct stat ns = {0};
    if (stat("/proc/self/ns/net", &ns) == 0)
        snprintf(answer->netns, sizeof answer->netns, "%llu", (unsigned long long)ns.st_ino);
    answer->reply.boot = answer->boot;
    answer->reply.netns = answer->netns;
}

static void describe(struct answer *answer, const struct agent_options *options,
                     const char *instance)
{
    Tcpflowgen__HelloReply *reply = &answer->reply;
    reply->protocol = AGENT_PROTOCOL;
    reply->version = (char *)TCP_FLOWGEN_VERSION;
    reply->instance = (char *)instance;
    if (gethostname(answer->hostname, sizeof answer->hostname - 1) == 0)
        reply->hostname = answer->hostname;
    if (uname(&answer->uname) == 0) {
        reply->kernel = answer->uname.release;
        reply->machine = answer->uname.machine;
    }
    reply->cpus = cpus_allowed();
    reply->workers = options->workers ? options->workers : reply->cpus;
    reply->interval_ns = options->interval_ns;
    reply->max_ends =
        capacity_ends(answer->request->ends, answer->ends_reason, sizeof answer->ends_reason);
    reply->max_ends_reason = answer->ends_reason;
    const struct spool_bounds bounds = spool_place_bounds(options);
    reply->spool_free_bytes = spool_place_room(&bounds, NULL);
    struct clock_discipline discipline = discipline_read();
    message_from_discipline(&answer->discipline, &discipline);
    reply->discipline = discipline.known ? &answer->discipline : NULL;
    name_place(answer);
}

static void list_algorithms(struct answer *answer)
{
    int count = algorithms_available(answer->algorithm_text);
    for (int i = 0; i < count; i++)
        answer->algorithms[i] = answer->algorithm_text[i];
    answer->reply.n_ccalgs = count > 0 ? (size_t)count : 0;
    answer->reply.ccalgs = answer->algorithms;
}

static void look_for_problems(struct answer *answer, const Tcpflowgen__HelloRequest *request,
                              const struct agent_options *options)
{
    struct error err = {0};
    const struct spool_bounds bounds = spool_place_bounds(options);
    if (spool_place_check(options, &err) || spool_place_room(&bounds, &err) == 0)
        add_problem(answer, &err);
    for (size_t i = 0; i < request->n_ccalgs; i++)
        if (algorithm_check(request->ccalgs[i], &err))
            add_problem(answer, &err);
    if (request->opens_ecn && ecn_can_connect(true, &err))
        add_problem(answer, &err);
    if (request->opens_plain && ecn_can_connect(false, &err))
        add_problem(answer, &err);
    if (request->accepts_ecn && ecn_can_accept(&err))
        add_problem(answer, &err);
}

static void resolve(struct resolved *out, const Tcpflowgen__AgentHost *host)
{
    tcpflowgen__resolved_host__init(&out->message);
    out->message.name = host->name;
    struct error err = {0};
    int count = host_resolve(host->host, host->bind, host->device, out->addresses, &err);
    if (count <= 0)
        out->message.error = error_text(&err, out->error, sizeof out->error);
    for (int i = 0; i < count; i++) {
        Tcpflowgen__HostAddress *message = &out->messages[i];
        tcpflowgen__host_address__init(message);
        message->address = out->addresses[i].address;
        message->bind = out->addresses[i].bind;
        message->interface = out->addresses[i].interface;
        out->pointers[i] = message;
    }
    out->message.addresses = out->pointers;
    out->message.n_addresses = count > 0 ? (size_t)count : 0;
}

static bool resolve_all(struct answer *answer)
{
    const Tcpflowgen__HelloRequest *request = answer->request;
    size_t count = request->n_hosts;
    answer->resolved = calloc(count + 1, sizeof *answer->resolved);
    answer->hosts = calloc(count + 1, sizeof(*answer->hosts));
    if (!answer->resolved || !answer->hosts)
        return false;
    for (size_t i = 0; i < count; i++) {
        resolve(&answer->resolved[i], request->hosts[i]);
        answer->hosts[i] = &answer->resolved[i].message;
    }
    answer->reply.hosts = answer->hosts;
    answer->reply.n_hosts = count;
    return true;
}

/* ---- interfaces to be sampled ---- */

static void add_interface(struct answer *answer, const char *name, size_t size)
{
    size_t n = answer->reply.n_interfaces;
    if (size == 0 || size >= DEVICE_MAX || n == HOST_INTERFACES_MAX)
        return;
    snprintf(answer->interface_names[n], DEVICE_MAX, "%.*s", (int)size, name);
    for (size_t i = 0; i < n; i++)
        if (strcmp(answer->interfaces[i], answer->interface_names[n]) == 0)
            return;
    answer->interfaces[n] = answer->interface_names[n];
    answer->reply.interfaces = answer->interfaces;
    answer->reply.n_interfaces = n + 1;
}

static void add_named(struct answer *answer, const Tcpflowgen__AgentHost *host)
{
    char name[DEVICE_MAX];
    for (const char *at = host->interfaces; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t size = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : 0), at);
        add_interface(answer, name, strlen(name));
        if (if_nametoindex(name))
            continue;
        struct error err = {0};
        error_set(&err, ERROR_AGENT, host->name, "there is no interface \"%s\" here to sample",
                  name);
        error_cure(&err, "name one that `ip link` shows there in \"interfaces\"");
        add_problem(answer, &err);
    }
}

static void list_interfaces(struct answer *answer)
{
    for (size_t i = 0; i < answer->request->n_hosts; i++) {
        const Tcpflowgen__AgentHost *host = answer->request->hosts[i];
        const Tcpflowgen__ResolvedHost *resolved = answer->hosts[i];
        if (host->interfaces[0])
            add_named(answer, host);
        else if (host->device[0])
            add_interface(answer, host->device, strlen(host->device));
        for (size_t a = 0; a < resolved->n_addresses && !host->interfaces[0]; a++)
            add_interface(answer, resolved->addresses[a]->interface,
                          strlen(resolved->addresses[a]->interface));
    }
}

/* ---- serving ---- */

static void answer_free(struct answer *answer)
{
    if (answer->request)
        tcpflowgen__hello_request__free_unpacked(answer->request, NULL);
    settings_free(answer->reply.settings, answer->reply.n_settings);
    machine_fini(&answer->machine);
    free(answer->resolved);
    free(answer->hosts);
    free(answer);
}

/* A thread of its own: the resolver takes its time, and the kernel some. */
static void look_up(void *arg)
{
    struct answer *answer = arg;
    Tcpflowgen__HelloReply *reply = &answer->reply;
    bool failed = !resolve_all(answer);
    if (!failed) {
        list_interfaces(answer);
        failed = provenance_read(&answer->machine, reply->interfaces, reply->n_interfaces) != 0;
        reply->settings = settings_to_messages(&answer->machine, &reply->n_settings, &failed);
        struct error err = {0};
        if (answer->request->flush_metrics && provenance_may_flush(&err))
            add_problem(answer, &err);
    }
    answer->looked_up = !failed;
}

static void reply(void *arg)
{
    struct answer *answer = arg;
    struct hello_desk *desk = answer->desk;
    desk->busy--;
    if (answer->looked_up) {
        describe(answer, desk->options, desk->instance);
        list_algorithms(answer);
        answer->reply.runs_under_way = runs_with_flows(desk->runs);
        look_for_problems(answer, answer->request, desk->options);
        rpc_finish(answer->call, &answer->reply.base, RPC_OK, NULL);
    } else {
        rpc_finish(answer->call, NULL, RPC_RESOURCE_EXHAUSTED, "out of memory");
    }
    answer_free(answer);
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

void hello_serve(struct rpc_call *call, const Tcpflowgen__HelloRequest *request,
                 struct hello_desk *desk)
{
    if (request->n_hosts > HOSTS_MAX || request->n_ccalgs > ALGORITHMS_MAX) {
        rpc_finish(call, NULL, RPC_INVALID_ARGUMENT, "too many hosts or algorithms in one Hello");
        return;
    }
    if (desk->busy == BUSY_MAX) {
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED,
                   "too many masters say Hello here at once: try again in a moment");
        return;
    }
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer)
        answer->request = copy_request(request);
    if (!answer || !answer->request) {
        rpc_finish(call, NULL, RPC_RESOURCE_EXHAUSTED, "out of memory");
        if (answer)
            answer_free(answer);
        return;
    }
    tcpflowgen__hello_reply__init(&answer->reply);
    answer->desk = desk;
    answer->call = call;
    desk->busy++;
    errand_run(desk->loop, look_up, reply, answer);
}
