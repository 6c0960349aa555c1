/* Takes what leaves the engine and makes records of it, on a thread of its own. */
#ifndef AGENT_RECORDER_H
#define AGENT_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "util/buffer.h"
#include "util/error.h"

struct recorder; /* opaque */
struct watchdog;

/* Where the records go.  All calls on the recorder's thread. */
struct recorder_sink {
    void *arg;
    struct watchdog *watchdog; /* of the recorder's thread; NULL: none */
    /* Takes framed records (segment_frame()), which it must copy or write; false if it cannot now:
     * they come again, with more. */
    bool (*append)(void *arg, const struct buffer *framed);
    /* Why so many samples were lost, or something else. */
    void (*failed)(void *arg, const char *why, uint64_t samples);
    /* The report of every expected end was appended; once. */
    void (*finished)(void *arg);
};

/* Starts recording from engine to sink; the engine must outlive the recorder. */
int recorder_create(struct recorder **out, struct engine *engine, const struct recorder_sink *sink,
                    struct error *err);

/* Says that no end is prepared any more: the sink is told when the reports of `ends` ends are
 * there.  Any thread. */
void recorder_expect(struct recorder *recorder, uint64_t ends);

/* Puts out what is left, ends the thread, frees.  NULL is fine. */
void recorder_destroy(struct recorder *recorder);

#endif
