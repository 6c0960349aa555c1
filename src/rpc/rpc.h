/* Typed RPC: protobuf-c messages over gRPC's C core, which is seen in src/rpc/ only.
 *
 * A service is a table of struct rpc_method, given to servers and clients alike: the path and the
 * two descriptors are all that is needed.  Every callback runs inside rpc_loop_run(), on the thread
 * that called it; only rpc_loop_post() may be called from other threads.
 *
 * Create the first loop after signal mask and affinity are set: gRPC's threads inherit them, and do
 * not survive a fork. */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "util/address.h"
#include "util/error.h"
#include "util/users.h"

struct rpc_loop;
struct rpc_server;
struct rpc_peer; /* a client's view of one server */
struct rpc_call; /* a call in progress, at either side */

enum rpc_kind { RPC_UNARY, RPC_SERVER_STREAM };

struct rpc_method {
    const char *path; /* "/tcpflowgen.Agent/Hello" */
    const ProtobufCMessageDescriptor *request, *response;
    enum rpc_kind kind;
};

/* Status codes are gRPC's (grpc/status.h); those used here by name. */
enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
};

/* Bytes of requests under way that cannot have a connection cut, whatever others do. */
#define RPC_SHARE       ((size_t)5 << 18)
#define RPC_MESSAGE_MAX (4 << 20) /* larger messages are refused, both ways */

/* ---- loop ---- */

int rpc_loop_create(struct rpc_loop **out, struct error *err);
/* Handles events until none is left or timeout_ms passed (-1: waits for the first for ever), then
 * timers that are due; a bounded number a turn.  Returns how many. */
int rpc_loop_run(struct rpc_loop *loop, int timeout_ms);
/* The loop's time, ns: CLOCK_MONOTONIC less what the loop did not come round for, as its process
 * was stopped for instance (util/waking.h).  Timers and deadlines of calls go by it, so that what
 * waits to be read comes before them; so should all limits of patience with who is called. */
int64_t rpc_loop_now(struct rpc_loop *loop);
/* How much that is, in all. */
int64_t rpc_loop_missed(const struct rpc_loop *loop);
/* Any thread: fn(arg) runs in the loop, soon.  0, or -1 when out of memory. */
int rpc_loop_post(struct rpc_loop *loop, void (*fn)(void *arg), void *arg);
/* fn(arg) runs once after delay_ms, unless cancelled by the same pair.  0, or -1 when out of
 * memory. */
int rpc_loop_after(struct rpc_loop *loop, int64_t delay_ms, void (*fn)(void *arg), void *arg);
void rpc_loop_cancel(struct rpc_loop *loop, void (*fn)(void *arg), void *arg);
/* Has the watchdog watch what is handled, under the name.  NULL ends that. */
struct watchdog;
void rpc_loop_watch(struct rpc_loop *loop, struct watchdog *watchdog, const char *name,
                    int64_t limit_ns);
/* The one that watches it; NULL: none. */
struct watchdog *rpc_loop_watchdog(const struct rpc_loop *loop);
/* All servers and peers of it must be destroyed: runs what was posted, drops timers, frees. */
void rpc_loop_destroy(struct rpc_loop *loop);

/* ---- server ---- */

/* Serves one call; the request is freed after return.  Every call is finished exactly once, now or
 * later, also after it is gone, even after its server is. */
typedef void rpc_serve(struct rpc_call *call, const ProtobufCMessage *request, void *ctx);

struct rpc_service {
    const struct rpc_method *methods;
    rpc_serve *const *serve; /* serve[i] serves methods[i] */
    size_t count;
    void *ctx;
    const struct rpc_service *next; /* served by the same server; NULL: none */
};

/* Who made a call. */
struct rpc_caller {
    char text[128];   /* for people: "uid 1000 at 127.0.0.1:4711", "192.0.2.7:4711" */
    char key[64];     /* equal for callers that share limits: "uid 1000", "192.0.2.7" */
    bool is_here;     /* a user of this machine */
    char address[64]; /* numeric, without its port; empty: a Unix socket */
};

/* Somebody was refused before he could call; there were so many more, of whom nothing is told. */
typedef void rpc_refused(void *arg, const struct rpc_caller *caller, const char *why,
                         unsigned more);

struct rpc_listening {
    const struct endpoint *at;
    /* Who may connect from this machine, over loopback (by either address) or a Unix socket.  NULL:
     * those of users_add_own(). */
    const struct users *trusted;
    rpc_refused *refused; /* may be NULL */
    void *arg;
    size_t descriptors; /* that are kept for connections: with fewer than RPC_SERVER_DESCRIPTORS
                           fewer are served, in proportion, but RPC_CONNECTIONS_MIN; 0: all */
};

