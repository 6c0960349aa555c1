#include "engine/account.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "engine/end.h"
#include "engine/sample_read.h"
#include "engine/worker.h"
#include "util/clock.h"

/* So often system calls are spent on the question what a source waits for: of one, and of all of a
 * worker, which makes 1 % of its time. */
#define ASK_NS     NS_PER_MS
#define ASK_ALL_NS (250 * NS_PER_US)
/* A worker asks so much of that at once; an answer is that old at most. */
#define ASK_BURST_NS (100 * NS_PER_MS)
#define ASK_OLD_NS   (500 * NS_PER_MS)

uint64_t account_unread(int fd)
{
    int size;
    return ioctl(fd, SIOCINQ, &size) == 0 && size > 0 ? (uint64_t)size : 0;
}

/* ---- What the socket says ---- */

static void read_send_buffer(int fd, uint32_t *size, uint32_t *queued)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof memory;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0)
        return;
    *size = memory[SK_MEMINFO_SNDBUF];
    *queued = memory[SK_MEMINFO_WMEM_QUEUED];
}

/* The kernel wakes a writer when a third of the buffer is free, and takes what it writes: so a
 * buffer that holds the writer up is fuller than half. */
static bool is_buffer_full(struct end *end)
{
    uint32_t queued = 0;
    read_send_buffer(end->fd, &end->account.send_buffer, &queued);
    return queued > end->account.send_buffer / 2;
}

/* What Nagle's rule keeps back does not wait for the network. */
static enum wait_kind kind_of(struct end *end, int64_t unsent)
{
    if (unsent > 0 && unsent >= end->account.segment)
        return WAIT_NETWORK;
    return is_buffer_full(end) ? WAIT_BUFFER : WAIT_NOTHING;
}

static enum wait_kind ask_after(struct end *end)
{
    int unsent = 0; /* valgrind does not know the call */
    return ioctl(end->fd, SIOCOUTQNSD, &unsent) == 0 ? kind_of(end, unsent) : WAIT_NETWORK;
}

/* A connection that sends again what was lost sends nothing else, whatever it could. */
static void ask_before(struct end *end, const struct sample *sample)
{
    struct time_account *account = &end->account;
    const void *info = sample->info;
    const size_t length = sample->info_length;
    account->asked_before_ns = sample->t_ns;
    account->silent_ns = tcp_field_get(info, length, TCP_last_data_sent) * NS_PER_MS;
    account->before = kind_of(end, tcp_field_get(info, length, TCP_notsent_bytes));
    if (!account->rest_until_ns &&
        tcp_field_get(info, length, TCP_ca_state) >= LINUX_TCP_CA_RECOVERY)
        account->before = WAIT_NETWORK;
}

/* ---- Times ---- */

/* Flows of one schedule wake together, always in the same order: what was not spent while they
 * slept is there for them then, and none goes by an answer that is old. */
static bool may_ask(struct end *end, int64_t last_ns, int64_t now_ns)
{
    struct worker *worker = end->worker;
    if (now_ns - last_ns < ASK_NS)
        return false;
    const int64_t unspent_ns = now_ns - ASK_BURST_NS;
    const int64_t asked_ns =
        (worker->asked_ns > unspent_ns ? worker->asked_ns : unspent_ns) + ASK_ALL_NS;
    if (asked_ns <= now_ns)
        worker->asked_ns = asked_ns;
    return asked_ns <= now_ns || now_ns - last_ns >= ASK_OLD_NS;
}

