/* A server and its client on one loop, over 127.0.0.1. */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/agent.pb-c.h"
#include "rpc/service.h"

struct pair {
    struct rpc_loop *loop;
    struct rpc_server *server;
    struct rpc_peer *peer;
    uint16_t port;
    rpc_serve *serve[AGENT_METHODS];
    struct rpc_service service;
};

/* Every method is served by `serve` with ctx. */
void pair_init(struct pair *pair, rpc_serve *serve, void *ctx);
void pair_fini(struct pair *pair); /* NULLs are skipped */

/* Likewise, where the test wants it. */
int server_at(struct pair *pair, const char *host, uint16_t port, struct error *err);
int peer_at(struct rpc_peer **peer, struct rpc_loop *loop, const char *host, uint16_t port,
            struct error *err);

/* What came back of one call. */
struct answer {
    unsigned messages;
    bool done;
    int code;
    bool foreign;
    char text[256];
    int64_t received_ns; /* of the last ClockReply */
};

void answer_take(struct rpc_call *call, const ProtobufCMessage *message,
                 const struct rpc_status *status, void *arg);
/* Runs the loop until the answer is complete; fails after 10 s. */
void answer_await(struct pair *pair, const struct answer *answer);
/* Runs the loop until *flag; fails after 10 s. */
void loop_until(struct rpc_loop *loop, const bool *flag);

/* A call from start to end, which has 5 s. */
struct answer pair_call(struct pair *pair, const struct rpc_method *method,
                        const ProtobufCMessage *request);
/* Likewise, a Clock call. */
struct answer pair_clock(struct pair *pair);

#endif
