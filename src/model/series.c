#include "model/series.h"

#include <stdlib.h>

#define COLUMNS (2 + TCP_FIELD_COUNT + TCP_CC_WORDS)

static int64_t **column(struct series *series, size_t index)
{
    if (index == 0)
        return &series->t_ns;
    if (index == 1)
        return &series->tick;
    index -= 2;
    return index < TCP_FIELD_COUNT ? &series->field[index] : &series->cc[index - TCP_FIELD_COUNT];
}

int series_reserve(struct series *series, size_t rows)
{
    if (rows <= series->capacity)
        return 0;
    if (rows > SIZE_MAX / 2 / sizeof(int64_t))
        return -1;
    size_t capacity = series->capacity ? series->capacity : 16;
    while (capacity < rows)
        capacity *= 2;
    for (size_t i = 0; i < COLUMNS; i++) {
        int64_t **at = column(series, i);
        int64_t *grown = realloc(*at, capacity * sizeof *grown);
        if (!grown)
            return -1; /* columns that grew already stay valid: capacity is what it was */
        *at = grown;
    }
    series->capacity = capacity;
    return 0;
}

void series_clear(struct series *series)
{
    series->count = 0;
    series->info_length = 0;
    series->cc_length = 0;
}

void series_fini(struct series *series)
{
    for (size_t i = 0; i < COLUMNS; i++)
        free(*column(series, i));
    *series = (struct series){0};
}

bool series_shows_payload(const struct series *series, enum flow_end end)
{
    const enum tcp_field field = end == END_SRC ? TCP_bytes_acked : TCP_bytes_received;
    /* The SYN counts as a byte, and the token comes first. */
    return series->count > 0 && (uint64_t)series->field[field][series->count - 1] > TOKEN_SIZE + 1;
}
