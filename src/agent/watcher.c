#include "agent/watcher.h"

#include <errno.h>

#include "agent/batch.h"
#include "proto/agent.pb-c.h"
#include "util/clock.h"

#define HEARTBEAT_NS (500 * NS_PER_MS)

static int send_batch(struct watcher *watcher, const struct batch *batch)
{
    ProtobufCBinaryData records[BATCH_RECORDS];
    for (size_t i = 0; i < batch->count; i++) {
        records[i].data = batch->bytes.data + batch->start[i];
        records[i].len = batch->start[i + 1] - batch->start[i];
    }
    struct engine_totals totals = run_totals(watcher->run);
    Tcpflowgen__WatchReply reply = TCPFLOWGEN__WATCH_REPLY__INIT;
    reply.offset = watcher->offset;
    reply.n_records = batch->count;
    reply.records = records;
    reply.next_offset = batch->next_offset;
    reply.ends_open = totals.ends - totals.ends_over;
    reply.received_bytes = totals.received_bytes;
    return rpc_send(watcher->call, &reply.base);
}

/* 1: sent something, 0: nothing to send or no room, negative: the call is over. */
static int step(struct watcher *watcher, int64_t now_ns, struct error *err)
{
    struct batch batch = {0};
    int result = batch_read(&batch, run_spool(watcher->run), watcher->offset, err);
    bool heartbeat = watcher->follow && now_ns - watcher->quiet_since_ns >= HEARTBEAT_NS;
    if (result == 0 && (batch.count || heartbeat)) {
        result = send_batch(watcher, &batch);
        watcher->blocked = result == -EAGAIN;
        if (result == 0) {
            watcher->offset = batch.next_offset;
            watcher->quiet_since_ns = now_ns;
            result = batch.count > 0;
        } else if (watcher->blocked) {
            result = 0;
        }
    }
    buffer_fini(&batch.bytes);
    return result;
}

bool watcher_pump(struct watcher *watcher, int64_t now_ns)
{
    struct error err = {0};
    int result = 1;
    /* Looked at first: what is appended after it makes another turn. */
    bool over = run_settle(watcher->run);
    while (!watcher->gone && !watcher->blocked && result > 0)
        result = step(watcher, now_ns, &err);
    if (watcher->gone) {
        rpc_finish(watcher->call, NULL, RPC_CANCELLED, "the master went away");
        return false;
    }
    if (result < 0) {
        rpc_finish(watcher->call, NULL, err.code ? RPC_INTERNAL : RPC_CANCELLED,
                   err.code ? err.what : "the master went away");
        return false;
    }
    if (!watcher->blocked && (over || !watcher->follow)) {
        rpc_finish(watcher->call, NULL, RPC_OK, NULL);
        return false;
    }
    return true;
}
