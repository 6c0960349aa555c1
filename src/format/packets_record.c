#include "format/packets_record.h"

#include <stdbool.h>
#include <stdlib.h>

#include "format/spool_record.h"
#include "format/wire.h"
#include "proto/agent.pb-c.h"

#define PACKETS_FIELD 12 /* of SpoolRecord */
#define FIELDS_MAX    64 /* of Packets; it has five, packed */

int packets_record_encode(struct buffer *out, const struct packet_batch *batch)
{
    Tcpflowgen__Packets message = TCPFLOWGEN__PACKETS__INIT;
    int64_t *t_ns = calloc(batch->count + 1, sizeof *t_ns);
    uint32_t *sizes = calloc(2 * batch->count + 1, sizeof *sizes);
    int failed = -1;
    if (t_ns && sizes) {
        message.link_type = batch->link_type;
        message.t_ns = t_ns;
        message.length = sizes;
        message.captured = sizes + batch->count;
        message.n_t_ns = message.n_length = message.n_captured = batch->count;
        for (size_t i = 0; i < batch->count; i++) {
            const uint64_t before = i ? (uint64_t)batch->packets[i - 1].t_ns : 0;
            t_ns[i] = (int64_t)((uint64_t)batch->packets[i].t_ns - before);
            message.length[i] = batch->packets[i].length;
            message.captured[i] = batch->packets[i].captured;
        }
        message.data = (ProtobufCBinaryData){.len = batch->size, .data = (uint8_t *)batch->data};
        Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
        record.flow = batch->flow;
        record.end = batch->end;
        record.packets = &message;
        failed = wire_pack(out, &record.base);
    }
    free(t_ns);
    free(sizes);
    return failed;
}

int packets_record_report(struct buffer *out, const struct capture_report *report)
{
    Tcpflowgen__CaptureReport message = TCPFLOWGEN__CAPTURE_REPORT__INIT;
    message.packets = report->packets;
    message.dropped = report->dropped;
    message.lost = report->lost;
    message.error_ns = report->error_ns;
    message.device = (char *)report->device;
    message.error = (char *)report->error;
    Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
    record.flow = report->flow;
    record.end = report->end;
    record.captured = &message;
    return wire_pack(out, &record.base);
}

static int broken(struct error *err)
{
    return error_set(err, ERROR_INPUT, NULL, "a broken record of packets");
}

/* Of a packet whose bytes were cut off: data may be none at all. */
static const uint8_t nothing[1];

static int each(const Tcpflowgen__Packets *message, packet_consumer *consumer, void *arg,
                struct error *err)
{
    uint64_t t_ns = 0; /* sums wrap around rather than overflow */
    size_t at = 0;
    int failed = 0;
    if (message->n_t_ns > PACKETS_MAX || message->n_length != message->n_t_ns ||
        message->n_captured != message->n_t_ns)
        return broken(err);
    for (size_t i = 0; !failed && i < message->n_t_ns; i++) {
        t_ns += (uint64_t)message->t_ns[i];
        const struct packet packet = {
            .t_ns = (int64_t)t_ns, .length = message->length[i], .captured = message->captured[i]};
        if (packet.captured > message->data.len - at || packet.captured > packet.length ||
            packet.captured > CAPTURE_SNAP)
            return broken(err);
        const uint8_t *bytes = packet.captured ? message->data.data + at : nothing;
        failed = consumer(arg, message->link_type, &packet, bytes, err);
        at += packet.captured;
    }
    return failed;
}

/* Unpacked, many small fields take a hundred times their size: a record of packets has few. */
static bool has_few_fields(const struct wire_field *packets)
{
    struct wire wire = {.at = packets->data, .left = (size_t)packets->value};
    struct wire_field field;
    size_t count = 0;
    int got;
    while ((got = wire_next(&wire, &field)) > 0)
        count++;
    return got == 0 && count <= FIELDS_MAX;
}

/* The rest of the record is not looked at.  NULL: it is broken. */
static Tcpflowgen__Packets *unpack(const void *data, size_t size)
{
    struct wire wire = {.at = data, .left = size};
    struct wire_field field;
    if (size > SPOOL_RECORD_MAX)
        return NULL;
    while (wire_next(&wire, &field) > 0)
        if (field.number == PACKETS_FIELD && field.type == WIRE_BYTES && has_few_fields(&field))
            return tcpflowgen__packets__unpack(NULL, (size_t)field.value, field.data);
    return NULL;
}

int packets_record_each(const void *data, size_t size, packet_consumer *consumer, void *arg,
                        struct error *err)
{
    Tcpflowgen__Packets *message = unpack(data, size);
    if (!message)
        return broken(err);
    const int failed = each(message, consumer, arg, err);
    tcpflowgen__packets__free_unpacked(message, NULL);
    return failed;
}
