/* What a spool holds goes out in messages that are none too large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "agent/batch.h"
#include "format/spool_record.h"
#include "proto/agent.pb-c.h"
#include "rpc/rpc.h"

/* A spool with records of these sizes, up to a 0. */
static struct segment *make_spool(const size_t *sizes)
{
    char directory[TEMPORARY_MAX], path[TEMPORARY_PATH_MAX];
    struct segment *spool;
    uint8_t *data = calloc(1, SPOOL_RECORD_MAX);
    assert_non_null(temporary_directory(directory, "batch-test"));
    snprintf(path, sizeof path, "%s/spool", directory);
    assert_int_equal(segment_create(&spool, path, NULL), 0);
    for (; *sizes; sizes++)
        assert_int_equal(segment_append(spool, data, *sizes, NULL, NULL), 0);
    unlink(path);
    rmdir(directory);
    free(data);
    return spool;
}

/* The size of the message that has the batch. */
static size_t message_size(const struct batch *batch)
{
    static ProtobufCBinaryData records[BATCH_RECORDS];
    Tcpflowgen__WatchReply reply = TCPFLOWGEN__WATCH_REPLY__INIT;
    for (size_t i = 0; i < batch->count; i++)
        records[i] = (ProtobufCBinaryData){batch->start[i + 1] - batch->start[i],
                                           batch->bytes.data + batch->start[i]};
    reply.offset = reply.next_offset = reply.ends_open = reply.received_bytes = UINT64_MAX;
    reply.records = records;
    reply.n_records = batch->count;
    return tcpflowgen__watch_reply__get_packed_size(&reply);
}

static void test_large_records(void **state)
{
    (void)state;
    static const size_t sizes[] = {250 << 10, SPOOL_RECORD_MAX, 200 << 10, 1 << 20,
                                   250 << 10, 3 << 20,          1,         0};
    static const size_t counts[] = {1, 1, 2, 1, 1, 1, 0}; /* of each batch */
    struct segment *spool = make_spool(sizes);
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct batch batch = {0};
        assert_int_equal(batch_read(&batch, spool, at, NULL), 0);
        assert_int_equal(batch.count, counts[i]);
        assert_true(message_size(&batch) <= RPC_MESSAGE_MAX);
        at = batch.next_offset;
        buffer_fini(&batch.bytes);
    }
    assert_int_equal(at, segment_size(spool));
    segment_close(spool, 0);
}

static void test_many_records(void **state)
{
    (void)state;
    static size_t sizes[2 * BATCH_RECORDS + 2];
    for (size_t i = 0; i <= 2 * BATCH_RECORDS; i++)
        sizes[i] = 100;
    struct segment *spool = make_spool(sizes);
    uint64_t at = 0;
    for (size_t left = 2 * BATCH_RECORDS + 1; left;) {
        struct batch batch = {0};
        assert_int_equal(batch_read(&batch, spool, at, NULL), 0);
        assert_int_equal(batch.count, left < BATCH_RECORDS ? left : BATCH_RECORDS);
        left -= batch.count;
        at = batch.next_offset;
        buffer_fini(&batch.bytes);
    }
    assert_int_equal(at, segment_size(spool));
    segment_close(spool, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_records),
        cmocka_unit_test(test_many_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
