#include "rpc/rpc_inspector.h"

void rpc_inspector_init(struct rpc_inspector *inspector, int64_t now_ns)
{
    *inspector = (struct rpc_inspector){.said_ns = now_ns};
    rpc_frames_init(&inspector->in, RPC_PREFACE_SIZE);
    rpc_frames_init(&inspector->out, 0);
}

/* One more of what may come `burst` times at once, and again each interval. */
static bool is_due(int64_t *until_ns, int64_t now_ns, int64_t interval_ns, int64_t burst)
{
    const int64_t least_ns = now_ns - burst * interval_ns;
    *until_ns = (*until_ns > least_ns ? *until_ns : least_ns) + interval_ns;
    return *until_ns <= now_ns;
}

/* ---- calls ---- */

static struct rpc_stream *find(struct rpc_inspector *inspector, uint32_t number)
{
    for (size_t i = 0; i < inspector->count; i++)
        if (inspector->streams[i].number == number)
            return &inspector->streams[i];
    return NULL;
}

static const char *begin_call(struct rpc_inspector *inspector, uint32_t number, int64_t now_ns)
{
    if (!is_due(&inspector->calls_ns, now_ns, RPC_CALLS_NS, RPC_CALLS_BURST))
        return "it makes more than 200 calls a second";
    if (inspector->count == RPC_STREAMS_MAX)
        return "it has more than 32 calls under way";
    inspector->streams[inspector->count++] =
        (struct rpc_stream){.number = number, .seen = inspector->seen};
    inspector->newest = number;
    return NULL;
}

/* gRPC forgets a call that either side resets, and one that it has answered to the end. */
static void end_call(struct rpc_inspector *inspector, uint32_t number)
{
    struct rpc_stream *stream = find(inspector, number);
    if (!stream)
        return;
    inspector->held -= stream->held;
    *stream = inspector->streams[--inspector->count];
}

static void end_request(struct rpc_inspector *inspector, const struct rpc_frame *frame,
                        int64_t now_ns)
{
    struct rpc_stream *stream = find(inspector, frame->stream);
    if (!stream || stream->whole || !(frame->flags & FRAME_END_STREAM))
        return;
    stream->whole = true;
    inspector->said_ns = now_ns;
}

/* ---- frames ---- */

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
    const char *why = NULL;
    if (frame->stream % 2 == 0)
        return "it makes a call on a stream that is not a client's";
    if (frame->stream > inspector->newest)
        why = begin_call(inspector, frame->stream, now_ns);
    if (why)
        return why;
    end_request(inspector, frame, now_ns);
    inspector->block_bytes = 0;
    return add_to_block(inspector, frame);
}

/* gRPC keeps requests in the pieces that it read, however little of a piece is the request's. */
static const char *take_data(struct rpc_inspector *inspector, const struct rpc_frame *frame,
                             int64_t now_ns)
{
    struct rpc_stream *stream = find(inspector, frame->stream);
    if (!stream)
        return NULL;
    uint64_t piece = inspector->seen - stream->seen - frame->length;
    size_t more =
        frame->length + RPC_RECORD_SIZE + (piece < RPC_PIECE_SIZE ? piece : RPC_PIECE_SIZE);
    stream->seen = inspector->seen;
    stream->held += more;
    inspector->held += more;
    end_request(inspector, frame, now_ns);
    return inspector->held > RPC_HELD_MAX ? "its calls under way have more than 5 MiB of requests"
                                          : NULL;
}

/* Resets, SETTINGS, and what clients of gRPC send once or never. */
static const char *take_rare(struct rpc_inspector *inspector, const struct rpc_frame *frame,
                             int64_t now_ns)
{
    if (!is_due(&inspector->rare_ns, now_ns, RPC_RARE_NS, RPC_RARE_BURST))
        return frame->type == FRAME_RST_STREAM
                   ? "it resets more than 10 calls a second"
                   : "it sends more than 10 frames a second of kinds that are rare";
    if (frame->type == FRAME_SETTINGS && frame->stream)
        return "its SETTINGS are of a stream";
    if (frame->type == FRAME_RST_STREAM)
        end_call(inspector, frame->stream);
    return NULL;
}

static const char *take_frame(struct rpc_inspector *inspector, const struct rpc_frame *frame,
                              int64_t now_ns)
{
    if (!inspector->greeted && frame->type != FRAME_SETTINGS)
        return "it does not begin with SETTINGS";
    inspector->greeted = true;
    if (frame->length > RPC_FRAME_MAX && frame->type != FRAME_DATA)
        return "it sends a frame that is longer than 16384 bytes";
    if (inspector->block_of
            ? frame->type != FRAME_CONTINUATION || frame->stream != inspector->block_of
            : frame->type == FRAME_CONTINUATION)
        return "its headers are not continued as they should be";
    inspector->seen += RPC_FRAME_HEAD + frame->length;
    switch (frame->type) {
    case FRAME_DATA:
        return take_data(inspector, frame, now_ns);
    case FRAME_HEADERS:
        return take_headers(inspector, frame, now_ns);
    case FRAME_CONTINUATION:
        return add_to_block(inspector, frame);
    case FRAME_PING:
    case FRAME_WINDOW_UPDATE:
        return NULL;
    default:
        return take_rare(inspector, frame, now_ns);
    }
}

const char *rpc_inspector_take(struct rpc_inspector *inspector, const uint8_t *bytes, size_t size,
                               int64_t now_ns)
{
    const char *why = NULL;
    struct rpc_frame frame;
    while (!why && rpc_frames_next(&inspector->in, &bytes, &size, &frame))
        why = take_frame(inspector, &frame, now_ns);
    return why;
}

void rpc_inspector_hear(struct rpc_inspector *inspector, const uint8_t *bytes, size_t size,
                        int64_t now_ns)
{
    struct rpc_frame frame;
    while (rpc_frames_next(&inspector->out, &bytes, &size, &frame)) {
        const bool speaks = frame.type == FRAME_HEADERS || frame.type == FRAME_DATA;
        if (speaks)
            inspector->said_ns = now_ns;
        if (frame.type == FRAME_RST_STREAM || (speaks && frame.flags & FRAME_END_STREAM))
            end_call(inspector, frame.stream);
    }
}

int64_t rpc_inspector_idle_ns(const struct rpc_inspector *inspector)
{
    bool coming = false;
    for (size_t i = 0; i < inspector->count; i++)
        if (inspector->streams[i].whole)
            return inspector->said_ns + RPC_WAITING_NS;
        else
            coming = true;
    return inspector->said_ns + (coming ? RPC_COMING_NS : 0);
}
