/* What a client sends, looked at before gRPC gets it: the heads of frames alone.
 *
 * gRPC 1.51 does not bound calls of a client that has not acknowledged its SETTINGS, nor those that
 * are reset as soon as they are made, nor what a block of headers takes.  DATA frames are not
 * judged: gRPC lets clients send longer ones when it finds the connection fast, and holds them to
 * its windows. */
#ifndef RPC_RPC_INSPECTOR_H
#define RPC_RPC_INSPECTOR_H

#include "rpc/rpc_frames.h"
#include "util/clock.h"

#define RPC_STREAMS_EARLY 32 /* calls before the SETTINGS are acknowledged */
#define RPC_BLOCK_MAX \
    4096 /* bytes of a block of headers and its frames; clients need a few hundred */
#define RPC_FRAME_MAX 16384 /* bytes of a frame that is not DATA */
/* Calls and resets of a connection: so many at once, and one more each so often. */
#define RPC_CALLS_BURST  1000
#define RPC_CALLS_NS     (5 * NS_PER_MS)
#define RPC_RESETS_BURST 100
#define RPC_RESETS_NS    (100 * NS_PER_MS)

struct rpc_inspector {
    struct rpc_frames frames;
    bool greeted;                /* its own SETTINGS came */
    bool acknowledged;           /* it knows ours */
    unsigned opened;             /* streams, before that */
    uint32_t newest;             /* stream */
    uint32_t block_of;           /* the stream whose block of headers goes on; 0: none does */
    size_t block_bytes;          /* of the block, so far */
    int64_t calls_ns, resets_ns; /* up to when what may come has come */
};

void rpc_inspector_init(struct rpc_inspector *inspector);
/* The next piece, that came by now_ns (CLOCK_MONOTONIC).  NULL: it may pass; else why the
 * connection is to be cut, a constant. */
const char *rpc_inspector_take(struct rpc_inspector *inspector, const uint8_t *bytes, size_t size,
                               int64_t now_ns);

#endif
