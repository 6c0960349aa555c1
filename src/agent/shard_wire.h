/* Messages of shard.proto over the socket between an agent and a shard. */
#ifndef AGENT_SHARD_WIRE_H
#define AGENT_SHARD_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/buffer.h"
#include "util/clock.h"

/* Bytes of a message at most: the largest are a Prepare and a spool's record, of 4 MiB each. */
#define SHARD_WIRE_MAX (8u << 20)

/* What is sent waits no longer for a peer that does not read.  0, or -1 with errno. */
#define SHARD_WIRE_NS (30 * NS_PER_S)
int shard_wire_bound(int fd, int64_t limit_ns);

/* Whether a message of a few hundred bytes can be sent without waiting. */
bool shard_wire_has_room(int fd);

/* 0, or -1 with errno: it is too large, or the other side is gone, or hangs; half a message may
 * have been sent. */
int shard_wire_send(int fd, const ProtobufCMessage *message);

/* Waits for a message, which scratch holds packed; memory grows as its bytes arrive.  1 and
 * *message (to be freed with protobuf_c_message_free_unpacked()), 0 when the other side is gone, -1
 * for nonsense. */
int shard_wire_receive(int fd, const ProtobufCMessageDescriptor *type, struct buffer *scratch,
                       ProtobufCMessage **message);

#endif
