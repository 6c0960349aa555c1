/* What must be known of an agent's machine to judge its figures: settings as names and texts, and
 * what its kernel remembered of the run's peers. */
#ifndef MODEL_MACHINE_H
#define MODEL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/flow.h"

struct machine_setting {
    char *name;  /* "net.ipv4.tcp_rmem", "cpu.model", "interface.mtu", ... */
    char *value; /* "": not known there */
};

/* An entry of the TCP metrics cache; 0: nothing remembered. */
struct cached_metrics {
    char peer[ADDRESS_MAX], local[ADDRESS_MAX]; /* local "": the kernel does not say */
    int64_t age_ms;                             /* -1: not known */
    uint32_t rtt_us, rttvar_us;
    uint32_t ssthresh, cwnd; /* segments */
    uint32_t reordering;
    bool matters; /* a new connection would start otherwise than one to a stranger */
};

#define CACHED_METRICS_MAX 256 /* entries that an agent tells */

/* Zero-initialised is empty. */
struct machine {
    struct machine_setting *settings;
    size_t setting_count;
    struct cached_metrics *metrics; /* before the run */
    size_t metrics_count;
    bool metrics_flushed; /* and forgotten then */
};

/* 0, or -1 when out of memory. */
int machine_add_setting(struct machine *machine, const char *name, const char *value);
/* One that is there already (peer and local) is left as it is. */
int machine_add_metrics(struct machine *machine, const struct cached_metrics *metrics);
/* "" where there is none of that name. */
const char *machine_value(const struct machine *machine, const char *name);
/* Whether the setting is another one on every machine, or says nothing of its TCP. */
bool machine_is_own(const char *name);
void machine_fini(struct machine *machine);

#endif
