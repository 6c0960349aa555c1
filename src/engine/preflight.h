/* What can be known of an end before it is admitted: whether an end like it can run here at all.
 * Control thread. */
#ifndef ENGINE_PREFLIGHT_H
#define ENGINE_PREFLIGHT_H

#include "engine/ecn.h"
#include "engine/socket_options.h"
#include "model/flow.h"
#include "util/error.h"

#define PREFLIGHT_FINDINGS 16

/* Remembers findings: thousands of ends differ in flow and times only, and asking the kernel for a
 * route takes a while.  Zero-initialised but for ecn is empty; short-lived, as the host changes. */
struct preflight {
    struct finding {
        char local[ADDRESS_MAX], peer[ADDRESS_MAX], device[DEVICE_MAX], ccalg[CCALG_MAX];
        enum flow_end end;
        bool ecn;
        uint32_t send_buffer, receive_buffer;
        char problems[PROBLEMS_MAX]; /* a line each; empty: fine */
        char out_device[DEVICE_MAX]; /* where its packets leave */
    } findings[PREFLIGHT_FINDINGS];
    size_t count;          /* ever made */
    struct ecn_setup *ecn; /* for it what ends need is made ready */
};

/* Adds all that keeps the end from running to the problems.  The peer's address, and the device by
 * which packets leave, "" where it cannot be told. */
void preflight_check(struct preflight *preflight, const struct end_spec *spec,
                     struct socket_address *peer, char device[DEVICE_MAX],
                     char problems[PROBLEMS_MAX]);

#endif
