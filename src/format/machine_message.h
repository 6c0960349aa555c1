/* struct machine <-> the messages that carry it. */
#ifndef FORMAT_MACHINE_MESSAGE_H
#define FORMAT_MACHINE_MESSAGE_H

#include <stddef.h>

#include "model/machine.h"
#include "proto/messages.pb-c.h"

/* Lists of messages in memory of their own, as if unpacked.  A list may be NULL where there is
 * nothing, or no memory: then *failed is set. */
Tcpflowgen__Setting **settings_to_messages(const struct machine *machine, size_t *count,
                                           bool *failed);
Tcpflowgen__CachedMetrics **metrics_to_messages(const struct machine *machine, size_t *count,
                                                bool *failed);
void settings_free(Tcpflowgen__Setting **settings, size_t count);
void metrics_free(Tcpflowgen__CachedMetrics **metrics, size_t count);

/* Add to machine.  0, or -1 when out of memory.  A stranger's lists are cut at a sane length. */
int settings_from_messages(struct machine *machine, Tcpflowgen__Setting *const *settings,
                           size_t count);
int metrics_from_messages(struct machine *machine, Tcpflowgen__CachedMetrics *const *metrics,
                          size_t count);

#endif
