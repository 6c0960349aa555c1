/* The thread reads each tap into the tap's buffer; the recorder swaps it for an empty one.  The
 * lock is held for no longer than that; a worker takes it once, for an accepting end, when no flow
 * moves yet. */
#include "engine/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "model/packet.h"
#include "util/bracket.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/signals.h"

#define KERNEL_BUFFER (8 << 20)         /* bytes; libpcap's ring of one tap */
#define WAITING_MAX   (8u << 20)        /* bytes of one tap that wait for the recorder */
#define TURN_PACKETS  2048              /* of one tap at a time */
#define LINGER_NS     (500 * NS_PER_MS) /* behind the end's report: the last of FIN and RST */
#define FILTER_MAX    (3 * ADDRESS_MAX + 128)
#define POLL_MS       50
#define BRACKET_NS    NS_PER_S /* between brackets that are kept */
#define BRACKETS_MAX  64       /* of these: so far back stamps are placed by what was measured */
#define HIDDEN_NS     NS_PER_S /* so long, and far less, the kernel's ring may hold a packet back */

enum tap_state {
    TAP_OPEN,   /* the thread reads it */
    TAP_CLOSED, /* no packet follows */
    TAP_TOLD    /* as the recorder knows */
};

/* Packets that wait, and their bytes. */
struct catch
{
    struct buffer packets; /* struct packet, one after another */
    struct buffer data;
};

struct tap {
    struct capture *capture;
    pcap_t *pcap; /* NULL: closed, or never opened */
    uint32_t link_type;
    char local[ADDRESS_MAX], peer[ADDRESS_MAX]; /* without scopes; "": any */
    /* with the lock */
    uint16_t port;                       /* the accepting end's; 0: not aimed yet */
    uint8_t begun[(UINT16_MAX + 1) / 8]; /* a bit for each port that opened a connection to it */
    enum tap_state state;
    int64_t over_ns;  /* when it is to be closed; INT64_MAX: not known yet */
    int64_t since_ns; /* no packet that is still to be read came before */
    struct catch caught;
    struct capture_report report;
    /* the recorder's thread alone */
    struct catch taken;
};

struct capture {
    int recorder_fd, wake_fd;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    bool quit;
    struct tap *taps[CAPTURES_MAX];
    size_t tap_count; /* only grows */
    /* the thread alone */
    struct clock_bracket brackets[BRACKETS_MAX + 1]; /* by time, the last is of now */
    size_t bracket_count;
};

/* ---- The thread ---- */

/* Whether its connection's SYN was heard. */
static bool is_known(struct tap *tap, const u_char *bytes, uint32_t captured)
{
    struct packet_tcp tcp;
    if (!packet_tcp(&tcp, tap->link_type, bytes, captured))
        return true;
    const uint16_t opener = tcp.to == tap->port ? tcp.from : tcp.to;
    const uint8_t bit = (uint8_t)(1u << opener % 8);
    if (tcp.opens)
        tap->begun[opener / 8] |= bit;
    return tap->begun[opener / 8] & bit;
}

/* Its time is still the kernel's stamp, until date(). */
static void on_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct tap *tap = (struct tap *)user;
    struct catch *caught = &tap->caught;
    if (!is_known(tap, bytes, header->caplen))
        return;
    const struct packet packet = {
        /* tv_usec holds ns: that precision was asked for. */
        .t_ns = (int64_t)header->ts.tv_sec * NS_PER_S + (int64_t)header->ts.tv_usec,
        .length = header->len,
        .captured = packet_headers(tap->link_type, bytes, header->caplen),
    };
    const size_t waiting = caught->packets.size + caught->data.size;
    if (waiting > WAITING_MAX || buffer_append(&caught->data, bytes, packet.captured)) {
        tap->report.lost++;
    } else if (buffer_append(&caught->packets, &packet, sizeof packet)) {
        caught->data.size -= packet.captured;
        tap->report.lost++;
    } else {
        tap->report.packets++;
    }
}

/* What was stamped by then has been read, but for what the ring holds back. */
static void pass(struct tap *tap, int64_t t_ns)
{
    if (t_ns - HIDDEN_NS > tap->since_ns)
        tap->since_ns = t_ns - HIDDEN_NS;
}

/* The clocks were compared behind the last stamp: puts the packets from there on on
 * CLOCK_MONOTONIC. */
static void date(struct tap *tap, size_t from)
{
    const struct capture *capture = tap->capture;
    struct packet *packets = (void *)tap->caught.packets.data;
    const size_t count = tap->caught.packets.size / sizeof *packets;
    int64_t error_ns = 0;
    for (size_t i = from; i < count; i++) {
        packets[i].t_ns = bracket_place(capture->brackets, capture->bracket_count, packets[i].t_ns,
                                        tap->since_ns, &error_ns);
        if (error_ns > tap->report.error_ns)
            tap->report.error_ns = error_ns;
    }
    if (count > from) /* they come in their order */
        pass(tap, packets[count - 1].t_ns - error_ns);
}

