#include "model/host_series.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_IN_ALL (256u << 10) /* 200 bytes and more each */
#define ROWS_OF_ONE 8192u        /* 6 minutes of every 50 ms */
#define ROWS_MIN    256u

#define NAME(name) #name,
const char *const host_field_names[HOST_FIELD_COUNT] = {HOST_FIELDS(NAME)};
const char *const interface_field_names[INTERFACE_FIELD_COUNT] = {INTERFACE_FIELDS(NAME)};

size_t host_series_place(size_t interface)
{
    return HOST_FIELD_COUNT + interface * INTERFACE_FIELD_COUNT;
}

size_t host_series_width(const struct host_series *series)
{
    return host_series_place(series->interface_count);
}

int64_t *host_series_row(const struct host_series *series, size_t row)
{
    return series->rows + row * host_series_width(series);
}

/* Whether the row that was the seen-th (from 0) stays when others come behind it. */
static bool stays(const struct host_series *series, uint64_t seen)
{
    return seen % series->stride == 0;
}

/* Of the rows that stay, every second one. */
static void thin(struct host_series *series)
{
    size_t kept = 0, size = host_series_width(series) * sizeof *series->rows;
    for (size_t i = 0; i < series->count; i += 2)
        memmove(host_series_row(series, kept++), host_series_row(series, i), size);
    series->count = kept;
    series->stride *= 2;
}

static int grow(struct host_series *series)
{
    size_t capacity = series->capacity ? series->capacity * 2 : 16;
    size_t size = host_series_width(series) * sizeof *series->rows;
    int64_t *rows = reallocarray(series->rows, capacity, size);
    if (!rows)
        return -1;
    series->rows = rows;
    series->capacity = capacity;
    return 0;
}

int host_series_add(struct host_series *series, const int64_t *row, size_t limit)
{
    if (series->stride == 0)
        series->stride = 1;
    if (series->count && !stays(series, series->seen - 1))
        series->count--;
    else if (series->count >= limit)
        thin(series);
    if (series->count == series->capacity && grow(series))
        return -1;
    memcpy(host_series_row(series, series->count++), row, host_series_width(series) * sizeof *row);
    series->seen++;
    return 0;
}

size_t host_series_limit(size_t agents)
{
    const size_t share = agents ? ROWS_IN_ALL / agents : ROWS_OF_ONE;
    if (share > ROWS_OF_ONE)
        return ROWS_OF_ONE;
    return share < ROWS_MIN ? ROWS_MIN : share;
}

void host_series_clear(struct host_series *series)
{
    series->count = 0;
    series->seen = series->stride = 0;
}

void host_series_fini(struct host_series *series)
{
    free(series->rows);
    *series = (struct host_series){0};
}
