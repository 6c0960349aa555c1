/* Columns of messages.proto <-> samples: delta coding, and the table that joins kernel fields to
 * the message's fields by their names. */
#ifndef FORMAT_COLUMNS_H
#define FORMAT_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/sample.h"
#include "model/series.h"
#include "proto/messages.pb-c.h"
#include "util/error.h"

#define COLUMNS_SIZE_MAX (4u << 20) /* bytes of one message */
#define COLUMNS_ROWS_MAX 8192       /* rows in one message: whatever they hold, it is not larger */

/* A message under construction with the memory of its columns. */
struct columns {
    Tcpflowgen__Columns message;
    int64_t *memory; /* owned: all columns, one after another */
};

/* Raw samples of one end and one length, all fields, with tick and t_ns.  0, or -1 (no memory).
 * Columns of zeros are left out. */
int columns_from_samples(struct columns *out, const struct sample *const *rows, size_t count);

/* Rows [first, first + count) of a series, without the seed's fields and t_ns (a result file has
 * them in its rows). */
int columns_from_series(struct columns *out, const struct series *series, size_t first,
                        size_t count);
void columns_fini(struct columns *columns);

/* Unpacks what a stranger may have sent; the caller frees it as protobuf-c does. */
int columns_unpack(Tcpflowgen__Columns **out, const void *data, size_t size, struct error *err);

/* Whether columns_to_series() takes the message, and all values are such as a kernel's struct and
 * its clock can have, which a result can hold.  It is found out on the wire, without memory.  As we
 * write them, each column comes once, packed, behind *rows.  0 or ERROR_INPUT. */
int columns_check(const void *data, size_t size, uint32_t *rows, struct error *err);

/* Appends all columns of a spool's message to series. */
int columns_to_series(const Tcpflowgen__Columns *message, struct series *series, struct error *err);

/* Of a result file's message: what the seed's rows do not have, into rows [first, first +
 * message->count) of series, for which there is room. */
int columns_fill_series(const Tcpflowgen__Columns *message, struct series *series, size_t first,
                        struct error *err);

/* Whether the field stands in the seed's rows, and so not in a result file's columns. */
bool columns_in_seed_row(enum tcp_field field);

#endif
