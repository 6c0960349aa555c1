#include "agent/shard_wire.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "format/unpack.h"

#define LENGTH_SIZE sizeof(uint32_t)
#define STEP        (64u << 10) /* of memory, before more than that has come */

static int send_all(int fd, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return -1;
        data += sent;
        size -= (size_t)sent;
    }
    return 0;
}

static bool receive_all(int fd, void *data, size_t size)
{
    uint8_t *at = data;
    while (size) {
        ssize_t got = recv(fd, at, size, MSG_WAITALL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

/* As shard_wire_receive(). */
static int receive_body(int fd, size_t size, struct buffer *out)
{
    buffer_clear(out);
    while (out->size < size) {
        const size_t step = out->size > STEP ? out->size : STEP;
        const size_t part = size - out->size < step ? size - out->size : step;
        uint8_t *place = buffer_reserve(out, part);
        if (!place)
            return -1;
        if (!receive_all(fd, place, part))
            return 0;
        out->size += part;
    }
    return 1;
}

int shard_wire_bound(int fd, int64_t limit_ns)
{
    const struct timeval limit = {.tv_sec = limit_ns / NS_PER_S,
                                  .tv_usec = limit_ns % NS_PER_S / 1000};
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool shard_wire_has_room(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT}; /* a quarter of its buffer is free */
    return poll(&wait, 1, 0) > 0 && wait.revents & POLLOUT;
}

int shard_wire_send(int fd, const ProtobufCMessage *message)
{
    struct buffer packed = {0};
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *place = size <= SHARD_WIRE_MAX ? buffer_reserve(&packed, LENGTH_SIZE + size) : NULL;
    if (!place) {
        errno = ENOMEM;
        return -1;
    }
    uint32_t length = htobe32((uint32_t)size);
    memcpy(place, &length, LENGTH_SIZE);
    protobuf_c_message_pack(message, place + LENGTH_SIZE);
    int failed = send_all(fd, place, LENGTH_SIZE + size);
    buffer_fini(&packed);
    return failed;
}

int shard_wire_receive(int fd, const ProtobufCMessageDescriptor *type, struct buffer *scratch,
                       ProtobufCMessage **message)
{
    uint32_t length;
    if (!receive_all(fd, &length, LENGTH_SIZE))
        return 0;
    length = be32toh(length);
    int got = length <= SHARD_WIRE_MAX ? receive_body(fd, length, scratch) : -1;
    if (got <= 0)
        return got;
    *message = unpack_message(type, scratch->data, scratch->size, UNPACK_USUAL(scratch->size));
    return *message ? 1 : -1;
}
