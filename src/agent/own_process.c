#include "agent/own_process.h"

#include "engine/engine.h"
#include "rpc/rpc.h"

size_t own_process_reserve(void)
{
    const size_t half = engine_ends_max(0) / 2;
    return half < RPC_SERVER_DESCRIPTORS ? half : RPC_SERVER_DESCRIPTORS;
}

size_t own_process_ends_max(void)
{
    return engine_ends_max(own_process_reserve());
}

size_t own_process_descriptors(size_t ends)
{
    const size_t half = ends ? ends - 1 : 0;
    return engine_descriptors(ends) +
           (half < RPC_SERVER_DESCRIPTORS ? half : RPC_SERVER_DESCRIPTORS);
}
