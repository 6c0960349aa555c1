#include "rpc/service.h"

#include "proto/agent.pb-c.h"

#define METHOD(name, request, response, kind)                            \
    {                                                                    \
        "/tcpflowgen.Agent/" name, &tcpflowgen__##request##__descriptor, \
            &tcpflowgen__##response##__descriptor, kind                  \
    }

const struct rpc_method agent_methods[AGENT_METHODS] = {
    [AGENT_HELLO] = METHOD("Hello", hello_request, hello_reply, RPC_UNARY),
    [AGENT_CLOCK] = METHOD("Clock", clock_request, clock_reply, RPC_UNARY),
    [AGENT_PROBE] = METHOD("Probe", probe_request, probe_reply, RPC_UNARY),
    [AGENT_PREPARE] = METHOD("Prepare", prepare_request, prepare_reply, RPC_UNARY),
    [AGENT_START] = METHOD("Start", start_request, start_reply, RPC_UNARY),
    [AGENT_WATCH] = METHOD("Watch", watch_request, watch_reply, RPC_SERVER_STREAM),
    [AGENT_STOP] = METHOD("Stop", run_request, run_reply, RPC_UNARY),
    [AGENT_COLLECT] = METHOD("Collect", watch_request, watch_reply, RPC_SERVER_STREAM),
    [AGENT_FORGET] = METHOD("Forget", run_request, run_reply, RPC_UNARY),
    [AGENT_SHUTDOWN] = METHOD("Shutdown", run_request, run_reply, RPC_UNARY),
};