#define RPC_CONNECTIONS_MAX 256
#define RPC_CONNECTIONS_MIN 8
#define RPC_YIELDED_MAX     64 /* that gave way, and gRPC has not closed yet */
#define RPC_LEAVING_MAX     64 /* that were refused, and are read until their words have arrived */
/* What they take of descriptors at most: one that is served has its own and a pair (rpc_relay.h).
 */
#define RPC_SERVER_DESCRIPTORS (3 * (RPC_CONNECTIONS_MAX + RPC_YIELDED_MAX) + RPC_LEAVING_MAX)

/* "" as host is every address ("0.0.0.0" those of IPv4), a name all that it resolves to and that
 * are here; port 0 is one that the kernel chooses.  Listens and serves at once.  *port (may be
 * NULL) is the port.  ERROR_SYSTEM names the address and why (in use, not here).  The tables of
 * services must outlive the server.
 *
 * At most RPC_CONNECTIONS_MAX connections are served, 32 of one key; one without a call for a
 * minute is closed, or as soon as another one needs its place. */
int rpc_server_create(struct rpc_server **out, struct rpc_loop *loop,
                      const struct rpc_service *service, const struct rpc_listening *how,
                      uint16_t *port, struct error *err);
/* No new calls; those in progress have grace_ms, then are cancelled.  Runs the loop until it is
 * done, then frees. */
void rpc_server_destroy(struct rpc_server *server, int grace_ms);

/* Sends one message of a stream.  0; -EAGAIN: queue full, wait for on_ready; -EPIPE: the caller is
 * gone; -EMSGSIZE: larger than RPC_MESSAGE_MAX. */
int rpc_send(struct rpc_call *call, const ProtobufCMessage *message);
/* The last word: message (may be NULL; must be given for a unary call with code RPC_OK), then the
 * status, both behind what is queued.  A message that is too large makes it RPC_RESOURCE_EXHAUSTED.
 * The call is not touched afterwards. */
void rpc_finish(struct rpc_call *call, const ProtobufCMessage *message, int code, const char *text);
/* fn(call, arg): the send queue has room again after -EAGAIN; the caller went away (finish it now
 * or later).  Set while the call is served, or before rpc_send() said -EPIPE. */
void rpc_on_ready(struct rpc_call *call, void (*fn)(struct rpc_call *, void *), void *arg);
void rpc_on_gone(struct rpc_call *call, void (*fn)(struct rpc_call *, void *), void *arg);
/* CLOCK_MONOTONIC, ns, when the request came off the completion queue. */
int64_t rpc_received_ns(const struct rpc_call *call);

/* Owned by the call. */
const struct rpc_caller *rpc_caller(struct rpc_call *call);

/* ---- client ---- */

/* A host that is a name must resolve (else ERROR_AGENT); no connection is made yet.  Calls make it,
 * and make it again after it broke: each address in turn, 5 s an attempt, and between attempts that
 * failed a pause of 100 ms, which grows to 1 s.  Proxies of the environment are not used.
 *
 * What listens on this machine, at loopback or a Unix socket, must belong to a trusted user (NULL:
 * those of users_add_own()): else nothing is said to it, and calls fail with RPC_PERMISSION_DENIED.
 */
int rpc_peer_create(struct rpc_peer **out, struct rpc_loop *loop, const struct endpoint *to,
                    const struct users *trusted, struct error *err);
/* Calls in progress end with RPC_CANCELLED first (inside this function).  Callbacks may call it. */
void rpc_peer_destroy(struct rpc_peer *peer);

/* A message (valid during the callback) with status NULL, or, last of all and exactly once, the
 * status with message NULL.  A unary call has its message before RPC_OK.  After the status the call
 * is gone: forget its pointer there. */
struct rpc_status {
    int code;         /* enum rpc_code */
    const char *text; /* valid during the callback */
    bool nobody;      /* nothing listens there: what did has ended */
    bool foreign;     /* what listens there speaks another protocol */
};
typedef void rpc_reply(struct rpc_call *call, const ProtobufCMessage *message,
                       const struct rpc_status *status, void *arg);

/* NULL when out of memory or the peer is being destroyed; then the callback is never called, and
 * never inside this function.  deadline_ms < 0: none.  A call waits for the connection until its
 * deadline only if wait_ready, else an attempt to connect that fails ends it with RPC_UNAVAILABLE,
 * and so does one that failed just before. */
struct rpc_call *rpc_start(struct rpc_peer *peer, const struct rpc_method *method,
                           const ProtobufCMessage *request, int64_t deadline_ms, bool wait_ready,
                           rpc_reply *reply, void *arg);
/* The call ends soon with RPC_CANCELLED; its callback still comes.  Not after the status. */
void rpc_cancel(struct rpc_call *call);

#endif
