/* An agent: serves agent.proto, runs the ends that masters prepare, keeps their samples in a
 * spool on disk until they are forgotten. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/address.h"
#include "util/error.h"
#include "util/users.h"

struct agent_options {
    struct endpoint listen;         /* no host: every address; port 0: the kernel's choice */
    struct users trusted;           /* who may use it from this machine */
    const char *spool_directory;    /* NULL: see spool_place.h */
    uint64_t spool_max;             /* bytes of all spools there; 0: half of the disk */
    int64_t interval_ns;            /* for runs that name none */
    uint32_t read_size, write_size; /* likewise; 0: the engine's */
    uint16_t data_port_first, data_port_last; /* 0: the kernel chooses */
    unsigned workers;                         /* 0: one a core */
    bool allow_shutdown;                      /* a master may end this agent */
    bool allow_flush_metrics;                 /* a master may empty the TCP metrics cache */
    int64_t orphan_ns;                        /* a run that nobody watches so long is stopped */
    bool die_with_parent;                     /* started by `run --local` */
    bool seed_service;                        /* also serves masters of the earlier program */
    bool insecure;                            /* whose flows go anywhere, not to loopback alone */
    int announce_fd; /* "PORT\n" is written there once it listens; -1: nowhere */
};

/* Serves until SIGINT or SIGTERM, or until a master's Shutdown.  Blocks these signals and ignores
 * SIGPIPE for the process; call it from the main thread before any other thread exists.  0;
 * ERROR_INPUT if its spools cannot be kept where they should; or ERROR_SYSTEM. */
int agent_run(const struct agent_options *options, struct error *err);

#endif