static void fail(struct tap *tap, const char *why)
{
    if (!tap->report.error[0])
        snprintf(tap->report.error, sizeof tap->report.error, "%s", why);
}

static void close_tap(struct tap *tap)
{
    struct pcap_stat stat;
    if (pcap_stats(tap->pcap, &stat) == 0)
        tap->report.dropped = stat.ps_drop;
    pcap_close(tap->pcap);
    tap->pcap = NULL;
    tap->state = TAP_CLOSED;
}

static void renew_brackets(struct capture *capture)
{
    struct clock_bracket *brackets = capture->brackets;
    size_t last = capture->bracket_count - 1;
    if (last == 0 || brackets[last].at_ns - brackets[last - 1].at_ns >= BRACKET_NS)
        last++;
    if (last > BRACKETS_MAX)
        memmove(brackets, brackets + 1, --last * sizeof *brackets);
    brackets[last] = bracket_read();
    capture->bracket_count = last + 1;
}

/* With the lock, which the recorder wants for a moment only. */
static void read_tap(struct tap *tap)
{
    const size_t before = tap->caught.packets.size / sizeof(struct packet);
    const int64_t began_ns = clock_now();
    const bool last = began_ns >= tap->over_ns;
    const int got = pcap_dispatch(tap->pcap, TURN_PACKETS, on_packet, (u_char *)tap);
    if (got > 0) {
        renew_brackets(tap->capture);
        date(tap, before);
    }
    if (got < 0)
        fail(tap, pcap_geterr(tap->pcap));
    else if (got < TURN_PACKETS)
        pass(tap, began_ns);
    /* A stranger may send to the port for ever. */
    const bool overdue = last && clock_now() - tap->over_ns > LINGER_NS;
    if (got < 0 || (got == 0 && last) || overdue)
        close_tap(tap);
}

/* Returns whether anything was caught, or is over. */
static bool read_taps(struct capture *capture)
{
    bool news = false;
    renew_brackets(capture); /* also where no packet comes for long */
    for (size_t i = 0; i < capture->tap_count; i++) {
        struct tap *tap = capture->taps[i];
        if (tap->state != TAP_OPEN)
            continue;
        read_tap(tap);
        news |= tap->caught.packets.size || tap->state == TAP_CLOSED;
    }
    return news;
}

static nfds_t fill_polls(const struct capture *capture, struct pollfd fds[])
{
    nfds_t count = 1;
    fds[0] = (struct pollfd){.fd = capture->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < capture->tap_count; i++)
        if (capture->taps[i]->state == TAP_OPEN)
            fds[count++] = (struct pollfd){.fd = pcap_get_selectable_fd(capture->taps[i]->pcap),
                                           .events = POLLIN};
    return count;
}

static void *run(void *arg)
{
    struct capture *capture = arg;
    prctl(PR_SET_NAME, "capture");
    pthread_mutex_lock(&capture->lock);
    while (!capture->quit) {
        struct pollfd fds[CAPTURES_MAX + 1];
        const nfds_t count = fill_polls(capture, fds);
        pthread_mutex_unlock(&capture->lock);
        poll(fds, count, POLL_MS);
        eventfd_t woken;
        eventfd_read(capture->wake_fd, &woken);
        pthread_mutex_lock(&capture->lock);
        if (read_taps(capture))
            eventfd_write(capture->recorder_fd, 1);
    }
    pthread_mutex_unlock(&capture->lock);
    return NULL;
}

/* ---- The control thread ---- */

int capture_create(struct capture **out, int recorder_fd, struct error *err)
{
    struct capture *capture = calloc(1, sizeof *capture);
    if (!capture)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    capture->recorder_fd = recorder_fd;
    pthread_mutex_init(&capture->lock, NULL);
    capture->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (capture->wake_fd < 0) {
        const int failed =
            error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make an eventfd");
        capture_destroy(capture);
        return failed;
    }
    *out = capture;
    return 0;
}

static void catch_fini(struct catch *caught)
{
    buffer_fini(&caught->packets);
    buffer_fini(&caught->data);
}

static void tap_free(struct tap *tap)
{
    if (tap->pcap)
        pcap_close(tap->pcap);
    catch_fini(&tap->caught);
    catch_fini(&tap->taken);
    free(tap);
}

void capture_destroy(struct capture *capture)
{
    if (!capture)
        return;
    if (capture->has_thread) {
        pthread_mutex_lock(&capture->lock);
        capture->quit = true;
        pthread_mutex_unlock(&capture->lock);
        eventfd_write(capture->wake_fd, 1);
        pthread_join(capture->thread, NULL);
    }
    for (size_t i = 0; i < capture->tap_count; i++)
        tap_free(capture->taps[i]);
    if (capture->wake_fd >= 0)
        close(capture->wake_fd);
    pthread_mutex_destroy(&capture->lock);
    free(capture);
}

