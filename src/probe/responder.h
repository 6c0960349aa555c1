/* The agent's side of the clock probe: answers the requests of masters that announced themselves
 * over the control connection, each on a UDP port of its own, from a thread of its own that sleeps
 * otherwise (and does not exist before the first is announced).
 *
 * It answers only what comes from an announced address under the announced key with a sequence
 * number larger than all before, with as many bytes as it got, up to some thousand a second; all
 * else is dropped without a word.  A probe that was silent for silence_ns is forgotten.
 *
 * Functions may be called from any thread. */
#ifndef PROBE_RESPONDER_H
#define PROBE_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/packet.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/secret.h"

#define PROBES_MAX       16
#define PROBE_SILENCE_NS (30 * NS_PER_S)
#define PROBE_IDLE_NS    (5 * NS_PER_S) /* one silent so long makes room where all are taken */

struct responder;

struct probe_announcement {
    const uint8_t *secret;  /* SECRET_SIZE bytes, of the run whose probe it is: one each, a new one
                               replaces it */
    const uint8_t *key;     /* PROBE_KEY_SIZE bytes */
    const char *address;    /* numeric, of this machine: what will be probed */
    const char *sources[2]; /* numeric: where requests come from; NULL: none */
    bool anywhere;          /* listen on every address if `address` is not here: it is translated
                               on the way (1:1 NAT) */
    uint16_t port_first, port_last; /* UDP ports to choose from; 0: the kernel chooses */
};

/* silence_ns: PROBE_SILENCE_NS, less in tests. */
int responder_create(struct responder **out, int64_t silence_ns, struct error *err);

/* 0 with the UDP port; ERROR_INPUT for addresses that cannot be; ERROR_AGENT where there are
 * PROBES_MAX; ERROR_SYSTEM where the address is not here, or for want of memory. */
int responder_add(struct responder *responder, const struct probe_announcement *announcement,
                  uint16_t *port, struct error *err);

/* False: there was none.  NULL is fine. */
bool responder_remove(struct responder *responder, const uint8_t secret[SECRET_SIZE]);

/* Ends the thread; forgets all.  NULL is fine. */
void responder_destroy(struct responder *responder);

#endif
