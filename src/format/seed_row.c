#include "format/seed_row.h"

#include <math.h>
#include <stdbool.h>

#include "util/clock.h"

#define US_PER_S    1e6
#define SECONDS_MAX 9e9 /* of int64 ns */

void seed_row_from_series(Tcpflowgen__TCPInfo *out, const struct series *series, size_t row)
{
    tcpflowgen__tcpinfo__init(out);
    out->ts = (double)series->t_ns[row] / (double)NS_PER_S;
    out->castate = (int32_t)series->field[TCP_ca_state][row];
    out->state = tcp_state_seed(series->field[TCP_state][row]);
    out->rtt = (double)series->field[TCP_rtt][row] / US_PER_S;
    out->rttvar = (double)series->field[TCP_rttvar][row] / US_PER_S;
    out->thrubytesacked = (uint64_t)series->field[TCP_bytes_acked][row];
    out->thrubytesreceived = (uint64_t)series->field[TCP_bytes_received][row];
    out->unackedsegs = (uint32_t)series->field[TCP_unacked][row];
    out->lostsegs = (uint32_t)series->field[TCP_lost][row];
    out->retranssegs = (uint32_t)series->field[TCP_retrans][row];
    out->reorderedsegs = (uint32_t)series->field[TCP_reordering][row];
}

/* 0: a state that Linux does not have. */
static int64_t linux_state(int32_t seed)
{
    for (int64_t state = LINUX_TCP_ESTABLISHED; seed > 0 && state < 16; state++)
        if (tcp_state_seed(state) == seed)
            return state;
    return 0;
}

static bool seconds(double value)
{
    return value > -SECONDS_MAX && value < SECONDS_MAX; /* neither is NaN */
}

int seed_row_to_series(struct series *series, const Tcpflowgen__TCPInfo *from)
{
    if (!seconds(from->ts) || !seconds(from->rtt) || !seconds(from->rttvar))
        return 1;
    size_t row = series->count;
    if (series_reserve(series, row + 1))
        return -1;
    for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
        series->field[f][row] = 0;
    for (size_t word = 0; word < TCP_CC_WORDS; word++)
        series->cc[word][row] = 0;
    series->tick[row] = SAMPLE_OFF_TICK;
    series->t_ns[row] = llround(from->ts * (double)NS_PER_S);
    series->field[TCP_ca_state][row] = from->castate;
    series->field[TCP_state][row] = linux_state(from->state);
    series->field[TCP_rtt][row] = llround(from->rtt * US_PER_S);
    series->field[TCP_rttvar][row] = llround(from->rttvar * US_PER_S);
    series->field[TCP_bytes_acked][row] = (int64_t)from->thrubytesacked;
    series->field[TCP_bytes_received][row] = (int64_t)from->thrubytesreceived;
    series->field[TCP_unacked][row] = from->unackedsegs;
    series->field[TCP_lost][row] = from->lostsegs;
    series->field[TCP_retrans][row] = from->retranssegs;
    series->field[TCP_reordering][row] = from->reorderedsegs;
    series->count++;
    return 0;
}
