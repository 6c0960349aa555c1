#include "agent/probe_service.h"

#include <string.h>

#include "util/random.h"
#include "util/secret.h"

static bool listens_everywhere(const struct endpoint *listen)
{
    const char *host = listen->host;
    return (!*host && !listen->path[0]) || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
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
    const struct probe_announcement announcement = {
        .secret = request->secret.data,
        .key = request->key.data,
        .address = request->address,
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