static int start_thread(struct capture *capture, struct error *err)
{
    if (capture->has_thread)
        return 0;
    capture->brackets[0] = bracket_read();
    capture->bracket_count = 1;
    const int failed = signals_spare_thread(&capture->thread, run, capture);
    if (failed)
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL,
                               "cannot start the capture's thread");
    capture->has_thread = true;
    return 0;
}

static int refuse(struct error *err, const char *device, int code, const char *why)
{
    error_set(err, ERROR_FLOW, NULL, "cannot capture on %s: %s", device,
              *why ? why : pcap_statustostr(code));
    if (code == PCAP_ERROR_PERM_DENIED)
        return error_cure(err, "the agent needs CAP_NET_RAW for \"capture\": start it as root, or "
                               "leave \"capture\" out");
    return error_cure(err, "leave \"capture\" out, or let the flow use another interface");
}

static int set_up(pcap_t *pcap)
{
    int code = pcap_set_snaplen(pcap, CAPTURE_SNAP);
    if (!code)
        code = pcap_set_timeout(pcap, POLL_MS);
    if (!code)
        code = pcap_set_buffer_size(pcap, KERNEL_BUFFER);
    if (!code)
        code = pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
    return code ? code : pcap_activate(pcap);
}

/* DLT_ values are what libpcap says, LINKTYPE_ values what files say: of those that an interface
 * for TCP has only DLT_RAW differs. */
static uint32_t link_type_of(pcap_t *pcap)
{
    const int type = pcap_datalink(pcap);
    return type == DLT_RAW ? LINKTYPE_RAW : (uint32_t)type;
}

/* "less 1" is true of no packet: the tap hears nothing until it is aimed. */
static int open_pcap(struct tap *tap, const char *device, struct error *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    tap->pcap = pcap_create(device, text);
    if (!tap->pcap)
        return refuse(err, device, PCAP_ERROR, text);
    const int code = set_up(tap->pcap);
    if (code < 0)
        return refuse(err, device, code,
                      code == PCAP_ERROR_PERM_DENIED ? "" : pcap_geterr(tap->pcap));
    struct bpf_program none;
    if (pcap_compile(tap->pcap, &none, "less 1", 1, PCAP_NETMASK_UNKNOWN) < 0)
        return refuse(err, device, PCAP_ERROR, pcap_geterr(tap->pcap));
    const int set = pcap_setfilter(tap->pcap, &none);
    pcap_freecode(&none);
    if (set < 0 || pcap_setnonblock(tap->pcap, 1, text) < 0)
        return refuse(err, device, PCAP_ERROR, set < 0 ? pcap_geterr(tap->pcap) : text);
    tap->link_type = link_type_of(tap->pcap);
    if (tap->link_type != LINKTYPE_ETHERNET && tap->link_type != LINKTYPE_RAW)
        return refuse(err, device, PCAP_ERROR, "the headers of its packets are not known here");
    return 0;
}

int capture_open(struct capture *capture, const struct end_spec *spec, const char *device,
                 struct tap **out, struct error *err)
{
    if (capture->tap_count == CAPTURES_MAX) {
        error_set(err, ERROR_FLOW, NULL, "an agent captures %d ends at most", CAPTURES_MAX);
        return error_cure(err, "leave \"capture\" out of the other flows");
    }
    struct tap *tap = calloc(1, sizeof *tap);
    if (!tap)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    tap->capture = capture;
    tap->over_ns = INT64_MAX;
    tap->report.flow = spec->flow;
    tap->report.end = spec->end;
    snprintf(tap->report.device, sizeof tap->report.device, "%s", device);
    snprintf(tap->peer, sizeof tap->peer, "%s", spec->peer_address);
    tap->peer[strcspn(tap->peer, "%")] = '\0';
    snprintf(tap->local, sizeof tap->local, "%s", spec->local_address);
    tap->local[strcspn(tap->local, "%")] = '\0';
    int failed = open_pcap(tap, device, err);
    if (!failed)
        failed = start_thread(capture, err);
    if (failed) {
        tap_free(tap);
        return failed;
    }
    pthread_mutex_lock(&capture->lock);
    tap->since_ns = clock_now();
    capture->taps[capture->tap_count++] = tap;
    pthread_mutex_unlock(&capture->lock);
    *out = tap;
    return 0;
}

/* The port is the accepting end's, and counts on its side alone: the other end may listen on a port
 * of the same number. */
