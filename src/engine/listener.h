/* How connections come to a worker: its listening sockets, and the strangers that came by them
 * but have not shown a token yet, or came for a proof only (engine/proof.h). */
#ifndef ENGINE_LISTENER_H
#define ENGINE_LISTENER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "engine/timer_heap.h"
#include "model/flow.h"
#include "util/error.h"
#include "util/hmac.h"

struct end;
struct worker;
struct worker_setup;
struct listener; /* private */
struct stranger; /* private */

struct reception {
    SLIST_HEAD(listener_list, listener) listeners;
    size_t listener_count;
    struct listener_list missed;                   /* that no port was free for */
    TAILQ_HEAD(stranger_list, stranger) strangers; /* the oldest first */
    struct stranger_list vacant;                   /* places for strangers */
    struct timer patience;                         /* with the oldest stranger */
    struct hmac *key;                              /* that proofs are given with; NULL: none are */
};

int reception_init(struct reception *reception, const struct worker_setup *setup,
                   struct error *err);
void reception_fini(struct reception *reception);

/* A listener for the end: one that stands, if its address, device, what the handshake fixes and
 * (where that matters) the algorithm fit, else a new one; one of its own if no token will name it.
 * The port, or an error, or RECEPTION_NO_PORT; also makes a place for a stranger more. */
int reception_prepare(struct worker *worker, struct end *end, struct error *err);
#define RECEPTION_NO_PORT (-100) /* all data ports are in use; err is not set */

/* Data ports that the ends prepared so far need at the address, those they did not get too.  While
 * nothing is prepared, in any thread. */
size_t reception_ports_wanted(const struct reception *reception, const char *address);

#endif
