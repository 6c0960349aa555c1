#include "engine/tuning.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "engine/socket_options.h"

struct handshake tuning_handshake(const struct end_spec *spec)
{
    return (struct handshake){.receive_buffer = spec->sink ? spec->tuning.receive_buffer : 0,
                              .mss = spec->tuning.mss};
}

bool handshake_equal(const struct handshake *a, const struct handshake *b)
{
    return a->receive_buffer == b->receive_buffer && a->mss == b->mss;
}

/* 0 where the socket does not tell. */
static uint32_t get_number(int fd, int level, int option)
{
    uint32_t value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, option, &value, &size) == 0 ? value : 0;
}

/* The kernel doubles what is asked for, for its own overhead, and cuts it at the sysctl without a
 * word unless it is forced. */
static int set_buffer(int fd, int force, int option, const char *sysctl, uint32_t bytes,
                      struct error *err)
{
    const char *key = option == SO_SNDBUF ? "send_buffer" : "receive_buffer";
    if (bytes == 0 || socket_set_int(fd, SOL_SOCKET, force, (int)bytes) == 0)
        return 0;
    if (socket_set_int(fd, SOL_SOCKET, option, (int)bytes) < 0)
        return error_set_errno(err, ERROR_FLOW, errno, NULL, "cannot set a %s of %u", key, bytes);
    const uint32_t got = get_number(fd, SOL_SOCKET, option) / 2;
    if (got >= bytes)
        return 0;
    error_set(err, ERROR_FLOW, NULL, "the kernel cuts a %s of %u bytes to %u", key, bytes, got);
    return error_cure(err, "sysctl -w %s=%u, or give the agent CAP_NET_ADMIN", sysctl, bytes);
}

static int set_receive_buffer(int fd, uint32_t bytes, struct error *err)
{
    return set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, "net.core.rmem_max", bytes, err);
}

static int set_send_buffer(int fd, uint32_t bytes, struct error *err)
{
    return set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, "net.core.wmem_max", bytes, err);
}

static int set_mss(int fd, uint32_t bytes, struct error *err)
{
    if (bytes == 0 || socket_set_int(fd, IPPROTO_TCP, TCP_MAXSEG, (int)bytes) == 0)
        return 0;
    return error_set_errno(err, ERROR_FLOW, errno, NULL, "cannot set an mss of %u", bytes);
}

int tuning_set_handshake(int fd, const struct handshake *handshake, struct error *err)
{
    const int failed = set_mss(fd, handshake->mss, err);
    return failed ? failed : set_receive_buffer(fd, handshake->receive_buffer, err);
}

/* The kernel counts bytes; 8 of them are the least that RATE_MIN is worth.  Kernels take 64 bits
 * from 4.20 on. */
static int set_pacing_rate(int fd, uint64_t bits_per_s, struct error *err)
{
    const uint64_t bytes = bits_per_s / 8;
    if (bits_per_s == 0 ||
        setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes, sizeof bytes) == 0)
        return 0;
    return error_set_errno(err, ERROR_FLOW, errno, NULL, "cannot set SO_MAX_PACING_RATE");
}

int tuning_set(int fd, const struct end_spec *spec, struct error *err)
{
    const struct handshake handshake = tuning_handshake(spec);
    int failed = tuning_set_handshake(fd, &handshake, err);
    if (!failed && spec->source)
        failed = set_send_buffer(fd, spec->tuning.send_buffer, err);
    if (!failed && spec->source)
        failed = set_pacing_rate(fd, spec->tuning.pacing_rate, err);
    return failed;
}

void tuning_check(int fd, const struct end_spec *spec, char problems[PROBLEMS_MAX])
{
    const struct handshake handshake = tuning_handshake(spec);
    struct error err;
    if (set_mss(fd, handshake.mss, &err))
        error_add_line(problems, &err);
    if (set_receive_buffer(fd, handshake.receive_buffer, &err))
        error_add_line(problems, &err);
    if (spec->source && set_send_buffer(fd, spec->tuning.send_buffer, &err))
        error_add_line(problems, &err);
    if (spec->source && set_pacing_rate(fd, spec->tuning.pacing_rate, &err))
        error_add_line(problems, &err);
}

void tuning_read_back(int fd, const struct sample *last, struct end_report *report)
{
    const uint64_t bytes =
        (uint64_t)tcp_field_get(last->info, last->info_length, TCP_max_pacing_rate);
    report->pacing_rate = bytes > RATE_MAX / 8 ? 0 : bytes * 8; /* all ones: no limit */
    report->mss = (uint32_t)tcp_field_get(last->info, last->info_length, TCP_snd_mss);
    report->send_buffer = get_number(fd, SOL_SOCKET, SO_SNDBUF);
    report->receive_buffer = get_number(fd, SOL_SOCKET, SO_RCVBUF);
}
