/* What is known of congestion control algorithms by their names. */
#ifndef MODEL_CCALG_H
#define MODEL_CCALG_H

#include <stdbool.h>

/* Whether the algorithm negotiates ECN in the handshake, so that the listener must have it too, and
 * has each mark echoed as it came (RFC 8257, 3.2); with others the echo goes on until it is
 * answered (RFC 3168, 6.1.3). */
bool ccalg_needs_ecn(const char *name);

/* Whether an end cannot run as asked without the algorithm.  It decides when data are sent: an end
 * that only receives takes it where it may, and can do without unless the handshake needs it.
 * name "": the host's own, which every end has. */
bool ccalg_is_demanded(const char *name, bool sends);

#endif
