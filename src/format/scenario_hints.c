#include "format/scenario_hints.h"

/* Words as json_key.alike has them; the last of a list has none. */

#define BY_TIME                                                         \
    {                                                                   \
        "bytes size amount volume blocks blockcount num",               \
            "flows end by time, not by bytes: give each a \"duration\"" \
    }
#define ONE_EACH                                                                                   \
    {                                                                                              \
        "count n parallel streams nstreams numstreams connections",                                \
            "write a flow for each in \"flows\", with an id of its own; what they have alike can " \
            "stand in \"defaults\""                                                                \
    }
#define NO_DSCP                                                                     \
    {                                                                               \
        "tos dscp tclass trafficclass priority",                                    \
            "it cannot be set: mark the packets on the host, with nft for instance" \
    }
#define OTHER_WAY                                                                                \
    {                                                                                            \
        "reverse bidir bidirectional dualtest",                                                  \
            "src sends, dst receives: swap them, or write a second flow for the other direction" \
    }
#define WARMUP                                                                                 \
    {                                                                                          \
        "omit warmup rampup",                                                                  \
            "it is an option of the run: --warmup 2s leaves the first part out of the figures" \
    }
#define PORTS                                                                                    \
    {                                                                                            \
        "sport cport dport port sourceport destinationport ports",                               \
            "kernels choose the ports of flows; agent --data-ports 9000-9099 gives them a range" \
    }
#define RUNS                                                                                \
    {                                                                                       \
        "repeat repeats runs iterations retries", "it is an option of the run: --repeat 10" \
    }
#define TCP_ALONE                                \
    {                                            \
        "udp protocol sctp", "all flows are TCP" \
    }
#define NO_MORE    \
    {              \
        NULL, NULL \
    }

const struct json_hint scenario_flow_hints[] = {
    BY_TIME,
    ONE_EACH,
    NO_DSCP,
    OTHER_WAY,
    WARMUP,
    PORTS,
    RUNS,
    TCP_ALONE,
    {"bind device dev interface", "it is a key of the host, in \"hosts\""},
    {"interval", "it stands at the top of the file, for all flows"},
    NO_MORE,
};

const struct json_hint scenario_host_hints[] = {
    {"port agentport", "it stands behind the agent's address: \"mgmt\": \"10.0.0.1:8840\""},
    {"name", "the name is the key in front of the braces: \"A\": {...}"},
    NO_MORE,
};

const struct json_hint scenario_top_hints[] = {
    BY_TIME,
    ONE_EACH,
    NO_DSCP,
    OTHER_WAY,
    WARMUP,
    PORTS,
    RUNS,
    TCP_ALONE,
    {"flow streams", "flows stand in a list: \"flows\": [{...}]"},
    {"host", "hosts stand in \"hosts\": {\"A\": {...}}"},
    {"src dst client server duration time start ccalg cc congestion ecn nodelay sendrate rate "
     "bandwidth readrate pacingrate sendbuffer receivebuffer window mss connect end capture",
     "it is a key of a flow; for all flows, write it in \"defaults\": {\"flow\": {...}}"},
    NO_MORE,
};
