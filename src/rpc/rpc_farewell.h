/* Refusing a caller in words, without gRPC: the first call that comes on the connection is answered
 * with a status and a text, as gRPC's clients show it, then the connection is closed.  Of what the
 * caller sends only the heads of frames are looked at. */
#ifndef RPC_RPC_FAREWELL_H
#define RPC_RPC_FAREWELL_H

#include "rpc/rpc_frames.h"

#define RPC_FAREWELL_WHY_MAX 256

struct rpc_farewell {
    int code; /* enum rpc_code */
    char why[RPC_FAREWELL_WHY_MAX];
    bool said;
    size_t bytes; /* that came */
    struct rpc_frames frames;
};

/* On a non-blocking socket from which nothing was taken yet. */
void rpc_farewell_begin(struct rpc_farewell *farewell, int fd, int code, const char *why);
/* Something came.  True: it is over, the socket is to be closed. */
bool rpc_farewell_read(struct rpc_farewell *farewell, int fd);
/* No time is left: says it without a call, if that is not done yet. */
void rpc_farewell_end(struct rpc_farewell *farewell, int fd);

#endif
