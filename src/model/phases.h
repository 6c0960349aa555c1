/* The times of a flow's life that are never mixed into its goodput. */
#ifndef MODEL_PHASES_H
#define MODEL_PHASES_H

#include "model/flow.h"

/* ns, of the end that sends; -1: not known, or it never came to that. */
struct phases {
    int64_t setup_ns;    /* connect() to connected */
    int64_t transfer_ns; /* first payload byte written to the end of the counted time */
    int64_t drain_ns;    /* from there to the last payload byte seen acknowledged */
};

/* NULL: the report is missing. */
struct phases phases_of(const struct end_report *source);

#endif
