#include "rpc/rpc_frames.h"

void rpc_frames_init(struct rpc_frames *frames, size_t before)
{
    *frames = (struct rpc_frames){.skip = before};
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool rpc_frames_next(struct rpc_frames *frames, const uint8_t **bytes, size_t *size,
                     struct rpc_frame *out)
{
    size_t skipped = frames->skip < *size ? frames->skip : *size;
    frames->skip -= skipped;
    *bytes += skipped;
    *size -= skipped;
    for (; *size && frames->head_size < RPC_FRAME_HEAD; --*size)
        frames->head[frames->head_size++] = *(*bytes)++;
    if (frames->head_size < RPC_FRAME_HEAD)
        return false;
    *out = (struct rpc_frame){get_u32(frames->head) >> 8, frames->head[3], frames->head[4],
                              get_u32(frames->head + 5) & INT32_MAX};
    frames->head_size = 0;
    frames->skip = out->length;
    return true;
}
