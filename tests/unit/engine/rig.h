/* An engine under test, with a recorder thread that keeps what comes out of it by end. */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "engine/engine.h"
#include "util/clock.h"

#define RIG_FLOWS 128

/* What was heard of one end. */
struct heard {
    unsigned ready, samples, on_ticks, reports;
    bool disorder; /* not READY, samples, report; or ticks do not rise */
    int64_t last_tick;
    struct sample last;
    struct end_report report;
};

struct rig {
    struct engine *engine;
    pthread_t recorder;
    atomic_bool deaf; /* does not take */
    atomic_bool quit;
    atomic_uint ready, reports;
    struct heard heard[RIG_FLOWS][2]; /* of the recorder until rig_close() */
};

/* Two workers; options NULL: 10 ms ticks. */
struct rig *rig_open(const struct engine_options *options);
struct engine_options rig_options(void);
void rig_close(struct rig *rig); /* the engine is gone, what was heard stays */
void rig_free(struct rig *rig);

/* src of a cubic flow over 127.0.0.1 that starts at 0 and lasts 100 ms. */
struct end_spec rig_flow(uint32_t flow);
/* The other end of it. */
struct end_spec rig_peer_of(const struct end_spec *src);
/* One end; asserts that it is fine; returns its port. */
uint16_t rig_prepare(struct rig *rig, const struct end_spec *spec);
/* dst, then src, which gets dst's port. */
void rig_prepare_flow(struct rig *src, struct rig *dst, struct end_spec *spec);
/* One end that must be refused, with `part` in its answer. */
void rig_refused(struct rig *rig, const struct end_spec *spec, const char *part);
/* t0 is in_ns from now. */
void rig_start(struct rig *rig, int64_t in_ns);
/* Fails after 15 s. */
void rig_wait_reports(struct rig *rig, unsigned count);
void rig_wait_ready(struct rig *rig, unsigned count);

/* Of a rig that is closed: the end's report; its order, its count of samples and its own side of
 * the ledgers checked. */
const struct end_report *rig_report(const struct rig *rig, uint32_t flow, enum flow_end end);
/* Payload equal at both ends, and in step with the kernel's counters. */
void rig_check_complete(const struct rig *src, const struct rig *dst, uint32_t flow);

/* Of rigs that are closed (the same, or two): every byte of each flow that both report of, in both
 * directions, is accounted for. */
void rig_check_ledgers(const struct rig *src, const struct rig *dst);

void rig_sleep_ms(int ms);

#endif