void account_wait(struct end *end)
{
    struct time_account *account = &end->account;
    const int64_t now = account->wait_since_ns = end->worker->loop.now_ns;
    account->rest_until_ns = 0;
    if (!may_ask(end, account->asked_after_ns, now))
        return;
    account->asked_after_ns = now;
    account->after = ask_after(end);
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

/* Of a wait that is over, the time in which nothing was unsent.  Of one that began with data to
 * send and ended without, that is a part. */
static int64_t without_data(const struct time_account *account, int64_t waited)
{
    if (account->before == WAIT_NETWORK)
        return 0;
    const bool maybe_buffer = account->before == WAIT_BUFFER && !account->rest_until_ns;
    if (account->after == WAIT_NETWORK && !maybe_buffer)
        return at_most(account->silent_ns, waited);
    return waited;
}

/* A moment is not waited for any longer than until it comes. */
static void add_rest(struct time_account *account, int64_t without, int64_t now_ns)
{
    const int64_t late = now_ns > account->rest_until_ns ? now_ns - account->rest_until_ns : 0;
    const int64_t overslept = at_most(late, without);
    account->overslept_ns += overslept;
    account->rest_ns += without - overslept;
}

/* A wait is over.  What is in the buffer at its end tells what it was for; but a small buffer may
 * be acknowledged at once. */
static void add_wait(struct time_account *account, int64_t now_ns)
{
    const int64_t waited = now_ns - account->wait_since_ns;
    const int64_t without = without_data(account, waited);
    const bool full = account->before == WAIT_BUFFER || account->after == WAIT_BUFFER;
    account->waited_ns[WAIT_NETWORK] += waited - without;
    if (account->rest_until_ns)
        add_rest(account, without, now_ns);
    else
        account->waited_ns[full ? WAIT_BUFFER : WAIT_NOTHING] += without;
    account->wait_since_ns = account->rest_until_ns = 0;
}

void account_wake(struct end *end)
{
    struct time_account *account = &end->account;
    if (!account->wait_since_ns)
        return;
    const int64_t now = end->worker->loop.now_ns;
    if (may_ask(end, account->asked_before_ns, now)) {
        struct sample sample;
        sample_read_info(end->fd, &sample);
        ask_before(end, &sample);
        account_look(end, &sample);
    }
    add_wait(account, now);
}

void account_rest(struct end *end, int64_t until_ns)
{
    struct time_account *account = &end->account;
    account->rest_until_ns = until_ns;
    if (!account->wait_since_ns)
        account->wait_since_ns = end->worker->loop.now_ns;
}

void account_resume(struct end *end)
{
    if (end->account.rest_until_ns)
        account_wake(end);
}

/* ---- What fills the window ---- */

static struct queue_look look_of(const struct end *end, const struct sample *sample)
{
    const void *info = sample->info;
    const size_t length = sample->info_length;
    return (struct queue_look){
        .t_ns = sample->t_ns,
        .acked = (uint64_t)tcp_field_get(info, length, TCP_bytes_acked),
        .window_us = (uint64_t)tcp_field_get(info, length, TCP_rwnd_limited),
        .held_ns = end->account.waited_ns[WAIT_BUFFER],
        .rtt_us = (uint32_t)tcp_field_get(info, length, TCP_rtt),
        .min_rtt_us = (uint32_t)tcp_field_get(info, length, TCP_min_rtt),
        .window = (uint32_t)tcp_field_get(info, length, TCP_snd_wnd),
        .knows_window = tcp_field_exists(length, TCP_snd_wnd),
        .send_buffer = end->account.send_buffer,
    };
}

void account_look(struct end *end, const struct sample *sample)
{
    const struct queue_look look = look_of(end, sample);
    queue_watch_look(&end->account.queue, &look);
}

static void read_queue(struct reading *out, struct end *end, const struct sample *sample)
{
    struct queue_look look = look_of(end, sample);
    look.held_ns = out->held_ns;
    if (end->account.queue.last.t_ns == 0)
        queue_watch_begin(&end->account.queue, &look);
    struct queue_watch queue = end->account.queue;
    queue_watch_end(&queue, &look);
    out->queue_looks = queue.looks;
    out->queue_window_us = queue.window_us;
    out->shut_window_us = queue.shut_us;
    out->queue_held_ns = queue.held_ns;
}

/* ---- Readings ---- */

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
    out->data_segs = (uint32_t)tcp_field_get(info, length, TCP_data_segs_in);
    out->last_data_recv_ms = (uint32_t)tcp_field_get(info, length, TCP_last_data_recv);
    out->jiffy_us = (uint32_t)(clock_jiffy() / NS_PER_US);
}

/* Of the waits and rests up to the sample, those that go on among them. */
static void read_times(struct reading *out, struct end *end, const struct sample *sample)
{
    struct time_account account = end->account;
    if (account.wait_since_ns) {
        ask_before(end, sample);
        account.before = end->account.before;
        account.silent_ns = end->account.silent_ns;
        add_wait(&account, sample->t_ns);
    }
    out->held_ns = account.waited_ns[WAIT_BUFFER];
    out->late_ns = account.waited_ns[WAIT_NOTHING];
    out->rest_ns = account.rest_ns;
    out->overslept_ns = account.overslept_ns;
}

void account_take(struct end *end, int which, const struct sample *sample)
{
    struct reading *out = &end->report.reading[which];
    struct usage *usage = &end->worker->usage;
    *out = (struct reading){.t_ns = sample->t_ns, .written = end->sent, .read = end->received};
    read_kernel(out, sample);
    end->account.segment = (int)tcp_field_get(sample->info, sample->info_length, TCP_snd_mss);
    if (end->spec.sink)
        out->unread = account_unread(end->fd);
    if (end->spec.source)
        read_send_buffer(end->fd, &out->send_buffer, &out->send_queued);
    read_times(out, end, sample);
    end->account.send_buffer = out->send_buffer;
    if (end->spec.source)
        read_queue(out, end, sample);
    usage_read(usage, sample->t_ns);
    out->worker_ns = usage->t_ns;
    out->cpu_ns = usage->cpu_ns;
    out->wait_ns = usage->wait_ns;
}
