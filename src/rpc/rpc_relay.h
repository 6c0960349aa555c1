/* A relay: moves bytes between a caller's connection (outside) and gRPC's end of a pair of sockets
 * (inside), and cuts both when the caller sends what gRPC would not bound (rpc_inspector.h).
 *
 * Of each direction up to 64 KiB are held; while they are, no more is read.  When one end is over,
 * the other has 5 s.
 *
 * All functions are for the gate's handlers. */
#ifndef RPC_RPC_RELAY_H
#define RPC_RPC_RELAY_H

#include "rpc/rpc_gate.h"
#include "rpc/rpc_inspector.h"

#define RPC_LANE_SIZE 65536

/* One direction. */
struct rpc_lane {
    uint8_t bytes[RPC_LANE_SIZE];
    size_t first, count; /* of those that wait */
    bool ended;          /* no more comes */
    bool passed_on;      /* that it ended */
    bool deaf;           /* nobody takes them: they are dropped */
};

struct rpc_relay;

/* What the requests under way of several relays hold together: beyond the most, the relay that
 * holds the largest part is cut. */
struct rpc_load {
    size_t held, most; /* bytes */
    struct rpc_relay *relays;
};

struct rpc_relay_end {
    struct rpc_watch watch;
    struct rpc_relay *relay;
};

struct rpc_relay {
    struct rpc_gate *gate;
    struct rpc_relay_end outside, inside;
    struct rpc_lane in, out; /* to gRPC, and to the caller */
    struct rpc_inspector inspector;
    struct rpc_load *load;
    size_t share; /* of its bytes */
    struct rpc_relay *next, **link;
    /* Both descriptors are closed.  why is NULL unless the connection was cut.  May free the relay.
     */
    void (*over)(struct rpc_relay *relay, const char *why);
};

/* Of two non-blocking sockets, which are the relay's then.  0 or -errno: they are not. */
int rpc_relay_begin(struct rpc_relay *relay, struct rpc_gate *gate, int outside, int inside,
                    struct rpc_load *load, void (*over)(struct rpc_relay *relay, const char *why));
/* Ends it at once; over() is called, with why. */
void rpc_relay_cut(struct rpc_relay *relay, const char *why);
/* Moves what gRPC has written as far as it goes now.  True: nothing is left. */
bool rpc_relay_flush(struct rpc_relay *relay);
/* Closes both; over() is not called. */
void rpc_relay_end(struct rpc_relay *relay);

#endif
