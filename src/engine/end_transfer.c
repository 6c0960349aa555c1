/* Moves payload.  Each event costs one system call and is bounded by the sizes of read and write;
 * all sources send from one block that stays in the cache, and sinks let the kernel drop what it
 * received (MSG_TRUNC), so that the copy into the kernel is all the work there is. */
#include "engine/end.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include "engine/sample_read.h"
#include "engine/worker.h"
#include "util/clock.h"

#define FIRST_WRITE_BYTES 14480u /* 10 segments: one initial window */
#define DRAIN_POLL_NS     (200 * NS_PER_US)

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

static uint64_t less(uint64_t value, uint64_t by)
{
    return value > by ? value - by : 0;
}

static int64_t field(const struct sample *sample, enum tcp_field which)
{
    return tcp_field_get(sample->info, sample->info_length, which);
}

/* What bytes_acked holds beside payload, before the FIN: at the opening end SYN and token. */
static uint64_t acked_before_payload(const struct end *end)
{
    return end->spec.end == END_SRC ? 1 + end->report.preamble_bytes : 0;
}

uint64_t source_acked(const struct end *end, const struct sample *sample)
{
    const uint64_t acked = (uint64_t)field(sample, TCP_bytes_acked);
    return at_most(less(acked, acked_before_payload(end)), end->sent);
}

uint64_t sink_received(const struct end *end, const struct sample *sample)
{
    if (end->sink == SINK_DONE)
        return end->received;
    const int64_t state = field(sample, TCP_state);
    /* A closed socket was reset, behind a FIN or not; and nothing more comes. */
    if (state == LINUX_TCP_CLOSE)
        return end->received + account_unread(end->fd);
    const bool has_fin = state == LINUX_TCP_TIME_WAIT ||
                         (state >= LINUX_TCP_CLOSE_WAIT && state <= LINUX_TCP_CLOSING);
    const uint64_t token = end->spec.end == END_DST ? end->report.preamble_bytes : 0;
    return less((uint64_t)field(sample, TCP_bytes_received), token + has_fin);
}

/* ---- Source ---- */

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)

/* The first byte is handed over alone, as the kernel stamps one byte of a call, the last; it leaves
 * with what follows. */
static ssize_t send_first(struct end *end, size_t size)
{
    const uint8_t *payload = end->worker->setup->payload;
    const bool token = end->owes_token;
    struct iovec parts[2] = {
        {.iov_base = (void *)end->spec.token, .iov_len = TOKEN_SIZE},
        {.iov_base = (void *)payload, .iov_len = 1},
    };
    struct msghdr message = {.msg_iov = parts + !token, .msg_iovlen = 1 + (size_t)token};
    const ssize_t wanted = 1 + (token ? TOKEN_SIZE : 0);
    const ssize_t sent = stamps_send(end, &message, SEND_FLAGS | (size > 1 ? MSG_MORE : 0));
    if (sent < wanted || size == 1)
        return sent;
    const ssize_t more = send(end->fd, payload, size - 1, SEND_FLAGS);
    return more > 0 ? sent + more : sent;
}

/* The kernel takes a segment (64 KiB and more) as soon as there is room for a byte, so that one
 * large write would pass a small send buffer. */
static size_t write_size(const struct end *end, size_t size)
{
    const uint32_t send_buffer = end->spec.tuning.send_buffer;
    return send_buffer ? at_most(size, send_buffer) : size;
}

void source_write(struct end *end, size_t size)
{
    const bool first = !end->sent;
    if (first)
        stamps_begin(end);
    const int64_t first_ns = first ? clock_now() : 0;
    account_wake(end);
    size = write_size(end, size);
    ssize_t sent = first ? send_first(end, size)
                         : send(end->fd, end->worker->setup->payload, size, SEND_FLAGS);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            end_peer_gone(end, errno);
        else
            account_wait(end);
        return;
    }
    if (end->owes_token) {
        end->report.token_bytes = (uint32_t)(sent < TOKEN_SIZE ? sent : TOKEN_SIZE);
        if (sent <= TOKEN_SIZE) { /* a new connection has room for more */
            end_peer_gone(end, ENOBUFS);
            return;
        }
        sent -= TOKEN_SIZE;
        end->owes_token = false;
    }
    if (first && !end->spec.sink)
        end_set_time(end, T_FIRST_BYTE, first_ns);
    end->sent += (uint64_t)sent;
    end->worker->sent += (uint64_t)sent;
    account_wait(end);
}

/* A little only: all flows that start at one moment shall have sent before one of them goes on. */
void source_begin(struct end *end)
{
    end->source = SOURCE_MOVING;
    pacing_write(end, at_most(end->worker->setup->write_size, FIRST_WRITE_BYTES));
}

void source_shut_down(struct end *end)
{
    end->report.shut = shutdown(end->fd, SHUT_WR) == 0;
    end->source = SOURCE_DRAINING;
    end->drain_ns = clock_now();
}

/* The kernel wakes the end when the FIN is acknowledged; where it does not tell, we ask, ever
 * less often. */
void source_check_drained(struct end *end)
{
    struct sample sample;
    sample_read(end->fd, &sample);
    const uint64_t fin_acked = acked_before_payload(end) + end->sent + 1;
    const bool closed = field(&sample, TCP_state) == LINUX_TCP_CLOSE;
    if ((uint64_t)field(&sample, TCP_bytes_acked) >= fin_acked ||
        (closed && source_acked(end, &sample) == end->sent)) {
        if (end->sent && !end->spec.sink)
            end_set_time(end, T_LAST_BYTE, sample.t_ns);
        end->source = SOURCE_DONE;
        end_half_done(end);
    } else if (closed) {
        end_peer_gone(end, socket_error(end->fd));
    } else {
        const int64_t pause = (sample.t_ns - end->drain_ns) / 8;
        loop_arm(&end->worker->loop, &end->pause,
                 sample.t_ns + (pause > DRAIN_POLL_NS ? pause : DRAIN_POLL_NS));
    }
}

/* ---- Sink ---- */

static void on_all_read(struct end *end)
{
    /* The source waits for the acknowledgement of its FIN, which else may be delayed by 40 ms. */
    socket_set_int(end->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
    if (!end_is_due(end)) {
        end_peer_gone(end, 0);
        return;
    }
    end->sink = SINK_DONE;
    end_half_done(end);
}

void sink_read(struct end *end, size_t size)
{
    const ssize_t got = recv(end->fd, end->worker->discard, size, MSG_TRUNC | MSG_DONTWAIT);
    if (got > 0) {
        const int64_t now = clock_now();
        if (end->received == 0)
            end_set_time(end, T_FIRST_BYTE, now);
        end_set_time(end, T_LAST_BYTE, now);
        end->received += (uint64_t)got;
        end->worker->received += (uint64_t)got;
    } else if (got == 0) {
        on_all_read(end);
    } else if (errno != EAGAIN && errno != EINTR) {
        end_peer_gone(end, errno);
    }
}
