/* One end that a master of the earlier program asked for: an engine of its own, and its samples in
 * memory.  The engine's axis begins with the end, so that times count from its own start.
 * Main thread. */
#ifndef AGENT_SEED_FLOW_H
#define AGENT_SEED_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/agent.h"
#include "engine/engine.h"
#include "proto/messages.pb-c.h"

struct seed_flow {
    int32_t id;
    enum flow_end end;
    struct engine *engine; /* NULL: nothing of it runs any more */
    bool begun;            /* has its axis */
    int64_t begin_ns;      /* CLOCK_MONOTONIC; 0 of its times */
    int64_t give_up_ns;    /* when to wait no more for a connection */

    Tcpflowgen__TCPInfo *rows;
    size_t row_count, row_capacity;
    uint64_t ticks, stride; /* samples seen, of which every stride-th is kept */

    bool over;
    int64_t over_ns;
    struct end_report report; /* once it is over */
};

/* Prepares the one end; *port is where it listens, if it accepts.  An opening end begins at
 * begin_ns, an accepting one with its connection, which must come soon after begin_ns. */
int seed_flow_init(struct seed_flow *flow, const struct end_spec *spec, int64_t begin_ns,
                   const struct agent_options *options, uint16_t *port, struct error *err);

/* Becomes readable when seed_flow_take() has something to do. */
int seed_flow_wait_fd(const struct seed_flow *flow);
void seed_flow_take(struct seed_flow *flow);

/* What time brings: gives up, lets the engine go. */
void seed_flow_look_after(struct seed_flow *flow, int64_t now_ns);

/* Whether there ever was a connection. */
bool seed_flow_connected(const struct seed_flow *flow);
/* Payload in the counted time, of a flow that is over; else 0. */
double seed_flow_kbps(const struct seed_flow *flow);

/* Ends it at once. */
void seed_flow_fini(struct seed_flow *flow);

#endif
