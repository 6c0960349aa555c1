/* A run's spool: the file of its records, written from wherever the run's ends are. */
#ifndef AGENT_SPOOL_H
#define AGENT_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/spool_place.h"
#include "format/segment.h"
#include "util/buffer.h"
#include "util/error.h"

struct spool; /* opaque */

/* Creates the file, which takes no more room than *bounds leave (the directory's name must outlive
 * the spool): what is beyond is refused as by a full disk.  grew(arg) is called on the thread that
 * appended. */
int spool_create(struct spool **out, const char *path, const struct spool_bounds *bounds,
                 void (*grew)(void *arg), void *arg, struct error *err);

/* Appends framed records (segment_frame()).  What the disk refuses waits in memory, and is tried
 * again with the next ones or by spool_retry(); if too much waits, samples are dropped, and so is
 * what else there may be any number of.  False if
 * there is no memory either: nothing was taken.  Any thread. */
bool spool_append(struct spool *spool, const struct buffer *framed);
void spool_retry(struct spool *spool);

/* As if it had grown: something else is new. */
void spool_nudge(struct spool *spool);

/* Notes that so many samples were lost, or that something else went wrong; the first reason stays.
 * Any thread. */
void spool_fail(struct spool *spool, const char *why, uint64_t samples);
/* Why the spool is not what it should be, or NULL.  Any thread; the text stays valid. */
const char *spool_failure(const struct spool *spool);

/* Appends the last record, which tells of failures, and how many other runs had flows here
 * meanwhile; true if it is there now. */
bool spool_end(struct spool *spool, uint32_t other_runs);

struct segment *spool_segment(const struct spool *spool);

/* NULL is fine. */
void spool_close(struct spool *spool, bool remove_file);

#endif
