/* What can be known of an end before it is admitted: whether an end like it can run here at all.
 * Control thread. */
#ifndef ENGINE_PREFLIGHT_H
#define ENGINE_PREFLIGHT_H

#include "engine/ecn.h"
#include "engine/socket_options.h"
#include "model/flow.h"
#include "util/error.h"

#define PREFLIGHT_VERDICTS 16

/* Remembers verdicts: thousands of ends differ in flow and times only, and asking the kernel for a
 * route takes a while.  Zero-initialised but for ecn is empty; short-lived, as the host changes. */
struct preflight {
    struct verdict {
        char local[ADDRESS_MAX], peer[ADDRESS_MAX], device[DEVICE_MAX], ccalg[CCALG_MAX];
        enum flow_end end;
        bool ecn;
        uint32_t send_buffer, receive_buffer;
        int code; /* 0: fine */
        struct error err;
        char out_device[DEVICE_MAX]; /* where its packets leave */
    } verdicts[PREFLIGHT_VERDICTS];
    size_t count;          /* ever made */
    struct ecn_setup *ecn; /* for it what ends need is made ready */
};

/* 0, the peer's address, and the device by which packets leave; or an error. */
int preflight_check(struct preflight *preflight, const struct end_spec *spec,
                    struct socket_address *peer, char device[DEVICE_MAX], struct error *err);

#endif
