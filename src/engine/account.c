#include "engine/account.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "engine/end.h"
#include "engine/worker.h"

uint64_t account_unread(int fd)
{
    int size;
    return ioctl(fd, SIOCINQ, &size) == 0 && size > 0 ? (uint64_t)size : 0;
}

void account_rest(struct end *end, int64_t now_ns)
{
    if (!end->rests)
        end->rest_since_ns = now_ns;
    end->rests = true;
}

void account_resume(struct end *end, int64_t now_ns)
{
    if (end->rests)
        end->rest_ns += now_ns - end->rest_since_ns;
    end->rests = false;
}

static void read_send_buffer(struct reading *out, int fd)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof memory;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0)
        return;
    out->send_buffer = memory[SK_MEMINFO_SNDBUF];
    out->send_queued = memory[SK_MEMINFO_WMEM_QUEUED];
}

static void read_kernel(struct reading *out, const struct sample *sample)
{
    const uint16_t length = out->info_length = sample->info_length;
    const void *info = sample->info;
    out->state = (uint8_t)tcp_field_get(info, length, TCP_state);
    out->acked = (uint64_t)tcp_field_get(info, length, TCP_bytes_acked);
    out->received = (uint64_t)tcp_field_get(info, length, TCP_bytes_received);
    out->sent = (uint64_t)tcp_field_get(info, length, TCP_bytes_sent);
    out->retransmitted = (uint64_t)tcp_field_get(info, length, TCP_bytes_retrans);
    out->notsent = (uint64_t)tcp_field_get(info, length, TCP_notsent_bytes);
    out->busy_us = (uint64_t)tcp_field_get(info, length, TCP_busy_time);
    out->rwnd_limited_us = (uint64_t)tcp_field_get(info, length, TCP_rwnd_limited);
    out->sndbuf_limited_us = (uint64_t)tcp_field_get(info, length, TCP_sndbuf_limited);
    out->rtt_us = (uint32_t)tcp_field_get(info, length, TCP_rtt);
    out->min_rtt_us = (uint32_t)tcp_field_get(info, length, TCP_min_rtt);
}

void account_take(struct end *end, int which, const struct sample *sample)
{
    struct reading *out = &end->report.reading[which];
    struct usage *usage = &end->worker->usage;
    *out = (struct reading){.t_ns = sample->t_ns, .written = end->sent, .read = end->received};
    read_kernel(out, sample);
    if (end->spec.sink)
        out->unread = account_unread(end->fd);
    if (end->spec.source)
        read_send_buffer(out, end->fd);
    if (end->rests) {
        account_resume(end, sample->t_ns);
        account_rest(end, sample->t_ns);
    }
    out->rest_ns = end->rest_ns;
    usage_read(usage, sample->t_ns);
    out->worker_ns = usage->t_ns;
    out->cpu_ns = usage->cpu_ns;
    out->wait_ns = usage->wait_ns;
}
