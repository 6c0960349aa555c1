/* One row of a host_series, read from the kernel. */
#ifndef HOST_READING_H
#define HOST_READING_H

#include <stddef.h>
#include <sys/types.h>

#include "model/host_series.h"
#include "util/error.h"

struct host_reader; /* opaque; one thread at a time */

/* Holds open what is read again and again.  interfaces: names, which need not exist (yet). */
int host_reader_create(struct host_reader **out, const char (*interfaces)[DEVICE_MAX],
                       size_t interface_count, const pid_t *processes, size_t process_count,
                       struct error *err);

/* Fills a row of host_series_width() values but its tick; series (whose interfaces are those of the
 * reader) learns which queueing disciplines there are.  Never fails: what cannot be read is
 * HOST_UNKNOWN. */
void host_reader_read(struct host_reader *reader, struct host_series *series, int64_t *row);

void host_reader_destroy(struct host_reader *reader); /* NULL is fine */

#endif
