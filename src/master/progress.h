/* What a person at the terminal sees while a run is under way: one line that is rewritten. */
#ifndef MASTER_PROGRESS_H
#define MASTER_PROGRESS_H

#include "master/session.h"

struct progress {
    int64_t shown_ns; /* when the line was last written */
    bool open;        /* it stands there, with the cursor at its begin: see util/log.h */
};

void progress_show(struct progress *progress, const struct session *session, int64_t now_ns);
void progress_end(struct progress *progress);

#endif
