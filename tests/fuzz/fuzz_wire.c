/* Messages between an agent and its worker processes, and datagrams of the clock probe. */
#include <string.h>
#include <sys/socket.h>

#include "agent/shard_wire.h"
#include "fuzz.h"
#include "probe/packet.h"
#include "proto/shard.pb-c.h"
#include "util/hmac.h"

#define INPUT_MAX 65536 /* which a socket takes at once */

static const uint8_t key_bytes[PROBE_KEY_SIZE] = {1, 2, 3};

static void write_message(const char *name, const ProtobufCMessage *message)
{
    uint8_t bytes[4096];
    int fds[2];
    FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    FUZZ_ASSERT(shard_wire_send(fds[0], message) == 0);
    const ssize_t got = recv(fds[1], bytes, sizeof bytes, 0);
    FUZZ_ASSERT(got > 0);
    fuzz_seed(name, bytes, (size_t)got);
    close(fds[0]);
    close(fds[1]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    Tcpflowgen__ShardReply reply = TCPFLOWGEN__SHARD_REPLY__INIT;
    Tcpflowgen__ShardRequest request = TCPFLOWGEN__SHARD_REQUEST__INIT;
    Tcpflowgen__ShardSetup setup = TCPFLOWGEN__SHARD_SETUP__INIT;
    uint8_t packet[PROBE_PACKET_SIZE];
    struct hmac *key = hmac_new(key_bytes, sizeof key_bytes);
    const struct probe_packet ask = {.kind = PROBE_REQUEST, .sequence = 1};
    reply.failure = (char *)"why";
    setup.run = (char *)"abc";
    request.setup = &setup;
    write_message("reply", &reply.base);
    write_message("request", &request.base);
    FUZZ_ASSERT(key && probe_packet_write(&ask, key, packet));
    fuzz_seed("probe", packet, sizeof packet);
    hmac_free(key);
    return 0;
}

static void receive_all(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    struct buffer scratch = {0};
    ProtobufCMessage *message;
    int fds[2];
    FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    FUZZ_ASSERT(send(fds[0], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    close(fds[0]);
    while (shard_wire_receive(fds[1], type, &scratch, &message) > 0)
        protobuf_c_message_free_unpacked(message, NULL);
    FUZZ_ASSERT(scratch.capacity <= 4 * INPUT_MAX);
    close(fds[1]);
    buffer_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hmac *key = hmac_new(key_bytes, sizeof key_bytes);
    struct probe_packet packet;
    FUZZ_ASSERT(key);
    probe_packet_read(&packet, PROBE_REQUEST, key, data, size);
    probe_packet_read(&packet, PROBE_REPLY, key, data, size);
    hmac_free(key);
    if (size == 0 || size > INPUT_MAX)
        return 0;
    receive_all(&tcpflowgen__shard_reply__descriptor, data, size);
    receive_all(&tcpflowgen__shard_request__descriptor, data, size);
    return 0;
}
