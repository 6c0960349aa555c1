/* HTTP/2's frames (RFC 9113), as far as rpc looks at them itself: their heads. */
#ifndef RPC_RPC_FRAMES_H
#define RPC_RPC_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RPC_PREFACE      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" /* what a client begins with */
#define RPC_PREFACE_SIZE (sizeof RPC_PREFACE - 1)
#define RPC_FRAME_HEAD   9

enum rpc_frame_type {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FRAME_CONTINUATION = 9
};
enum rpc_frame_flag { FRAME_ACK = 1, FRAME_END_STREAM = 1, FRAME_END_HEADERS = 4 };

struct rpc_frame {
    uint32_t length; /* of what follows the head */
    uint8_t type, flags;
    uint32_t stream;
};

/* Where in one side's bytes one is, wherever the pieces end. */
struct rpc_frames {
    size_t skip;
    uint8_t head[RPC_FRAME_HEAD];
    size_t head_size;
};

/* Before the first frame, that so many bytes come before: the client's preface. */
void rpc_frames_init(struct rpc_frames *frames, size_t before);
/* Goes on to behind the next head.  False: the piece is used up. */
bool rpc_frames_next(struct rpc_frames *frames, const uint8_t **bytes, size_t *size,
                     struct rpc_frame *out);

#endif
