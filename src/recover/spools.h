/* The spools of one run, and its master's part file, read as far as they are whole: what each says
 * of the run, and where each end's samples stand. */
#ifndef RECOVER_SPOOLS_H
#define RECOVER_SPOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/segment.h"
#include "format/spool_record.h"
#include "model/axis.h"
#include "model/result.h"
#include "util/error.h"

#define AGENT_UNKNOWN UINT32_MAX

struct recover_file {
    struct segment *segment;
    uint32_t agent; /* whose spool it is; AGENT_UNKNOWN: a part file, or it does not say */
    bool doubled;   /* another file is the same agent's, and longer */
    size_t broken;  /* records that are left out */
};

struct recover_agent {
    bool seen;                 /* something of it is here */
    bool ended;                /* its spool is whole */
    struct recover_file *file; /* its spool, the longest if there are several; NULL: none */
    bool has_axis;
    struct axis axis; /* the last that it was told */
};

struct recover_flow {
    struct flow_result result; /* times of reports on the agents' clocks */
    uint32_t agent[2];         /* by enum flow_end */
};

/* A record of samples. */
struct recover_piece {
    uint32_t flow;
    uint8_t end;
    uint16_t file;
    uint64_t offset;
    uint32_t rows;
};

struct recovered {
    struct recover_file *files;
    size_t file_count;
    struct run_info run;
    bool described; /* run says what the master knew */
    bool mixed;     /* why it was refused: files of several runs */
    size_t broken;  /* records of all files that are left out */
    struct recover_agent *agents;
    size_t agent_count;          /* as run has */
    struct recover_flow **flows; /* by index; NULL: nothing is said of it */
    size_t flow_count;
    struct recover_piece *pieces;
    size_t piece_count, piece_capacity; /* sorted by end; of each from one file, in its order */
};

/* Zero-initialise *out, and free it in any case.  0; ERROR_INPUT (no spool, or of another run) or
 * ERROR_SYSTEM.  What is broken in a file is a warning of the run. */
int recovered_load(struct recovered *out, const char *const *paths, size_t count,
                   struct error *err);
void recovered_fini(struct recovered *recovered);

/* The spool's record in a record of a spool or of a master's part file, which has links. */
void spool_skip_link(const struct buffer *record, const uint8_t **data, size_t *size);

/* The record of samples at a place, into record; *data and *size are the spool record in it. */
int recovered_read(const struct recovered *recovered, const struct recover_piece *piece,
                   struct buffer *record, const uint8_t **data, size_t *size, struct error *err);

#endif
