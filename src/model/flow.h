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
enum capture_mode { CAPTURE_NONE = 0, CAPTURE_HEADERS = 1 };

#define TOKEN_SIZE    16 /* bytes that open each connection and name its flow */
#define FLOW_KEY_SIZE 32 /* bytes that a run's master and agents know: see engine/proof.h */
#define CCALG_MAX     16 /* TCP_CA_NAME_MAX of the kernel, with the NUL */
#define DEVICE_MAX    16 /* IFNAMSIZ */
#define ADDRESS_MAX   64 /* INET6_ADDRSTRLEN and a scope */

#define LEAD_NS         INT64_C(2000000000) /* default: connect so long before a flow's start */
#define DRAIN_NS        INT64_C(5000000000) /* a draining end is cut after that */
#define INTERVAL_NS     INT64_C(250000000)  /* default sampling interval */
#define INTERVAL_MIN_NS INT64_C(1000000)
#define INTERVAL_MAX_NS INT64_C(3600000000000)
#define LEAD_MAX_NS     INT64_C(3600000000000)

/* What shapes an end besides its algorithm; 0 of anything: nothing.  A source goes by send_rate,
 * pacing_rate and send_buffer, a sink by read_rate and receive_buffer, both by mss. */
struct tuning {
    uint64_t send_rate;      /* bit/s of payload that the application offers (model/pace.h) */
    uint64_t read_rate;      /* bit/s of payload that the application reads, likewise */
    uint64_t pacing_rate;    /* bit/s; SO_MAX_PACING_RATE */
    uint32_t send_buffer;    /* bytes; SO_SNDBUF, which the kernel doubles */
    uint32_t receive_buffer; /* bytes; SO_RCVBUF, which the kernel doubles */
    uint32_t mss;            /* bytes; TCP_MAXSEG */
};

#define RATE_MIN   UINT64_C(1000)           /* bit/s: 1 kbit/s */
#define RATE_MAX   UINT64_C(10000000000000) /* 10 Tbit/s */
#define BUFFER_MIN 4096                     /* bytes: what the kernel does not raise */
#define BUFFER_MAX 1073741823               /* INT_MAX / 2: what the kernel can double */
#define MSS_MIN    88                       /* TCP_MIN_MSS of the kernel */
#define MSS_MAX    32767                    /* MAX_TCP_WINDOW */

/* All that an agent must know to run one end.  Plain data, no pointers. */
struct end_spec {
    uint32_t flow; /* index in the plan */
    int32_t id;    /* as the scenario names it: for messages */
    enum flow_end end;
    bool source, sink;               /* this end sends; receives */
    int64_t start_ns, duration_ns;   /* on the run's axis */
    char local_address[ADDRESS_MAX]; /* to bind to, numeric; empty: any */
    char peer_address[ADDRESS_MAX];  /* numeric; empty: see no_token */
    uint16_t peer_port;              /* opening end only; 0: it is only checked */
    char device[DEVICE_MAX];         /* empty: none */
    char ccalg[CCALG_MAX];           /* empty: the host's default */
    bool ecn, nodelay;
    struct tuning tuning;
    enum connect_mode connect;
    enum finish_mode finish;
    enum capture_mode capture; /* of the flow's packets, at this end */
    uint8_t token[TOKEN_SIZE];
    bool no_token; /* the port names the flow: dst has a listener of its own and takes the first who
                      comes, from peer_address, or if that is empty from anywhere */
};

enum end_status { END_UNKNOWN, END_COMPLETE, END_CUT, END_STOPPED, END_FAILED };

/* Times that a report may lack; bit numbers of end_report.times. */
enum end_time {
    T_CONNECT,
    T_CONNECTED,
    T_FIRST_BYTE,
    T_LAST_BYTE,
    T_STOP,
    T_CLOSED,
    T_FIRST_LEFT,  /* the first payload byte left the source's host, */
    T_FIRST_ACKED, /* and its acknowledgement was there: as its kernel says */
    END_TIMES
};

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
    uint32_t send_buffer, receive_buffer, mss;
    uint64_t pacing_rate; /* bit/s */
    uint64_t paced_bytes, skipped_bytes, neglected_bytes;
    char device[DEVICE_MAX];
    int cpu;                          /* -1: unknown */
    uint32_t token_bytes;             /* of the token, what send() took or recv() gave */
    bool shut;                        /* shutdown() was called: a FIN is behind what was written */
    struct reading reading[READINGS]; /* those whose info_length is not 0 */
    uint64_t lateness[LATENESS_BUCKETS]; /* of the samples taken */
};

#endif
