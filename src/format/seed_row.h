/* TCPInfo of messages.proto, a row with eleven fields, <-> a row of a series, or a sample. */
#ifndef FORMAT_SEED_ROW_H
#define FORMAT_SEED_ROW_H

#include "model/sample.h"
#include "model/series.h"
#include "proto/messages.pb-c.h"

void seed_row_from_series(Tcpflowgen__TCPInfo *out, const struct series *series, size_t row);
/* ts is counted from origin_ns. */
void seed_row_from_sample(Tcpflowgen__TCPInfo *out, const struct sample *sample, int64_t origin_ns);

/* Appends a row: fields that TCPInfo does not have are 0, the tick is SAMPLE_OFF_TICK.
 * 0, -1: out of memory, 1: values that no sample has. */
int seed_row_to_series(struct series *series, const Tcpflowgen__TCPInfo *row);

#endif
