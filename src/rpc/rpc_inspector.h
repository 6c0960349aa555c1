/* What passes between a client and gRPC, looked at on its way: the heads of frames alone.
 *
 * gRPC 1.51 bounds the calls of a client only when it has acknowledged the server's SETTINGS, what
 * requests take only for all clients together (it looks at a message's size when it has all of it),
 * and neither calls that are reset as soon as they are made, nor what a block of headers takes.
 * Windows it does watch over, and pings. */
#ifndef RPC_RPC_INSPECTOR_H
#define RPC_RPC_INSPECTOR_H

#include "rpc/rpc.h"
#include "rpc/rpc_frames.h"
#include "util/clock.h"

#define RPC_STREAMS_MAX 32 /* calls under way on a connection; a master has a handful */
#define RPC_BLOCK_MAX \
    4096 /* bytes of a block of headers and its frames; clients need a few hundred */
#define RPC_FRAME_MAX 16384 /* bytes of a frame that is not DATA */
/* Bytes of requests under way: one message of the largest, and what small ones there are besides.
 */
#define RPC_HELD_MAX (RPC_MESSAGE_MAX + (1u << 20))
/* What gRPC keeps for a frame of DATA besides its bytes: its own record, and the rest of the piece
 * that it read the frame in. */
#define RPC_RECORD_SIZE 64
#define RPC_PIECE_SIZE  65536
/* Calls of a connection, and frames that are rare: so many at once, and one more each so often. */
#define RPC_CALLS_BURST 1000
#define RPC_CALLS_NS    (5 * NS_PER_MS)
#define RPC_RARE_BURST  100
#define RPC_RARE_NS     (100 * NS_PER_MS)
/* How long a call may go without a word of the server's before its connection counts as idle: while
 * its request comes, and afterwards. */
#define RPC_COMING_NS  (10 * NS_PER_S)
#define RPC_WAITING_NS (90 * NS_PER_S)

/* A call under way. */
struct rpc_stream {
    uint32_t number;
    bool whole;    /* its request is */
    size_t held;   /* bytes of the request, as gRPC may keep them */
    uint64_t seen; /* bytes of the connection up to the end of its last frame */
};

struct rpc_inspector {
    struct rpc_frames in, out; /* the client's, the server's */
    bool greeted;              /* the client's SETTINGS came */
    uint64_t seen;             /* bytes of the client's, up to the end of this frame */
    uint32_t newest;           /* stream */
    uint32_t block_of;         /* the stream whose block of headers goes on; 0: none does */
    size_t block_bytes;        /* of the block, so far */
    int64_t calls_ns, rare_ns; /* up to when what may come has come */
    int64_t said_ns;           /* when the server last said something, or a request was whole */
    struct rpc_stream streams[RPC_STREAMS_MAX];
    size_t count; /* of them */
    size_t held;  /* by all */
};

/* Of a connection that is there since now_ns (of any one clock, here and below). */
void rpc_inspector_init(struct rpc_inspector *inspector, int64_t now_ns);
/* The client's next piece, that came by now_ns.  NULL: it may pass; else why the connection is to
 * be cut, a constant. */
const char *rpc_inspector_take(struct rpc_inspector *inspector, const uint8_t *bytes, size_t size,
                               int64_t now_ns);
/* The server's next piece, before the client has it. */
void rpc_inspector_hear(struct rpc_inspector *inspector, const uint8_t *bytes, size_t size,
                        int64_t now_ns);
/* Since when nothing is under way on the connection, or what is has stood still for too long; this
 * may be in the future. */
int64_t rpc_inspector_idle_ns(const struct rpc_inspector *inspector);

#endif