static void write_filter(const struct tap *tap, uint16_t port, char out[FILTER_MAX])
{
    const bool opens = tap->report.end == END_SRC;
    const char *there = opens ? "dst" : "src", *back = opens ? "src" : "dst";
    int size = snprintf(out, FILTER_MAX, "tcp");
    if (*tap->local)
        size += snprintf(out + size, FILTER_MAX - (size_t)size, " and host %s", tap->local);
    if (!*tap->peer)
        snprintf(out + size, FILTER_MAX - (size_t)size, " and port %u", port);
    else if (opens)
        snprintf(out + size, FILTER_MAX - (size_t)size,
                 " and ((%s host %s and %s port %u) or (%s host %s and %s port %u))", there,
                 tap->peer, there, port, back, tap->peer, back, port);
    else
        snprintf(out + size, FILTER_MAX - (size_t)size,
                 " and ((%s host %s and %s port %u) or (%s host %s and %s port %u))", there,
                 tap->peer, back, port, back, tap->peer, there, port);
}

void capture_aim(struct tap *tap, uint16_t port)
{
    char text[FILTER_MAX];
    struct bpf_program filter;
    struct capture *capture = tap->capture;
    write_filter(tap, port, text);
    pthread_mutex_lock(&capture->lock);
    if (tap->port) {
        pthread_mutex_unlock(&capture->lock);
        return;
    }
    tap->port = port;
    if (tap->state != TAP_OPEN ||
        pcap_compile(tap->pcap, &filter, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        fail(tap, tap->pcap ? pcap_geterr(tap->pcap) : "closed before its flow began");
    } else {
        if (pcap_setfilter(tap->pcap, &filter) < 0)
            fail(tap, pcap_geterr(tap->pcap));
        pcap_freecode(&filter);
    }
    pthread_mutex_unlock(&capture->lock);
}

void capture_cancel(struct tap *tap)
{
    pthread_mutex_lock(&tap->capture->lock);
    if (tap->state == TAP_OPEN)
        close_tap(tap);
    tap->state = TAP_TOLD;
    pthread_mutex_unlock(&tap->capture->lock);
}

/* ---- The recorder's thread ---- */

void capture_end_over(struct capture *capture, uint32_t flow, enum flow_end end)
{
    pthread_mutex_lock(&capture->lock);
    for (size_t i = 0; i < capture->tap_count; i++) {
        struct tap *tap = capture->taps[i];
        if (tap->report.flow == flow && tap->report.end == end && tap->over_ns == INT64_MAX)
            tap->over_ns = clock_now() + LINGER_NS;
    }
    pthread_mutex_unlock(&capture->lock);
}

static void hand_over(struct tap *tap, engine_consumer *consumer, void *arg)
{
    const struct packet *packets = (const void *)tap->taken.packets.data;
    const size_t all = tap->taken.packets.size / sizeof *packets;
    const uint8_t *data = tap->taken.data.data;
    for (size_t first = 0; first < all;) {
        struct packet_batch batch = {.flow = tap->report.flow,
                                     .end = tap->report.end,
                                     .link_type = tap->link_type,
                                     .packets = packets + first,
                                     .data = data};
        for (; batch.count < PACKETS_MAX && first < all; batch.count++)
            batch.size += packets[first++].captured;
        data += batch.size;
        const struct engine_item item = {
            .kind = ENGINE_PACKETS, .flow = batch.flow, .end = batch.end, .packets = &batch};
        consumer(arg, &item);
    }
    buffer_clear(&tap->taken.packets);
    buffer_clear(&tap->taken.data);
}

static void take(struct tap *tap, engine_consumer *consumer, void *arg)
{
    struct capture *capture = tap->capture;
    pthread_mutex_lock(&capture->lock);
    const struct catch empty = tap->taken;
    tap->taken = tap->caught;
    tap->caught = empty;
    const bool closed = tap->state == TAP_CLOSED;
    if (closed)
        tap->state = TAP_TOLD;
    const struct capture_report report = tap->report;
    pthread_mutex_unlock(&capture->lock);
    hand_over(tap, consumer, arg);
    if (!closed)
        return;
    const struct engine_item item = {
        .kind = ENGINE_CAPTURED, .flow = report.flow, .end = report.end, .captured = &report};
    consumer(arg, &item);
}

static size_t count_taps(struct capture *capture)
{
    pthread_mutex_lock(&capture->lock);
    const size_t count = capture->tap_count;
    pthread_mutex_unlock(&capture->lock);
    return count;
}

void capture_take(struct capture *capture, engine_consumer *consumer, void *arg)
{
    const size_t count = count_taps(capture);
    for (size_t i = 0; i < count; i++)
        take(capture->taps[i], consumer, arg);
}

bool capture_is_busy(struct capture *capture)
{
    bool busy = false;
    pthread_mutex_lock(&capture->lock);
    for (size_t i = 0; i < capture->tap_count; i++)
        busy |= capture->taps[i]->state != TAP_TOLD;
    pthread_mutex_unlock(&capture->lock);
    return busy;
}
