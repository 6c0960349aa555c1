/* What a worker tells the recorder: samples, readiness, reports.
 *
 * The worker fills a block, the recorder empties it; blocks travel through two rings, full ones
 * to the recorder and empty ones back, without a lock and without memory being asked for. */
#ifndef ENGINE_OUTBOX_H
#define ENGINE_OUTBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define OUTBOX_BLOCK_BYTES (256u << 10)
#define OUTBOX_BLOCKS_MIN  8u
#define OUTBOX_BLOCKS_MAX  64u /* a power of two */

struct outbox_block; /* private */

/* One thread pushes, one pops; holds every block there is, so that a push always finds room. */
struct outbox_ring {
    _Atomic size_t pushed, popped;
    struct outbox_block *slots[OUTBOX_BLOCKS_MAX];
};

struct outbox {
    struct outbox_ring full;      /* worker to recorder */
    struct outbox_ring empty;     /* recorder to worker */
    struct outbox_block *fresh;   /* never used yet; the worker's */
    struct outbox_block *current; /* being filled; the worker's */
    size_t blocks;
    bool urgent; /* current has what the recorder should see soon; the worker's */
    int wake_fd; /* an eventfd of the recorder; not owned */
};

/* No blocks yet. */
void outbox_init(struct outbox *outbox, int wake_fd);
void outbox_fini(struct outbox *outbox);

/* Worker: blocks enough for some samples of each of `ends` ends.  0, or -1: out of memory. */
int outbox_reserve(struct outbox *outbox, size_t ends);
/* Worker: copies the item.  false: no room, nothing was put. */
bool outbox_put(struct outbox *outbox, const struct engine_item *item);
/* Worker: hands over what was put, unless it is not urgent and `lazily`, or no block is left to go
 * on with. */
void outbox_publish(struct outbox *outbox, bool lazily);

/* Recorder: all that was handed over, in order. */
void outbox_take(struct outbox *outbox, engine_consumer *consumer, void *arg);

#endif
