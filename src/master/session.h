/* The state of one run in the master, and the plainest things done with it.
 *
 * Everything runs on one thread, inside rpc_loop_run(): session_settle() and session_wait() are the
 * only places that wait.  The modules around it each take the session through one stage of the
 * order of life: roster (hello), prepare, clock_sync, watch, output. */
#ifndef MASTER_SESSION_H
#define MASTER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/collect.h"
#include "master/intake.h"
#include "master/master.h"
#include "master/meter.h"
#include "model/clock_fit.h"
#include "model/host_names.h"
#include "model/plan.h"
#include "model/result.h"
#include "probe/prober.h"
#include "rpc/rpc.h"
#include "rpc/service.h"
#include "util/address.h"
#include "util/random.h"
#include "util/secret.h"

#define CLOCK_POINTS_MAX 512

enum probe_state {
    PROBE_NEW,   /* the agent was not asked */
    PROBE_ASKED, /* its answer is awaited */
    PROBE_READY,
    PROBE_OFF, /* exchanges are made by calls */
};

/* The clock exchanges with one agent. */
struct clock_sync {
    struct clock_point points[CLOCK_POINTS_MAX];
    size_t point_count;
    uint32_t exchanges; /* all that were made for them */
    char failure[128];  /* why the last burst failed; empty: it did not */
    /* by calls */
    struct clock_exchange burst[32]; /* the one under way */
    size_t wanted, made;             /* of it; wanted 0: none is under way */
    int64_t asked_ns, slowest_ns;    /* the last one; of all; session_now() */
    /* by the probe */
    enum probe_state probe;
    struct probe_target *target;
    uint8_t key[PROBE_KEY_SIZE];
    bool probing;            /* a burst is under way */
    size_t calls;            /* to be made after it */
    unsigned probe_failures; /* in a row */
    char probe_failure[192];
};

struct session;
struct master_agent;

typedef void agent_reply(struct master_agent *agent, const ProtobufCMessage *message);

struct master_agent {
    struct session *session;
    const char *mgmt; /* the plan's text */
    struct host_names hosts;
    char title[192]; /* for messages: "A (agent 10.0.0.1:8840)" */
    struct endpoint endpoint;
    struct rpc_peer *peer;
    uint64_t max_ends, spool_free_bytes;
    char boot[64], netns[32]; /* its machine; its network namespace there */
    char spools[256];         /* where it keeps them; empty: not known */
    struct run_agent info;    /* for the result; owned */
    /* the one simple call under way */
    struct rpc_call *call;
    agent_reply *reply;
    int call_code;
    char call_text[256];
    bool foreign;          /* what answered it speaks another protocol */
    int64_t asked_ns;      /* when it was started; session_now() */
    struct rpc_call *ping; /* asks whether it lives, while a long call is under way */
    bool silent;           /* it did not answer the last call: it is not waited for long again */
    /* plan */
    size_t end_count;
    bool sampled; /* until the whole run is over: a host says so */
    char interfaces[HOST_INTERFACES_MAX][DEVICE_MAX]; /* that are sampled */
    size_t interface_count;
    bool merged;   /* another agent of the list is the same */
    bool absorbed; /* that one */
    bool refused;  /* cannot be used */
    bool late;     /* it did not take the order to start in time */
    /* clock */
    struct clock_sync clock;
    /* watch */
    struct rpc_call *watch;
    uint64_t watch_offset;
    bool watch_missed;     /* not all that came on this stream was taken */
    int64_t heard_ns;      /* when it last said something; session_now() */
    int64_t brought_ns;    /* when a record of its spool last came; likewise */
    int64_t retry_ns;      /* when to watch again; likewise */
    bool prepared;         /* it may hold a spool of this run */
    bool first_piece;      /* its last Prepare was the run's first */
    bool ended;            /* its spool was received whole, or it is lost */
    struct meter received; /* payload at its sinks */
    /* of its spool, beside what is of an end */
    uint64_t told_bytes;  /* that it was told, and keeps there */
    uint64_t taken_bytes; /* that came of it */
};

#define HOST_CHOICES_MAX 16

/* A host as its agent resolved it. */
struct master_host {
    struct master_agent *agent; /* NULL: no flow uses it, and it is not sampled */
    bool tested;                /* a flow uses it */
    struct {
        char address[ADDRESS_MAX], bind[ADDRESS_MAX];
    } choices[HOST_CHOICES_MAX];
    size_t choice_count;
    char error[256]; /* why its agent cannot use it; empty: it can */
};

struct master_flow {
    char address[2][ADDRESS_MAX]; /* of each end, to connect to; one family */
    char bind[2][ADDRESS_MAX];
    uint16_t port;
    uint8_t token[TOKEN_SIZE];
    bool answered[2]; /* when it was prepared */
    bool ready[2];
    bool refused; /* cannot run */
    char error[256];
    struct end_report *report[2];       /* on the agent's clock; owned; NULL: none yet */
    struct capture_report *captured[2]; /* owned; NULL: none yet */
    bool capture_stands[2];             /* its file was written */
    struct intake taken[2];
    bool failure_told[2];
};

