/* Samples of one end as columns in memory, decoded: what a reader of the spool or of a result
 * file works on.  Zero-initialised is empty. */
#ifndef MODEL_SERIES_H
#define MODEL_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"
#include "model/sample.h"
#include "model/tcp_fields.h"

struct series {
    size_t count;         /* rows */
    size_t capacity;      /* rows allocated in every column */
    uint16_t info_length; /* of all rows: a change of it starts another series */
    uint8_t cc_length;
    int64_t *t_ns; /* agent's clock in a spool, the run's axis in a result */
    int64_t *tick;
    int64_t *field[TCP_FIELD_COUNT];
    int64_t *cc[TCP_CC_WORDS];
};

/* Makes room for `rows` in all; 0, or -1 when out of memory. */
int series_reserve(struct series *series, size_t rows);
void series_clear(struct series *series); /* count and lengths 0, keeps the memory */
void series_fini(struct series *series);

/* Whether the last row says that payload of a flow got across, for an end of which there is no
 * report; beside the token, if the flow began with one. */
bool series_shows_payload(const struct series *series, enum flow_end end);

#endif
