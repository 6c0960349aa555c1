/* Messages between an agent and its shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/shard_wire.h"
#include "proto/shard.pb-c.h"

#define LARGE (6u << 20) /* more than a socket holds */

static int setup(void **state)
{
    int *fds = calloc(2, sizeof *fds);
    *state = fds;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static int teardown(void **state)
{
    int *fds = *state;
    close(fds[0]);
    close(fds[1]);
    free(fds);
    return 0;
}

static int send_records(int fd, uint8_t *data, size_t size)
{
    Tcpflowgen__ShardReply message = TCPFLOWGEN__SHARD_REPLY__INIT;
    message.records = (ProtobufCBinaryData){.len = size, .data = data};
    return shard_wire_send(fd, &message.base);
}

static void test_there(void **state)
{
    const int *fds = *state;
    uint8_t data[] = {1, 2, 3};
    struct buffer scratch = {0};
    ProtobufCMessage *message;
    assert_int_equal(send_records(fds[0], data, sizeof data), 0);
    assert_int_equal(
        shard_wire_receive(fds[1], &tcpflowgen__shard_reply__descriptor, &scratch, &message), 1);
    const Tcpflowgen__ShardReply *reply = (const Tcpflowgen__ShardReply *)message;
    assert_int_equal(reply->records.len, sizeof data);
    assert_memory_equal(reply->records.data, data, sizeof data);
    protobuf_c_message_free_unpacked(message, NULL);
    buffer_fini(&scratch);
}

/* Who sends holds a lock: it must not be for ever. */
static void test_a_peer_that_does_not_read(void **state)
{
    const int *fds = *state;
    uint8_t *data = calloc(1, LARGE);
    assert_non_null(data);
    assert_int_equal(shard_wire_bound(fds[0], 50 * NS_PER_MS), 0);
    alarm(20);
    assert_true(shard_wire_has_room(fds[0]));
    assert_int_equal(send_records(fds[0], data, LARGE), -1);
    assert_false(shard_wire_has_room(fds[0]));
    alarm(0);
    free(data);
}

static void test_a_peer_that_is_gone(void **state)
{
    int *fds = *state;
    uint8_t data[] = {1};
    struct buffer scratch = {0};
    ProtobufCMessage *message;
    shutdown(fds[1], SHUT_RDWR);
    assert_int_equal(send_records(fds[0], data, sizeof data), -1);
    assert_int_equal(
        shard_wire_receive(fds[0], &tcpflowgen__shard_reply__descriptor, &scratch, &message), 0);
    buffer_fini(&scratch);
}

static int receive(int fd, struct buffer *scratch)
{
    ProtobufCMessage *message;
    return shard_wire_receive(fd, &tcpflowgen__shard_reply__descriptor, scratch, &message);
}

static void test_a_length_that_no_message_has(void **state)
{
    const int *fds = *state;
    struct buffer scratch = {0};
    assert_int_equal(write(fds[0], "\x3f\xff\xff\xff", 4), 4);
    assert_int_equal(receive(fds[1], &scratch), -1);
    assert_int_equal(scratch.capacity, 0);
}

static void test_a_length_that_lies_takes_no_memory(void **state)
{
    const int *fds = *state;
    struct buffer scratch = {0};
    assert_int_equal(write(fds[0],
                           "\0\x7f\xff\xff"
                           "abc",
                           7),
                     7);
    shutdown(fds[0], SHUT_WR);
    assert_int_equal(receive(fds[1], &scratch), 0);
    assert_true(scratch.capacity <= 64 << 10);
    buffer_fini(&scratch);
}

static void test_what_is_too_large_is_not_sent(void **state)
{
    const int *fds = *state;
    uint8_t *data = calloc(1, SHARD_WIRE_MAX);
    assert_non_null(data);
    assert_int_equal(send_records(fds[0], data, SHARD_WIRE_MAX), -1);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_peer_that_does_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_length_that_no_message_has, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_length_that_lies_takes_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_too_large_is_not_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_peer_that_is_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
