#include "format/scenario_hints.h"

static const struct json_hint of_flows[] = {
    {"bytes size amount volume blocks blockcount num",
     "flows end by time, not by bytes: give each a \"duration\""},
    {"count n parallel streams nstreams numstreams connections",
     "write a flow for each in \"flows\", with an id of its own; what they have alike can stand in "
     "\"defaults\""},
    {"tos dscp tclass trafficclass priority",
     "it cannot be set: mark the packets on the host, with nft for instance"},
    {"reverse bidir bidirectional dualtest",
     "src sends, dst receives: swap them, or write a second flow for the other direction"},
    {"omit warmup rampup",
     "it is an option of the run: --warmup 2s leaves the first part out of the figures"},
    {"sport cport dport port sourceport destinationport ports",
     "kernels choose the ports of flows; agent --data-ports 9000-9099 gives them a range"},
    {"repeat repeats runs iterations retries", "it is an option of the run: --repeat 10"},
    {"udp protocol sctp", "all flows are TCP"},
    {"bind device dev binddev", "it is a key of the host, in \"hosts\""},
    {"interface iface nic",
     "a host's \"device\" sends through an interface, its \"interfaces\" are "
     "recorded; both are keys of the host, in \"hosts\""},
    {"local localaddress cip",
     "the address that a flow comes from is a key of its host, in \"hosts\": \"bind\""},
    {"length len blocksize bufsize buflen",
     "bytes that each write takes: \"write_size\", at the top of the file; how long a flow runs is "
     "its \"duration\""},
    {"writesize readsize", "it stands at the top of the file, for all flows"},
    {"interval", "it stands at the top of the file, for all flows"},
    {NULL, NULL},
};

static const struct json_hint of_hosts[] = {
    {"port agentport", "it stands behind the agent's address: \"mgmt\": \"10.0.0.1:8840\""},
    {"interface iface nic dev binddev bindif",
     "\"device\" sends through it (as iperf3 --bind-dev does), \"interfaces\" only record its "
     "counters"},
    {"local localaddress source src cip", "the address that flows come from is \"bind\""},
    {"name", "the name is the key in front of the braces: \"A\": {...}"},
    {NULL, NULL},
};

static const struct json_hint of_the_top[] = {
    {"flow streams", "flows stand in a list: \"flows\": [{...}]"},
    {"host", "hosts stand in \"hosts\": {\"A\": {...}}"},
    {"length len blocksize bufsize buflen",
     "bytes that each write takes are \"write_size\"; how long a flow runs is its \"duration\""},
    {"src dst client server duration time start ccalg cc congestion ecn nodelay sendrate rate "
     "bandwidth readrate pacingrate sendbuffer receivebuffer window mss connect end capture",
     "it is a key of a flow; for all flows, write it in \"defaults\": {\"flow\": {...}}"},
    {NULL, NULL},
};

const struct json_hints scenario_flow_hints = {of_flows, NULL};
const struct json_hints scenario_host_hints = {of_hosts, NULL};
const struct json_hints scenario_top_hints = {of_the_top, &scenario_flow_hints};
