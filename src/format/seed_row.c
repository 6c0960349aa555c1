#include "format/seed_row.h"

#include <math.h>
#include <stdbool.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define US_PER_S    1e6
#define SECONDS_MAX 9e9 /* of int64 ns */

/* What a row has of tcp_info. */
static const enum tcp_field row_fields[] = {
    TCP_ca_state,       TCP_state,   TCP_rtt,  TCP_rttvar,  TCP_bytes_acked,
    TCP_bytes_received, TCP_unacked, TCP_lost, TCP_retrans, TCP_reordering,
};

/* value is indexed by field. */
static void fill(Tcpflowgen__TCPInfo *out, int64_t t_ns, const int64_t value[TCP_FIELD_COUNT])
{
    tcpflowgen__tcpinfo__init(out);
    out->ts = (double)t_ns / (double)NS_PER_S;
    out->castate = (int32_t)value[TCP_ca_state];
    out->state = tcp_state_seed(value[TCP_state]);
    out->rtt = (double)value[TCP_rtt] / US_PER_S;
    out->rttvar = (double)value[TCP_rttvar] / US_PER_S;
    out->thrubytesacked = (uint64_t)value[TCP_bytes_acked];
    out->thrubytesreceived = (uint64_t)value[TCP_bytes_received];
    out->unackedsegs = (uint32_t)value[TCP_unacked];
    out->lostsegs = (uint32_t)value[TCP_lost];
    out->retranssegs = (uint32_t)value[TCP_retrans];
    out->reorderedsegs = (uint32_t)value[TCP_reordering];
}

void seed_row_from_series(Tcpflowgen__TCPInfo *out, const struct series *series, size_t row)
{
    int64_t value[TCP_FIELD_COUNT];
    for (size_t i = 0; i < COUNT_OF(row_fields); i++)
        value[row_fields[i]] = series->field[row_fields[i]][row];
    fill(out, series->t_ns[row], value);
}

void seed_row_from_sample(Tcpflowgen__TCPInfo *out, const struct sample *sample, int64_t origin_ns)
{
    int64_t value[TCP_FIELD_COUNT];
    for (size_t i = 0; i < COUNT_OF(row_fields); i++)
        value[row_fields[i]] = tcp_field_get(sample->info, sample->info_length, row_fields[i]);
    fill(out, sample->t_ns - origin_ns, value);
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
