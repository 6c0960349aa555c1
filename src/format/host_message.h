/* struct host_series <-> HostSamples of messages.proto. */
#ifndef FORMAT_HOST_MESSAGE_H
#define FORMAT_HOST_MESSAGE_H

#include "model/host_series.h"
#include "proto/messages.pb-c.h"
#include "util/error.h"

#define HOST_ROWS_MAX 65536 /* of one message */

/* A message in memory of its own, as if unpacked; NULL: no memory.  Columns of zeros are left out.
 */
Tcpflowgen__HostSamples *host_samples_to_message(const struct host_series *series);

/* Appends the message's rows as host_series_add() does.  An empty series takes its interfaces from
 * the message; others must have as many.  0, ERROR_INPUT for what is not sound (nothing is added
 * then), or ERROR_SYSTEM. */
int host_samples_from_message(struct host_series *series, const Tcpflowgen__HostSamples *message,
                              size_t limit, struct error *err);

#endif
