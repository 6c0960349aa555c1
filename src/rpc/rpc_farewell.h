/* Refusing a caller in words, without gRPC: the first call that comes on the connection is answered
 * with a status and a text, as gRPC's clients show it, then the connection is closed.  Of what the
 * caller sends only the heads of frames are looked at. */
#ifndef RPC_RPC_FAREWELL_H
#define RPC_RPC_FAREWELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_PREFACE          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* RFC 9113, section 3.4 */
#define RPC_PREFACE_SIZE     (sizeof RPC_PREFACE - 1)
#define RPC_FAREWELL_WHY_MAX 256
#define RPC_FRAME_HEAD       9

struct rpc_farewell {
    int code; /* enum rpc_code */
    char why[RPC_FAREWELL_WHY_MAX];
    bool said;
    size_t bytes; /* that came */
    /* of the frame that is being read */
    uint8_t head[RPC_FRAME_HEAD];
    size_t head_size, skip;
};

/* On a non-blocking socket from which nothing was taken yet. */
void rpc_farewell_begin(struct rpc_farewell *farewell, int fd, int code, const char *why);
/* Something came.  True: it is over, the socket is to be closed. */
bool rpc_farewell_read(struct rpc_farewell *farewell, int fd);
/* No time is left: says it without a call, if that is not done yet. */
void rpc_farewell_end(struct rpc_farewell *farewell, int fd);

#endif
