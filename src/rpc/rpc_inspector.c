#include "rpc/rpc_inspector.h"

void rpc_inspector_init(struct rpc_inspector *inspector)
{
    *inspector = (struct rpc_inspector){.greeted = false};
    rpc_frames_init(&inspector->frames);
}

/* One more of what may come `burst` times at once, and again each interval. */
static bool is_due(int64_t *until_ns, int64_t now_ns, int64_t interval_ns, int64_t burst)
{
    const int64_t least_ns = now_ns - burst * interval_ns;
    *until_ns = (*until_ns > least_ns ? *until_ns : least_ns) + interval_ns;
    return *until_ns <= now_ns;
}

/* HEADERS, or what continues them, which may be empty: so heads count. */
static const char *add_to_block(struct rpc_inspector *inspector, const struct rpc_frame *frame)
{
    inspector->block_bytes += RPC_FRAME_HEAD + frame->length;
    inspector->block_of = frame->flags & FRAME_END_HEADERS ? 0 : frame->stream;
    return inspector->block_bytes > RPC_BLOCK_MAX ? "its headers are longer than 4096 bytes" : NULL;
}

static const char *take_headers(struct rpc_inspector *inspector, const struct rpc_frame *frame,
                                int64_t now_ns)
{
    if (frame->stream % 2 == 0)
        return "it makes a call on a stream that is not a client's";
    if (frame->stream > inspector->newest) {
        if (!is_due(&inspector->calls_ns, now_ns, RPC_CALLS_NS, RPC_CALLS_BURST))
            return "it makes more than 200 calls a second";
        inspector->newest = frame->stream;
        inspector->opened += !inspector->acknowledged;
    }
    if (inspector->opened > RPC_STREAMS_EARLY)
        return "it makes more than 32 calls, and has not acknowledged the agent's SETTINGS";
    inspector->block_bytes = 0;
    return add_to_block(inspector, frame);
}

/* Only what gRPC takes for an acknowledgement is one. */
static const char *take_settings(struct rpc_inspector *inspector, const struct rpc_frame *frame)
{
    if (frame->stream)
        return "its SETTINGS are of a stream";
    if (inspector->greeted && frame->flags == FRAME_ACK && !frame->length)
        inspector->acknowledged = true;
    inspector->greeted = true;
    return NULL;
}

static const char *take_frame(struct rpc_inspector *inspector, const struct rpc_frame *frame,
                              int64_t now_ns)
{
    if (!inspector->greeted && frame->type != FRAME_SETTINGS)
        return "it does not begin with SETTINGS";
    if (frame->length > RPC_FRAME_MAX && frame->type != FRAME_DATA)
        return "it sends a frame that is longer than 16384 bytes";
    if (inspector->block_of
            ? frame->type != FRAME_CONTINUATION || frame->stream != inspector->block_of
            : frame->type == FRAME_CONTINUATION)
        return "its headers are not continued as they should be";
    switch (frame->type) {
    case FRAME_HEADERS:
        return take_headers(inspector, frame, now_ns);
    case FRAME_RST_STREAM:
        return is_due(&inspector->resets_ns, now_ns, RPC_RESETS_NS, RPC_RESETS_BURST)
                   ? NULL
                   : "it resets more than 10 calls a second";
    case FRAME_CONTINUATION:
        return add_to_block(inspector, frame);
    case FRAME_SETTINGS:
        return take_settings(inspector, frame);
    default:
        return NULL;
    }
}

const char *rpc_inspector_take(struct rpc_inspector *inspector, const uint8_t *bytes, size_t size,
                               int64_t now_ns)
{
    const char *why = NULL;
    struct rpc_frame frame;
    while (!why && rpc_frames_next(&inspector->frames, &bytes, &size, &frame))
        why = take_frame(inspector, &frame, now_ns);
    return why;
}
