/* What a person at the terminal sees while a run is under way: one line that is rewritten. */
#ifndef MASTER_PROGRESS_H
#define MASTER_PROGRESS_H

#include "master/session.h"

#define PROGRESS_POINTS 5

struct progress {
    int64_t shown_ns; /* when the line was last written */
    /* what had been received by when: the last few times that the line was written */
    struct {
        int64_t t_ns;
        uint64_t bytes;
    } points[PROGRESS_POINTS];
    size_t count; /* of all points so far */
    bool open;    /* a line stands there without its newline */
};

/* The rate since the oldest of the points, bit/s: over some heartbeats of the agents, as each tells
 * what it received when it comes; 0 when nothing has come since.  Adds a point. */
double progress_rate(struct progress *progress, uint64_t bytes, int64_t now_ns);

void progress_show(struct progress *progress, const struct session *session, int64_t now_ns);
void progress_end(struct progress *progress);

#endif
