/* The master's side of the clock probe: bursts of exchanges with many agents, side by side, one
 * exchange at a time with each, on a thread of its own.  Its times are the kernel's stamps where
 * these can be trusted (util/bracket.h), else the thread's own. */
#ifndef PROBE_PROBER_H
#define PROBE_PROBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/clock_fit.h"
#include "probe/packet.h"
#include "util/error.h"

#define PROBE_BURST_MAX   64
#define PROBE_ADDRESS_MAX 64

struct prober;
struct probe_target; /* one agent */

/* done(arg) is called when a burst is over, on any thread and with the prober locked: it may only
 * send word to who takes the burst. */
int prober_create(struct prober **out, void (*done)(void *arg), void *arg, struct error *err);
/* All its targets must be closed.  NULL is fine. */
void prober_destroy(struct prober *prober);

/* A socket towards the agent's numeric address.  0 or ERROR_SYSTEM. */
int probe_target_open(struct probe_target **out, struct prober *prober, const char *address,
                      struct error *err);
/* The address that requests will come from, numeric. */
const char *probe_target_source(const struct probe_target *target);
/* Where the agent listens, and under which key; once. */
int probe_target_aim(struct probe_target *target, uint16_t port, const uint8_t key[PROBE_KEY_SIZE],
                     struct error *err);
/* A burst under way is given up, without a call of done().  NULL is fine. */
void probe_target_close(struct probe_target *target);

struct probe_burst {
    struct clock_exchange exchanges[PROBE_BURST_MAX];
    size_t count;     /* that were answered */
    char failure[96]; /* why there are none; empty: there are */
    bool silent;      /* nothing came back: the datagrams, or their answers, got lost */
};

/* Starts count exchanges (1..PROBE_BURST_MAX) with a target that was aimed and has no burst under
 * way or to be taken. */
void probe_target_burst(struct probe_target *target, size_t count);
/* Takes the burst if it is over: true, once. */
bool probe_target_take(struct probe_target *target, struct probe_burst *out);

#endif
