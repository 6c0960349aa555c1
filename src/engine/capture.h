/* Packets on demand: the headers of single flows, as they pass the interface of one end.
 *
 * An end that is to be captured has a tap: a handle of libpcap on the interface that its packets
 * leave by, with a filter on the peer's address and the accepting end's port, which is the flow's
 * own.  One thread reads all taps; the recorder takes what they caught.  With segmentation offload
 * what passes there is larger than what goes over the wire.
 *
 * A tap takes connections whose first SYN it hears, and so nothing of the proof (engine/proof.h)
 * that went before the flow's own: an opening end is aimed behind it, an accepting end within it.
 *
 * Times are the kernel's stamps (CLOCK_REALTIME), put on CLOCK_MONOTONIC; a step of the wall clock
 * does not move them. */
#ifndef ENGINE_CAPTURE_H
#define ENGINE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "model/flow.h"
#include "util/error.h"

struct capture; /* opaque */
struct tap;     /* opaque */

/* recorder_fd: an eventfd that is written to when there is something to take; not owned. */
int capture_create(struct capture **out, int recorder_fd, struct error *err);
/* Ends the thread, drops what was not taken.  NULL is fine. */
void capture_destroy(struct capture *capture);

/* A tap for the end, which hears nothing yet.  Control thread.  ERROR_FLOW with a cure: no
 * permission, no such interface, too many. */
int capture_open(struct capture *capture, const struct end_spec *spec, const char *device,
                 struct tap **out, struct error *err);
/* It hears the connections to the port that begin from now on.  Once: it stays as it was aimed
 * first. If that fails, its report says so.  Control thread or a worker. */
void capture_aim(struct tap *tap, uint16_t port);
/* Its end will not run. */
void capture_cancel(struct tap *tap);

/* The end was reported: its tap hears what is still under way for half a second, then is closed.
 * Recorder's thread, as the next two. */
void capture_end_over(struct capture *capture, uint32_t flow, enum flow_end end);
/* Hands over ENGINE_PACKETS, and at the end of each tap one ENGINE_CAPTURED. */
void capture_take(struct capture *capture, engine_consumer *consumer, void *arg);
/* Whether an ENGINE_CAPTURED is still to come. */
bool capture_is_busy(struct capture *capture);

#endif
