/* One engine and its recorder, whose records go to the agent.  This, the main thread, obeys it; the
 * recorder's sends records, so sending is behind a lock. */
#include "agent/shard_server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "agent/preparation.h"
#include "agent/recorder.h"
#include "agent/shard_wire.h"
#include "engine/engine.h"
#include "format/message.h"
#include "format/segment.h"
#include "proto/shard.pb-c.h"
#include "util/self_spawn.h"

#define TOTALS_MS    250
#define RECORDS_SIZE (1u << 20) /* of records in a reply, the last one may pass it */

struct server {
    int fd;
    struct engine *engine;
    struct recorder *recorder;
    uint64_t ends; /* prepared */
    pthread_mutex_t lock;
    struct engine_totals told; /* last */
};

/* ---- replies ---- */

/* An agent that is gone is seen by the main thread, which reads.  One that was stopped is waited
 * for: the flows go on. */
static void reply(struct server *server, Tcpflowgen__ShardReply *message)
{
    Tcpflowgen__ShardTotals totals = TCPFLOWGEN__SHARD_TOTALS__INIT;
    pthread_mutex_lock(&server->lock);
    if (server->engine) {
        server->told = engine_totals(server->engine);
        totals.ends = server->told.ends;
        totals.ends_over = server->told.ends_over;
        totals.received_bytes = server->told.received_bytes;
        totals.sent_bytes = server->told.sent_bytes;
        message->totals = &totals;
    }
    if (shard_wire_send(server->fd, &message->base))
        shutdown(server->fd, SHUT_RDWR);
    message->totals = NULL;
    pthread_mutex_unlock(&server->lock);
}

static bool send_records(void *arg, const struct buffer *framed)
{
    const uint8_t *record;
    size_t at = 0, size;
    for (size_t first = 0; first < framed->size; first = at) {
        while (at - first < RECORDS_SIZE && segment_unframe(framed, &at, &record, &size))
            ;
        if (at == first) /* not of segment_frame() */
            break;
        Tcpflowgen__ShardReply message = TCPFLOWGEN__SHARD_REPLY__INIT;
        message.records = (ProtobufCBinaryData){.len = at - first, .data = framed->data + first};
        reply(arg, &message);
    }
    return true;
}

static void send_failure(void *arg, const char *why, uint64_t samples)
{
    Tcpflowgen__ShardReply message = TCPFLOWGEN__SHARD_REPLY__INIT;
    message.failure = (char *)why;
    message.samples_lost = samples;
    reply(arg, &message);
}

static void send_finished(void *arg)
{
    Tcpflowgen__ShardReply message = TCPFLOWGEN__SHARD_REPLY__INIT;
    message.finished = true;
    reply(arg, &message);
}

static void send_error(struct server *server, const struct error *err)
{
    char text[512];
    send_failure(server, error_text(err, text, sizeof text), 0);
}

static void send_totals(struct server *server)
{
    struct engine_totals now = engine_totals(server->engine);
    Tcpflowgen__ShardReply message = TCPFLOWGEN__SHARD_REPLY__INIT;
    pthread_mutex_lock(&server->lock);
    bool news = now.received_bytes != server->told.received_bytes ||
                now.ends_over != server->told.ends_over;
    pthread_mutex_unlock(&server->lock);
    if (news)
        reply(server, &message);
}

/* ---- requests: 0, or -1 if this shard is of no use ---- */

static int set_up(struct server *server, const Tcpflowgen__ShardSetup *setup)
{
    struct engine_options options = {
        .workers = setup->workers,
        .part = setup->part,
        .parts = setup->parts,
        .port_first = (uint16_t)setup->port_first,
        .port_last = (uint16_t)setup->port_last,
        .interval_ns = setup->interval_ns,
        .lead_ns = setup->lead_ns,
        .read_size = setup->read_size,
        .write_size = setup->write_size,
        .guarded = true,
        .has_flow_key = setup->flow_key.len == FLOW_KEY_SIZE,
    };
    if (options.has_flow_key)
        memcpy(options.flow_key, setup->flow_key.data, FLOW_KEY_SIZE);
    snprintf(options.run, sizeof options.run, "%s", setup->run);
    const struct recorder_sink sink = {
        .arg = server,
        .append = send_records,
        .failed = send_failure,
        .finished = send_finished,
    };
    struct error err = {0};
    if (engine_create(&server->engine, &options, &err) ||
        recorder_create(&server->recorder, server->engine, &sink, &err)) {
        send_error(server, &err);
        return -1;
    }
    return 0;
}

static int prepare(struct server *server, const Tcpflowgen__PrepareRequest *request)
{
    struct preparation p;
    struct error err = {0};
    int failed = preparation_init(&p, request, &err);
    if (!failed)
        failed = engine_prepare(server->engine, p.specs, p.count, p.answers, &err);
    for (size_t i = 0; !failed && i < p.count; i++)
        server->ends += p.answers[i].runs;
    if (!failed) {
        Tcpflowgen__ShardReply message = TCPFLOWGEN__SHARD_REPLY__INIT;
        message.prepared = preparation_reply(&p, 0);
        reply(server, &message);
    } else {
        send_error(server, &err);
    }
    preparation_fini(&p);
    return failed ? -1 : 0;
}

static int start(struct server *server, const Tcpflowgen__Axis *message)
{
    struct axis axis;
    struct error err = {0};
    if (message_to_axis(&axis, message, &err) || engine_start(server->engine, &axis, &err)) {
        send_error(server, &err);
        return -1;
    }
    recorder_expect(server->recorder, server->ends);
    return 0;
}

static int obey(struct server *server, const Tcpflowgen__ShardRequest *request)
{
    struct axis axis;
    if (request->setup)
        return server->engine ? -1 : set_up(server, request->setup);
    if (!server->recorder)
        return -1;
    if (request->prepare)
        return prepare(server, request->prepare);
    if (request->start)
        return start(server, request->start);
    if (request->adjust && message_to_axis(&axis, request->adjust, NULL) == 0)
        engine_adjust(server->engine, &axis);
    if (request->stop) {
        engine_stop(server->engine);
        recorder_expect(server->recorder, server->ends);
    }
    return 0;
}

/* ---- life ---- */

static void serve(struct server *server)
{
    struct buffer scratch = {0};
    int failed = 0;
    while (!failed) {
        struct pollfd wait = {.fd = server->fd, .events = POLLIN};
        if (poll(&wait, 1, server->recorder ? TOTALS_MS : -1) == 0) {
            send_totals(server);
            continue;
        }
        ProtobufCMessage *message;
        if (shard_wire_receive(server->fd, &tcpflowgen__shard_request__descriptor, &scratch,
                               &message) <= 0)
            break;
        failed = obey(server, (const Tcpflowgen__ShardRequest *)message);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    buffer_fini(&scratch);
}

int shard_serve(struct error *err)
{
    struct server server = {.fd = SELF_SPAWN_FD, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct pollfd probe = {.fd = server.fd};
    if (poll(&probe, 1, 0) < 0 || probe.revents & POLLNVAL)
        return error_set(err, ERROR_INPUT, NULL, "only an agent can start it");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "flow-shard");
    signal(SIGPIPE, SIG_IGN);
    serve(&server);
    if (server.recorder) {
        engine_stop(server.engine);
        engine_await(server.engine);
    }
    recorder_destroy(server.recorder);
    engine_destroy(server.engine);
    return 0;
}
