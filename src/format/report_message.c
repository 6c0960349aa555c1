#include "format/report_message.h"

#include "format/utf8.h"

/* Where each time of the model stands in the message, by enum end_time. */
static int64_t *time_of(Tcpflowgen__EndReport *message, int t)
{
    int64_t *const times[END_TIMES] = {
        [T_CONNECT] = &message->connect_ns,
        [T_CONNECTED] = &message->connected_ns,
        [T_FIRST_BYTE] = &message->first_byte_ns,
        [T_LAST_BYTE] = &message->last_byte_ns,
        [T_STOP] = &message->stop_ns,
        [T_CLOSED] = &message->closed_ns,
        [T_FIRST_LEFT] = &message->first_left_ns,
        [T_FIRST_ACKED] = &message->first_acked_ns,
    };
    return times[t];
}

/* ---- to messages ---- */

static void reading_to_message(Tcpflowgen__Reading *out, const struct reading *reading)
{
    tcpflowgen__reading__init(out);
    out->t_ns = reading->t_ns;
    out->info_length = reading->info_length;
    out->state = reading->state;
    out->written = reading->written;
    out->read = reading->read;
    out->acked = reading->acked;
    out->received = reading->received;
    out->sent = reading->sent;
    out->retransmitted = reading->retransmitted;
    out->notsent = reading->notsent;
    out->unread = reading->unread;
    out->busy_us = reading->busy_us;
    out->rwnd_limited_us = reading->rwnd_limited_us;
    out->sndbuf_limited_us = reading->sndbuf_limited_us;
    out->rtt_us = reading->rtt_us;
    out->min_rtt_us = reading->min_rtt_us;
    out->send_buffer = reading->send_buffer;
    out->send_queued = reading->send_queued;
    out->last_data_recv_ms = reading->last_data_recv_ms;
    out->jiffy_us = reading->jiffy_us;
    out->data_segs = reading->data_segs;
    out->held_ns = reading->held_ns;
    out->late_ns = reading->late_ns;
    out->rest_ns = reading->rest_ns;
    out->overslept_ns = reading->overslept_ns;
    out->queue_looks = reading->queue_looks;
    out->queue_window_us = reading->queue_window_us;
    out->shut_window_us = reading->shut_window_us;
    out->queue_held_ns = reading->queue_held_ns;
    out->worker_ns = reading->worker_ns;
    out->cpu_ns = reading->cpu_ns;
    out->wait_ns = reading->wait_ns;
}

static void account_to_message(struct report_message *message, const struct end_report *report)
{
    Tcpflowgen__EndReport *out = &message->report;
    Tcpflowgen__Reading **places[READINGS] = {
        [READ_BEGIN] = &out->begin, [READ_STOP] = &out->stop, [READ_CLOSE] = &out->close};
    for (int i = 0; i < READINGS; i++) {
        reading_to_message(&message->reading[i], &report->reading[i]);
        *places[i] = report->reading[i].info_length ? &message->reading[i] : NULL;
    }
    out->token_bytes = report->token_bytes;
    out->shut = report->shut;
    out->lateness = (uint64_t *)report->lateness;
    out->n_lateness = LATENESS_BUCKETS;
    while (out->n_lateness && !out->lateness[out->n_lateness - 1])
        out->n_lateness--;
}

void report_to_message(struct report_message *message, const struct end_report *report)
{
    Tcpflowgen__EndReport *out = &message->report;
    tcpflowgen__end_report__init(out);
    out->status = (Tcpflowgen__EndReport__Status)report->status;
    out->error = (char *)report->error;
    out->local_address = (char *)report->local_address;
    out->local_port = report->local_port;
    out->peer_address = (char *)report->peer_address;
    out->peer_port = report->peer_port;
    out->times = report->times;
    for (int t = 0; t < END_TIMES; t++)
        *time_of(out, t) = report->times & (1u << t) ? report->at[t] : 0;
    out->payload_bytes = report->payload_bytes;
    out->payload_bytes_stop = report->payload_bytes_stop;
    out->preamble_bytes = report->preamble_bytes;
    out->samples_expected = report->samples_expected;
    out->samples_taken = report->samples_taken;
    out->samples_missed = report->samples_missed;
    out->lateness_max_ns = report->lateness_max_ns;
    out->ccalg = (char *)report->ccalg;
    out->ecn = report->ecn;
    out->ecn_seen = report->ecn_seen;
    out->nodelay = report->nodelay;
    out->notsent_lowat = report->notsent_lowat;
    out->write_size = report->write_size;
    out->read_size = report->read_size;
    out->device = (char *)report->device;
    out->cpu = report->cpu;
    out->send_buffer = report->send_buffer;
    out->receive_buffer = report->receive_buffer;
    out->pacing_rate = report->pacing_rate;
    out->mss = report->mss;
    out->paced_bytes = report->paced_bytes;
    out->skipped_bytes = report->skipped_bytes;
    out->neglected_bytes = report->neglected_bytes;
    account_to_message(message, report);
}

