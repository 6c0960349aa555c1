/* A run's spool: the file of its records, written from wherever the run's ends are. */
#ifndef AGENT_SPOOL_H
#define AGENT_SPOOL_H

#include <stdbool.h>

#include "format/segment.h"
#include "util/buffer.h"
#include "util/error.h"

struct spool; /* opaque */

/* Creates the file.  grew(arg) is called on the thread that appended. */
int spool_create(struct spool **out, const char *path, void (*grew)(void *arg), void *arg,
                 struct error *err);

/* Appends framed records (segment_frame()).  Those that the disk does not take are kept in memory,
 * as long as that is not too much, and written with the next ones or by spool_retry().  Any
 * thread. */
void spool_append(struct spool *spool, const struct buffer *framed);
void spool_retry(struct spool *spool);

/* As if it had grown: something else is new. */
void spool_nudge(struct spool *spool);

/* Appends the last record; spool_is_complete() once that and all before it were written. */
void spool_end(struct spool *spool);
bool spool_is_complete(struct spool *spool);

/* Notes that records were lost; the first reason stays.  Any thread. */
void spool_fail(struct spool *spool, const char *why);
/* Why the spool is not what it should be, or NULL.  Any thread; the text stays valid. */
const char *spool_failure(const struct spool *spool);

const struct segment *spool_segment(const struct spool *spool);

/* NULL is fine. */
void spool_close(struct spool *spool, bool remove_file);

#endif
