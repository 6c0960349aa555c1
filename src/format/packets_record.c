#include "format/packets_record.h"

#include <stdlib.h>

#include "format/spool_record.h"
#include "proto/agent.pb-c.h"

static int pack(struct buffer *out, const Tcpflowgen__SpoolRecord *record)
{
    const size_t size = tcpflowgen__spool_record__get_packed_size(record);
    uint8_t *place = buffer_reserve(out, size);
    if (!place)
        return -1;
    out->size += tcpflowgen__spool_record__pack(record, place);
    return 0;
}

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
            t_ns[i] = batch->packets[i].t_ns - (i ? batch->packets[i - 1].t_ns : 0);
            message.length[i] = batch->packets[i].length;
            message.captured[i] = batch->packets[i].captured;
        }
        message.data = (ProtobufCBinaryData){.len = batch->size, .data = (uint8_t *)batch->data};
        Tcpflowgen__SpoolRecord record = TCPFLOWGEN__SPOOL_RECORD__INIT;
        record.flow = batch->flow;
        record.end = batch->end;
        record.packets = &message;
        failed = pack(out, &record);
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
    return pack(out, &record);
}

static int broken(struct error *err)
{
    return error_set(err, ERROR_INPUT, NULL, "a broken record of packets");
}

static int each(const Tcpflowgen__Packets *message, packet_consumer *consumer, void *arg,
                struct error *err)
{
    uint64_t t_ns = 0; /* sums wrap around rather than overflow */
    size_t at = 0;
    int failed = 0;
    if (message->n_length != message->n_t_ns || message->n_captured != message->n_t_ns)
        return broken(err);
    for (size_t i = 0; !failed && i < message->n_t_ns; i++) {
        t_ns += (uint64_t)message->t_ns[i];
        const struct packet packet = {
            .t_ns = (int64_t)t_ns, .length = message->length[i], .captured = message->captured[i]};
        if (packet.captured > message->data.len - at || packet.captured > packet.length)
            return broken(err);
        failed = consumer(arg, message->link_type, &packet, message->data.data + at, err);
        at += packet.captured;
    }
    return failed;
}

int packets_record_each(const void *data, size_t size, packet_consumer *consumer, void *arg,
                        struct error *err)
{
    Tcpflowgen__SpoolRecord *record =
        size > SPOOL_RECORD_MAX ? NULL : tcpflowgen__spool_record__unpack(NULL, size, data);
    if (!record)
        return broken(err);
    const int failed = record->packets ? each(record->packets, consumer, arg, err) : broken(err);
    tcpflowgen__spool_record__free_unpacked(record, NULL);
    return failed;
}