struct session {
    const struct plan *plan;
    const struct master_options *options;
    const struct master_repeat *repeat; /* which run of how many; only while it is under way */
    struct error_list *problems;
    struct error_list lacks;    /* of what the run wishes of agents, and can do without */
    struct error_list unprobed; /* agents without the probe, until clock_probe_warn() */
    struct rpc_loop *loop;
    struct run_info run; /* agents and hosts are filled by output */
    char id[RANDOM_ID_MAX];
    uint8_t secret[SECRET_SIZE];     /* goes along with what is asked of the run */
    uint8_t flow_key[FLOW_KEY_SIZE]; /* agents prove with it that they are of the run */
    struct master_agent *agents;     /* one a distinct agent */
    size_t agent_count;
    struct master_host *hosts; /* by the plan's index */
    struct master_flow *flows; /* by the plan's index */
    struct collect *collect;
    struct prober *prober; /* NULL: none yet */
    size_t outstanding;    /* calls that session_settle() waits for */
    size_t ends_ready, ends_over;
    int64_t t0_ns;   /* 0: not started; the master's clock */
    bool may_retry;  /* another try follows if agents take the order to start too late */
    int64_t late_ns; /* nothing was started, as they did not take it in so long a time; else 0 */
    int interrupts;  /* SIGINT or SIGTERM received */
    bool released;   /* all flows are over, and agents that sampled meanwhile were told */
    bool stopping;   /* agents were told to stop their flows */
    bool stuck;      /* the part file cannot be written just now */
    bool keep_part;  /* the spool of an agent that was lost may add to it */
    bool troubled;   /* something failed, whatever became of the flows */
};

/* Three kinds of problems before t0.  Each keeps the run from starting, but is first taken out of
 * what is prepared, so that all others are found as well; with best_effort the second and third are
 * logged, and the run starts without the flow, or without the agent and all its flows. */
__attribute__((format(printf, 3, 4))) void session_problem(struct session *session,
                                                           const char *where, const char *what,
                                                           ...);
__attribute__((format(printf, 3, 4))) void session_flow_problem(struct session *session,
                                                                uint32_t flow, const char *what,
                                                                ...);
__attribute__((format(printf, 2, 3))) void session_agent_problem(struct master_agent *agent,
                                                                 const char *what, ...);
/* The second and third kind with a cure; why->where is of no account. */
void session_flow_error(struct session *session, uint32_t flow, const struct error *why);
void session_agent_error(struct master_agent *agent, const struct error *why);

/* For the log and the result. */
void session_warn(struct session *session, const char *text);
void session_trouble(struct session *session, const char *text); /* this run did not go well */

/* Whether it can be asked anything. */
bool session_usable(const struct master_agent *agent);

/* The agent of one of the flow's ends. */
struct master_agent *session_agent(const struct session *session, uint32_t flow, enum flow_end end);

/* The run's secret as a message has it. */
ProtobufCBinaryData session_secret(struct session *session);

/* Starts a unary call; reply(agent, message) is called if it goes well.  How it went is in
 * call_code and call_text once session_settle() returned.  One at a time for each agent. */
void session_call(struct master_agent *agent, enum agent_method method,
                  const ProtobufCMessage *request, int64_t deadline_ms, agent_reply *reply);

/* Waits for all calls under way; their deadlines bound it.  An interrupt cancels them: their agents
 * have not answered then, though nothing is said in call_code. */
void session_settle(struct session *session);

/* The same for calls that a busy agent may take long to answer.  Meanwhile an agent is asked
 * whether it lives, and is not waited for if nothing is heard from it for agent_timeout_ns. */
void session_settle_long(struct session *session);

/* The time by which agents are waited for, ns: it stands still while the master is stopped. */
int64_t session_now(const struct session *session);

/* Handles what comes within 50 ms.  Tells if the master was stopped meanwhile. */
void session_turn(struct session *session);

/* What goes to each agent in several calls, one after another. */
struct session_pieces {
    /* Starts the next call, and moves *next, 0 at first, which is the agent's own; false: that was
     * all. */
    bool (*send)(struct master_agent *agent, size_t *next, void *arg);
    void *arg;
    void (*settle)(struct session *session);    /* waits for them */
    void (*failed)(struct master_agent *agent); /* its call did, and call_code says how */
};

/* All agents that can be used take a piece at a time, side by side, until all have all, or an
 * interrupt. */
void session_send_pieces(struct session *session, const struct session_pieces *pieces);

/* Waits until done(session), until deadline_ns (session_now()), or for an interrupt beyond those
 * that there were; true if done. */
bool session_wait(struct session *session, bool (*done)(struct session *session),
                  int64_t deadline_ns);

/* Sends a call about the run (Stop, Forget, Shutdown) to one agent, and does not wait. */
void session_tell(struct master_agent *agent, enum agent_method method);

/* Sends it to every agent that may hold the run, and waits, but not longer than until the next
 * interrupt. */
void session_tell_all(struct session *session, enum agent_method method);

#endif
