#include "rpc/rpc_farewell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define BYTES_MAX 65536 /* that are read of a caller who was refused */

enum http2_error { NO_ERROR = 0, REFUSED = 7 };

/* What is said, in one piece. */
struct speech {
    uint8_t bytes[2048];
    size_t size;
};

/* ---- frames ---- */

static void put(struct speech *speech, const void *bytes, size_t size)
{
    if (size > sizeof speech->bytes - speech->size)
        return; /* never: what is said is short */
    memcpy(speech->bytes + speech->size, bytes, size);
    speech->size += size;
}

static void put_u32(struct speech *speech, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put(speech, bytes, sizeof bytes);
}

static void put_head(struct speech *speech, size_t length, enum rpc_frame_type type, unsigned flags,
                     uint32_t stream)
{
    put_u32(speech, (uint32_t)length << 8 | type);
    put(speech, &(uint8_t){(uint8_t)flags}, 1);
    put_u32(speech, stream);
}

/* Its length as HPACK has it (RFC 7541, section 5.1), not compressed. */
static void put_text(struct speech *speech, const char *text)
{
    size_t left = strlen(text);
    uint8_t first = left < 127 ? (uint8_t)left : 127;
    put(speech, &first, 1);
    if (first == 127) {
        for (left -= 127; left >= 128; left >>= 7)
            put(speech, &(uint8_t){(uint8_t)(left | 128)}, 1);
        put(speech, &(uint8_t){(uint8_t)left}, 1);
    }
    put(speech, text, strlen(text));
}

static void put_header(struct speech *block, const char *name, const char *value)
{
    put(block, &(uint8_t){0}, 1); /* literal, not to be remembered */
    put_text(block, name);
    put_text(block, value);
}

/* As gRPC has its texts in a header: printable ASCII, but for "%". */
static void escape(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text && used + 4 < size; text++) {
        bool plain = *text >= ' ' && *text <= '~' && *text != '%';
        if (plain)
            out[used++] = *text;
        else
            used += (size_t)snprintf(out + used, size - used, "%%%02X", (unsigned char)*text);
    }
    out[used] = '\0';
}

/* A whole answer: its status, and no message. */
static void put_answer(struct speech *speech, uint32_t stream, int code, const char *why)
{
    struct speech block = {.size = 0};
    char status[16], message[3 * RPC_FAREWELL_WHY_MAX];
    snprintf(status, sizeof status, "%d", code);
    escape(why, message, sizeof message);
    put_header(&block, ":status", "200");
    put_header(&block, "content-type", "application/grpc");
    put_header(&block, "grpc-status", status);
    put_header(&block, "grpc-message", message);
    put_head(speech, block.size, FRAME_HEADERS, FRAME_END_STREAM | FRAME_END_HEADERS, stream);
    put(speech, block.bytes, block.size);
}

static void put_goaway(struct speech *speech, uint32_t stream, enum http2_error code,
                       const char *why)
{
    put_head(speech, 8 + strlen(why), FRAME_GOAWAY, 0, 0);
    put_u32(speech, stream);
    put_u32(speech, code);
    put(speech, why, strlen(why));
}

static void say(int fd, const struct speech *speech)
{
    (void)!send(fd, speech->bytes, speech->size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the conversation ---- */

void rpc_farewell_begin(struct rpc_farewell *farewell, int fd, int code, const char *why)
{
    struct speech speech = {.size = 0};
    *farewell = (struct rpc_farewell){.code = code};
    snprintf(farewell->why, sizeof farewell->why, "%s", why);
    rpc_frames_init(&farewell->frames, RPC_PREFACE_SIZE);
    put_head(&speech, 0, FRAME_SETTINGS, 0, 0);
    say(fd, &speech);
}

static void answer(struct rpc_farewell *farewell, int fd, uint32_t stream)
{
    struct speech speech = {.size = 0};
    if (stream)
        put_answer(&speech, stream, farewell->code, farewell->why);
    put_goaway(&speech, stream, stream ? NO_ERROR : REFUSED, farewell->why);
    say(fd, &speech);
    shutdown(fd, SHUT_WR);
    farewell->said = true;
}

static void take(struct rpc_farewell *farewell, int fd, const uint8_t *bytes, size_t size)
{
    struct rpc_frame frame;
    while (rpc_frames_next(&farewell->frames, &bytes, &size, &frame))
        if (frame.type == FRAME_HEADERS && frame.stream && !farewell->said)
            answer(farewell, fd, frame.stream);
}

/* Bytes that were not read when a socket is closed make the kernel reset the connection, and the
 * other side may lose what was said to it: so it is read on for a while. */
bool rpc_farewell_read(struct rpc_farewell *farewell, int fd)
{
    uint8_t bytes[4096];
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0)
        return errno != EAGAIN && errno != EINTR;
    farewell->bytes += (size_t)got;
    take(farewell, fd, bytes, (size_t)got);
    return got == 0 || farewell->bytes > BYTES_MAX;
}

void rpc_farewell_end(struct rpc_farewell *farewell, int fd)
{
    if (!farewell->said)
        answer(farewell, fd, 0);
}
