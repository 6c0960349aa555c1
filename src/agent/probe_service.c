#include "agent/probe_service.h"

#include <stdio.h>
#include <string.h>

#include "model/flow.h"
#include "util/address.h"
#include "util/random.h"
#include "util/secret.h"

static bool listens_everywhere(const struct endpoint *listen)
{
    const char *host = listen->host;
    return (!*host && !listen->path[0]) || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* The address as it is reached here: a link-local one by the interface that the master's call came
 * by. */
static const char *local_address(const char *address, const char *caller, char out[ADDRESS_MAX])
{
    const char *scope = strchr(caller, '%');
    if (!scope || strchr(address, '%') || !host_is_link_local(address))
        return address;
    snprintf(out, ADDRESS_MAX, "%s%s", address, scope);
    return out;
}

void probe_serve(struct rpc_call *call, const Tcpflowgen__ProbeRequest *request,
                 const struct agent_options *options, struct responder *responder)
{
    if (!random_id_is_sound(request->run) || request->key.len != PROBE_KEY_SIZE ||
        request->secret.len != SECRET_SIZE) {
        rpc_finish(call, NULL, RPC_INVALID_ARGUMENT, "a Probe with a wrong run, key or secret");
        return;
    }
    const char *caller = rpc_caller(call)->address;
    char local[ADDRESS_MAX];
    const struct probe_announcement announcement = {
        .secret = request->secret.data,
        .key = request->key.data,
        .address = local_address(request->address, caller, local),
        .sources = {request->source, caller[0] ? caller : NULL},
        .anywhere = listens_everywhere(&options->listen),
        .port_first = options->data_port_first,
        .port_last = options->data_port_last,
    };
    struct error err = {0};
    uint16_t port = 0;
    int failed = responder_add(responder, &announcement, &port, &err);
    if (failed) {
        rpc_finish(call, NULL,
                   failed == ERROR_INPUT ? RPC_INVALID_ARGUMENT : RPC_FAILED_PRECONDITION,
                   err.what);
        return;
    }
    Tcpflowgen__ProbeReply reply = TCPFLOWGEN__PROBE_REPLY__INIT;
    reply.port = port;
    rpc_finish(call, &reply.base, RPC_OK, NULL);
}
