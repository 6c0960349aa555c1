/* Words that all layers share about a flow and its two ends. */
#ifndef MODEL_FLOW_H
#define MODEL_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "model/lateness.h"
#include "model/reading.h"

enum flow_end { END_SRC = 0, END_DST = 1 }; /* src opens the connection, dst accepts */
enum connect_mode { CONNECT_AHEAD = 0, CONNECT_AT_START = 1 };
enum finish_mode { FINISH_DRAIN = 0, FINISH_ABORT = 1 };

#define TOKEN_SIZE  16 /* bytes that open each connection and name its flow */
#define CCALG_MAX   16 /* TCP_CA_NAME_MAX of the kernel, with the NUL */
#define DEVICE_MAX  16 /* IFNAMSIZ */
#define ADDRESS_MAX 64 /* INET6_ADDRSTRLEN and a scope */

#define LEAD_NS         INT64_C(2000000000) /* default: connect so long before a flow's start */
#define DRAIN_NS        INT64_C(5000000000) /* a draining end is cut after that */
#define INTERVAL_NS     INT64_C(250000000)  /* default sampling interval */
#define INTERVAL_MIN_NS INT64_C(1000000)

/* All that an agent must know to run one end.  Plain data, no pointers. */
struct end_spec {
    uint32_t flow; /* index in the plan */
    int32_t id;    /* as the scenario names it: for messages */
    enum flow_end end;
    bool source, sink;               /* this end sends; receives */
    int64_t start_ns, duration_ns;   /* on the run's axis */
    char local_address[ADDRESS_MAX]; /* to bind to, numeric; empty: any */
    char peer_address[ADDRESS_MAX];  /* numeric; empty: see no_token */
    uint16_t peer_port;              /* opening end only */
    char device[DEVICE_MAX];         /* empty: none */
    char ccalg[CCALG_MAX];           /* empty: the host's default */
    bool ecn, nodelay;
    enum connect_mode connect;
    enum finish_mode finish;
    uint8_t token[TOKEN_SIZE];
    bool no_token; /* the port names the flow: dst has a listener of its own and takes the first who
                      comes, from peer_address, or if that is empty from anywhere */
};

enum end_status { END_UNKNOWN, END_COMPLETE, END_CUT, END_STOPPED, END_FAILED };

/* Times that a report may lack; bit numbers of end_report.times. */
enum end_time { T_CONNECT, T_CONNECTED, T_FIRST_BYTE, T_LAST_BYTE, T_STOP, T_CLOSED, END_TIMES };

/* What became of one end.  Times are ns, of the agent's CLOCK_MONOTONIC until the master puts
 * them on the axis; at[t] holds only if bit t of `times` is set.  Fields as in EndReport of
 * messages.proto, which has the definitions. */
struct end_report {
    uint32_t flow;
    enum flow_end end;
    enum end_status status;
    char error[256];
    char local_address[ADDRESS_MAX], peer_address[ADDRESS_MAX];
    uint16_t local_port, peer_port;
    uint32_t times;
    int64_t at[END_TIMES];
    uint64_t payload_bytes, payload_bytes_stop;
    uint32_t preamble_bytes;
    uint64_t samples_expected, samples_taken, samples_missed;
    int64_t lateness_max_ns;
    char ccalg[CCALG_MAX];
    bool ecn, ecn_seen, nodelay;
    uint32_t notsent_lowat, write_size, read_size;
    char device[DEVICE_MAX];
    int cpu; /* -1: unknown */
    uint32_t token_bytes;                /* of the token, what send() took or recv() gave */
    bool shut;                           /* shutdown() was called: a FIN is behind what was written */
    struct reading reading[READINGS];    /* those whose info_length is not 0 */
    uint64_t lateness[LATENESS_BUCKETS]; /* of the samples taken */
};

#endif