/* ---- from messages ---- */

static struct reading reading_from_message(const Tcpflowgen__Reading *message)
{
    return (struct reading){
        .t_ns = message->t_ns,
        .info_length =
            message->info_length < UINT16_MAX ? (uint16_t)message->info_length : UINT16_MAX,
        .state = message->state < UINT8_MAX ? (uint8_t)message->state : UINT8_MAX,
        .written = message->written,
        .read = message->read,
        .acked = message->acked,
        .received = message->received,
        .sent = message->sent,
        .retransmitted = message->retransmitted,
        .notsent = message->notsent,
        .unread = message->unread,
        .busy_us = message->busy_us,
        .rwnd_limited_us = message->rwnd_limited_us,
        .sndbuf_limited_us = message->sndbuf_limited_us,
        .rtt_us = message->rtt_us,
        .min_rtt_us = message->min_rtt_us,
        .send_buffer = message->send_buffer,
        .send_queued = message->send_queued,
        .last_data_recv_ms = message->last_data_recv_ms,
        .jiffy_us = message->jiffy_us,
        .data_segs = message->data_segs,
        .held_ns = message->held_ns,
        .late_ns = message->late_ns,
        .rest_ns = message->rest_ns,
        .overslept_ns = message->overslept_ns,
        .queue_looks = message->queue_looks,
        .queue_window_us = message->queue_window_us,
        .shut_window_us = message->shut_window_us,
        .queue_held_ns = message->queue_held_ns,
        .worker_ns = message->worker_ns,
        .cpu_ns = message->cpu_ns,
        .wait_ns = message->wait_ns,
    };
}

static void account_from_message(struct end_report *out, const Tcpflowgen__EndReport *message)
{
    const Tcpflowgen__Reading *const readings[READINGS] = {
        [READ_BEGIN] = message->begin, [READ_STOP] = message->stop, [READ_CLOSE] = message->close};
    for (int i = 0; i < READINGS; i++)
        if (readings[i])
            out->reading[i] = reading_from_message(readings[i]);
    out->token_bytes = message->token_bytes;
    out->shut = message->shut;
    for (size_t i = 0; i < message->n_lateness && i < LATENESS_BUCKETS; i++)
        out->lateness[i] = message->lateness[i];
}

#define COPY(to, from) utf8_copy((to), sizeof(to), (from))

void report_from_message(struct end_report *out, const Tcpflowgen__EndReport *message)
{
    *out = (struct end_report){
        .status = message->status >= 0 && (int)message->status <= END_FAILED
                      ? (enum end_status)message->status
                      : END_UNKNOWN,
        .local_port = (uint16_t)message->local_port,
        .peer_port = (uint16_t)message->peer_port,
        .times = message->times & ((1u << END_TIMES) - 1),
        .payload_bytes = message->payload_bytes,
        .payload_bytes_stop = message->payload_bytes_stop,
        .preamble_bytes = message->preamble_bytes,
        .samples_expected = message->samples_expected,
        .samples_taken = message->samples_taken,
        .samples_missed = message->samples_missed,
        .lateness_max_ns = message->lateness_max_ns,
        .ecn = message->ecn,
        .ecn_seen = message->ecn_seen,
        .nodelay = message->nodelay,
        .notsent_lowat = message->notsent_lowat,
        .write_size = message->write_size,
        .read_size = message->read_size,
        .cpu = message->cpu,
        .send_buffer = message->send_buffer,
        .receive_buffer = message->receive_buffer,
        .pacing_rate = message->pacing_rate,
        .mss = message->mss,
        .paced_bytes = message->paced_bytes,
        .skipped_bytes = message->skipped_bytes,
        .neglected_bytes = message->neglected_bytes,
    };
    for (int t = 0; t < END_TIMES; t++)
        out->at[t] = *time_of((Tcpflowgen__EndReport *)message, t);
    COPY(out->error, message->error);
    COPY(out->local_address, message->local_address);
    COPY(out->peer_address, message->peer_address);
    COPY(out->ccalg, message->ccalg);
    COPY(out->device, message->device);
    account_from_message(out, message);
}
