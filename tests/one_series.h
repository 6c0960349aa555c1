/* A series of samples for each end of a flow, as results_writer_flow() asks for them. */
#ifndef TESTS_ONE_SERIES_H
#define TESTS_ONE_SERIES_H

#include <stdbool.h>

#include "model/flow.h"
#include "model/series.h"
#include "model/tcp_fields.h"
#include "util/error.h"

struct one_series {
    struct series series; /* of both ends */
    bool given[2];
};

/* So many rows on ticks 250 ms apart, at each of which counters have grown.  False: no memory. */
static inline bool one_series_fill(struct one_series *source, size_t rows)
{
    struct series *series = &source->series;
    *source = (struct one_series){0};
    if (series_reserve(series, rows))
        return false;
    series->count = rows;
    series->info_length = TCP_INFO_SIZE;
    for (size_t row = 0; row < rows; row++) {
        series->t_ns[row] = (int64_t)row * INT64_C(250000001);
        series->tick[row] = (int64_t)row;
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            series->field[f][row] = f == TCP_state ? 1 : (int64_t)(row * f);
        for (size_t w = 0; w < TCP_CC_WORDS; w++)
            series->cc[w][row] = 0;
    }
    return true;
}

/* Of the writer's type: the series, once an end. */
static inline int one_series_give(void *arg, enum flow_end end, const struct series **piece,
                                  struct error *err)
{
    (void)err;
    struct one_series *source = arg;
    if (source->given[end])
        return 0;
    source->given[end] = true;
    *piece = &source->series;
    return 1;
}

#endif
