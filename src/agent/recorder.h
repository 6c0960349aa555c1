/* Takes what leaves the engine and puts it into the run's spool, on a thread of its own. */
#ifndef AGENT_RECORDER_H
#define AGENT_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "format/segment.h"
#include "util/error.h"

struct recorder; /* opaque */

/* Starts recording from engine to segment, both of which must outlive the recorder.  grew(arg) is
 * called on the recorder's thread whenever the segment has grown. */
int recorder_create(struct recorder **out, struct engine *engine, struct segment *segment,
                    void (*grew)(void *arg), void *arg, struct error *err);

/* Says that no end is prepared any more: once the reports of `ends` ends are written, the last
 * record of the spool follows.  Any thread. */
void recorder_expect(struct recorder *recorder, uint64_t ends);

/* Whether the last record was written.  Any thread. */
bool recorder_finished(const struct recorder *recorder);

/* Why the spool cannot be written to, or NULL.  Any thread; the text stays valid. */
const char *recorder_failure(const struct recorder *recorder);

/* Writes what is left, ends the thread, frees.  NULL is fine. */
void recorder_destroy(struct recorder *recorder);

#endif
