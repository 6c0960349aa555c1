#include "model/mtu_hole.h"

#define TCP_HEADER        20
#define TIMESTAMPS_HEADER 12
#define OPT_TIMESTAMPS    1 /* TCPI_OPT_TIMESTAMPS */

struct row {
    uint32_t mss, pmtu;
    uint64_t acked, retrans, sent_first;
    bool times_out;
    bool can_try; /* larger segments */
};

static bool can_try(const struct series *rows, size_t i, uint32_t full)
{
    const double behind = (double)rows->field[TCP_reordering][i] + 1; /* a file may say anything */
    const double needed = full + behind * (double)rows->field[TCP_snd_mss][i];
    return (double)rows->field[TCP_notsent_bytes][i] >= needed &&
           rows->field[TCP_snd_cwnd][i] >= MTU_TRIED_CWND &&
           (!tcp_field_exists(rows->info_length, TCP_snd_wnd) ||
            (double)rows->field[TCP_snd_wnd][i] >= needed);
}

static struct row read_row(const struct series *rows, size_t i, uint32_t full)
{
    const uint64_t sent = (uint64_t)rows->field[TCP_bytes_sent][i];
    const uint64_t again = (uint64_t)rows->field[TCP_bytes_retrans][i];
    return (struct row){
        .mss = (uint32_t)rows->field[TCP_snd_mss][i],
        .pmtu = (uint32_t)rows->field[TCP_pmtu][i],
        .acked = (uint64_t)rows->field[TCP_bytes_acked][i],
        .retrans = (uint64_t)rows->field[TCP_total_retrans][i],
        .sent_first = sent > again ? sent - again : 0,
        .times_out =
            rows->field[TCP_unacked][i] > 0 && rows->field[TCP_retransmits][i] >= MTU_TIMEOUTS,
        .can_try = can_try(rows, i, full),
    };
}

/* A router told the path MTU, or there is a new path. */
static void begin(struct mtu_watch *watch, const struct row *row)
{
    watch->pmtu = row->pmtu;
    watch->full = row->mss;
    watch->fell = false;
}

/* One with segments that are smaller than full ones were. */
static void follow(struct mtu_watch *watch, const struct row *row)
{
    if (!watch->fell && row->retrans == watch->retrans)
        return;
    if (!watch->fell) {
        watch->fell = true;
        watch->acked_before = watch->acked;
        watch->passed = 0;
        watch->tried = 0;
    }
    if (row->can_try && row->acked > watch->acked)
        watch->tried += row->acked - watch->acked;
    if (row->acked > watch->acked_before && row->mss > watch->passed)
        watch->passed = row->mss;
}

static void add_row(struct mtu_watch *watch, const struct row *row)
{
    /* SYN and token are no full segment, nor is what comes with them. */
    const uint64_t least = 1 + TOKEN_SIZE + (uint64_t)watch->full;
    if (!watch->sampled || row->pmtu != watch->pmtu)
        begin(watch, row);
    watch->sampled = true;
    if (row->mss + MTU_CLOSE >= watch->full) {
        watch->fell = false;
        watch->retrans = row->retrans;
        watch->full = row->mss > watch->full ? row->mss : watch->full;
    } else {
        follow(watch, row);
    }
    watch->acked = row->acked;
    watch->stuck = row->times_out && row->acked < least && row->sent_first >= watch->full;
}

static bool is_closed(int64_t state)
{
    return state == LINUX_TCP_CLOSE || state == LINUX_TCP_TIME_WAIT;
}

void mtu_watch_add(struct mtu_watch *watch, const struct series *rows)
{
    if (!tcp_field_exists(rows->info_length, TCP_bytes_retrans))
        return;
    for (size_t i = 0; i < rows->count; i++) {
        const struct row row = read_row(rows, i, watch->full);
        if (is_closed(rows->field[TCP_state][i]) || !row.mss || !row.acked)
            continue; /* it counts no more, or not yet */
        watch->options = (uint32_t)rows->field[TCP_options][i];
        add_row(watch, &row);
    }
}

struct mtu_hole mtu_watch_judge(const struct mtu_watch *watch, uint32_t ip_header)
{
    const bool stamped = watch->options & OPT_TIMESTAMPS;
    const uint32_t headers = ip_header + TCP_HEADER + (stamped ? TIMESTAMPS_HEADER : 0);
    struct mtu_hole hole = {.packet = watch->full + headers};
    if (watch->fell && watch->passed) {
        const uint64_t enough = (uint64_t)MTU_TRIED_SEGMENTS * watch->full;
        hole.passed = watch->passed + headers;
        hole.verdict = watch->tried >= enough ? MTU_HOLE : MTU_MAY_BE_HOLE;
    } else if (watch->stuck) {
        hole.verdict = MTU_MAY_BE_HOLE;
    } else {
        hole = (struct mtu_hole){0};
    }
    return hole;
}
