/* What a scenario may say: every key, declared once.  Reading (scenario_json.c), the schema and the
 * manual's tables (scenario_schema.c) come from here.  The reading itself is json_object.c's;
 * checks that need more than one value are plan_build()'s. */
#include "format/scenario_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/scenario_hints.h"
#include "format/scenario_rules.h"
#include "model/host_series.h"
#include "model/ns.h"
#include "model/scenario.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define HOST_TEXT_MAX 253 /* bytes of a DNS name */
#define MGMT_TEXT_MAX (HOST_TEXT_MAX + sizeof "[]:65535" - 1)
#define LABEL_MAX     200
#define IO_SIZE_MAX   16777216

static_assert(sizeof(enum connect_mode) == sizeof(int), "KEY_CHOICE stores an int");
static_assert(sizeof(enum finish_mode) == sizeof(int), "KEY_CHOICE stores an int");
static_assert(sizeof(enum capture_mode) == sizeof(int), "KEY_CHOICE stores an int");

/* The keys of flows and hosts */

#define FLOW(field) offsetof(struct scenario_flow, field)
#define HOST(field) offsetof(struct scenario_host, field)
#define TOP(field)  offsetof(struct scenario, field)

#define RIGHT_BOOLEAN "true or false, without quotes"
#define RIGHT_LABEL   "a text of up to 200 bytes without control characters"
#define RIGHT_SIZE    "a number of bytes from 1 to 16777216, such as 50000"
#define RIGHT_RATE \
    "a rate from 1kbit/s to 10Tbit/s, such as \"10Mbit/s\" or \"1.5Gbit/s\", or \"0\" for no limit"
#define RIGHT_BUFFER \
    "a number of bytes from 4096 to 1073741823, such as 262144, or 0 for the kernel's own"
#define AGENTS_OWN  "each agent's own"
#define KERNELS_OWN "the kernel's own, which grows as needed"
#define UNLIMITED   "no limit"

#define KEY_COMMENT                                                       \
    {                                                                     \
        .name = "comment", .type = KEY_ANY, .help = "for people; ignored" \
    }

static const struct json_key flow_keys[] = {
    {.name = "id", /* first, see flow_defaults */
     .type = KEY_INTEGER,
     .required = true,
     .place = FLOW(id),
     .has = FLOW(has_id),
     .min = INT32_MIN,
     .max = INT32_MAX,
     .help = "names the flow in the result; no two flows may have the same",
     .right = "a whole number of the flow's own, from -2147483648 to 2147483647"},
    {.name = "src",
     .alike = "from source client sender",
     .type = KEY_TEXT,
     .required = true,
     .place = FLOW(src),
     .min = 1,
     .max = SCENARIO_NAME_MAX,
     .range = "name of a host",
     .help = "opens the connection and sends",
     .right = "the name of the host that opens the connection and sends"},
    {.name = "dst",
     .alike = "to destination server receiver",
     .type = KEY_TEXT,
     .required = true,
     .place = FLOW(dst),
     .min = 1,
     .max = SCENARIO_NAME_MAX,
     .range = "name of a host",
     .help = "accepts the connection and receives; may be the same host as src",
     .right = "the name of the host that accepts the connection and receives"},
    {.name = "duration",
     .alike = "time seconds runtime",
     .type = KEY_DURATION,
     .required = true,
     .place = FLOW(duration_ns),
     .has = FLOW(has_duration),
     .min = 1,
     .max = SCENARIO_TIME_MAX,
     .help = "how long the flow sends",
     .right = "a duration of more than 0 and up to 366 days, such as \"10s\" or \"1m30s\""},
    {.name = "start",
     .alike = "delay offset begin",
     .type = KEY_DURATION,
     .place = FLOW(start_ns),
     .max = SCENARIO_TIME_MAX,
     .help = "when it starts to send, from the start of the run",
     .right = "a duration of 0 or more and up to 366 days, such as \"0s\" or \"1.5s\""},
    {.name = "ccalg",
     .alike = "cc algo congestion congestioncontrol congestionalgorithm algorithm",
     .type = KEY_TEXT,
     .place = FLOW(ccalg),
     .max = CCALG_MAX - 1,
     .rule = rule_ccalg,
     .pattern = "^[a-z0-9_-]*$",
     .range = "up to 15 of a-z, 0-9, '_' and '-'",
     .otherwise = "the sending machine's default, also if empty",
     .help = "TCP congestion control, such as \"cubic\" or \"bbr\"",
     .right = "up to 15 of a-z, 0-9, '_' and '-', such as \"cubic\"; empty or left out: the "
              "host's default"},
    {.name = "ecn",
     .type = KEY_BOOLEAN,
     .place = FLOW(ecn),
     .help = "use Explicit Congestion Notification",
     .right = RIGHT_BOOLEAN},
    {.name = "nodelay",
     .type = KEY_BOOLEAN,
     .place = FLOW(nodelay),
     .help = "set TCP_NODELAY: small writes leave at once",
     .right = RIGHT_BOOLEAN},
    {.name = "send_rate",
     .alike = "rate bandwidth bitrate throughput",
     .type = KEY_RATE,
     .place = FLOW(tuning.send_rate),
     .or_zero = true,
     .min = RATE_MIN,
     .max = RATE_MAX,
     .otherwise = UNLIMITED,
     .help = "what the sending application offers, such as \"10Mbit/s\", evenly from start on",
     .right = RIGHT_RATE},
    {.name = "read_rate",
     .type = KEY_RATE,
     .place = FLOW(tuning.read_rate),
     .or_zero = true,
     .min = RATE_MIN,
     .max = RATE_MAX,
     .otherwise = UNLIMITED,
     .help = "what the receiving application reads, likewise: a slow receiver",
     .right = RIGHT_RATE},
    {.name = "pacing_rate",
     .alike = "pacing fqrate maxpacingrate",
     .type = KEY_RATE,
     .place = FLOW(tuning.pacing_rate),
     .or_zero = true,
     .min = RATE_MIN,
     .max = RATE_MAX,
     .otherwise = UNLIMITED,
     .help =
         "payload that the sending kernel lets out at most, after ten segments (SO_MAX_PACING_RATE)",
     .right = RIGHT_RATE},
    {.name = "send_buffer",
     .alike = "sndbuf",
     .type = KEY_INTEGER,
     .place = FLOW(tuning.send_buffer),
     .or_zero = true,
     .min = BUFFER_MIN,
     .max = BUFFER_MAX,
     .unit = "bytes",
     .otherwise = KERNELS_OWN,
     .help = "size of the sender's socket buffer (SO_SNDBUF)",
     .right = RIGHT_BUFFER},
    {.name = "receive_buffer",
     .alike = "rcvbuf rwnd window windowsize",
     .type = KEY_INTEGER,
     .place = FLOW(tuning.receive_buffer),
     .or_zero = true,
     .min = BUFFER_MIN,
     .max = BUFFER_MAX,
     .unit = "bytes",
     .otherwise = KERNELS_OWN,
     .help = "size of the receiver's socket buffer (SO_RCVBUF), from the handshake on",
     .right = RIGHT_BUFFER},
    {.name = "mss",
     .alike = "mtu segment segmentsize maxseg",
     .type = KEY_INTEGER,
     .place = FLOW(tuning.mss),
     .or_zero = true,
     .min = MSS_MIN,
     .max = MSS_MAX,
     .unit = "bytes",
     .otherwise = "what the path takes",
     .help = "largest segment, options included, that is sent or announced (TCP_MAXSEG)",
     .right = "a number of bytes from 88 to 32767, such as 1400, or 0 for what the path takes"},
    {.name = "connect",
     .type = KEY_CHOICE,
     .place = FLOW(connect),
     .fallback = CONNECT_AHEAD,
     .choices = scenario_connect_words,
     .help = "when to connect: shortly before start, so that data flows from the first moment, or "
             "at start",
     .right = "\"ahead\" or \"at_start\""},
    {.name = "end",
     .type = KEY_CHOICE,
     .place = FLOW(finish),
     .fallback = FINISH_DRAIN,
     .choices = scenario_finish_words,
     .help = "what to do with bytes still under way when duration is over: deliver them, for some "
             "seconds at most, or reset the connection",
     .right = "\"drain\" or \"abort\""},
    {.name = "capture",
     .type = KEY_CHOICE,
     .place = FLOW(capture),
     .fallback = CAPTURE_NONE,
     .choices = scenario_capture_words,
     .help = "keep the headers of the flow's packets, as each end sees them, in a pcapng file; the "
             "agents need CAP_NET_RAW",
     .right = "\"none\" or \"headers\""},
    {.name = "label",
     .alike = "name title note tag",
     .type = KEY_TEXT,
     .place = FLOW(label),
     .max = LABEL_MAX,
     .help = "a note of yours on the flow, such as \"background\"",
     .right = RIGHT_LABEL},
    KEY_COMMENT,
};

static const struct json_key host_keys[] = {
    {.name = "mgmt",
     .alike = "agent management control",
     .type = KEY_TEXT,
     .required = true,
     .place = HOST(mgmt),
     .min = 1,
     .max = MGMT_TEXT_MAX,
     .rule = rule_mgmt,
     .pattern =
         "^(unix:[^\\x00-\\x1f\\x7f]{1,107}|([^\\[\\]:/@\" ]+|\\[[^\\[\\]/@\" ]+\\]):(?!0+$)[0-9]{1,5})$",
     .range = "HOST:PORT, port 1 to 65535, or unix:PATH",
     .help = "where the host's agent listens, for management: \"10.0.0.1:8840\", "
             "\"[fd00::1]:8840\", \"unix:/run/flowgen.sock\"",
     .right = "HOST:PORT of the host's agent, such as \"10.0.0.1:8840\", or unix:PATH"},
    {.name = "host",
     .alike = "address addr ip",
     .type = KEY_TEXT,
     .required = true,
     .place = HOST(host),
     .min = 1,
     .max = HOST_TEXT_MAX,
     .rule = rule_host,
     .pattern = "^([^ :" PATTERN_CONTROLS PATTERN_BLANKS
                "]+|[0-9A-Fa-f:.]+(%[^ " PATTERN_CONTROLS PATTERN_BLANKS "]+)?)$",
     .range = "1 to 253 bytes, no blanks",
     .help = "address or name that test traffic goes to, such as \"10.0.1.1\"",
     .right = "the address or name that test traffic goes to, such as \"10.0.1.1\""},
    {.name = "bind",
     .type = KEY_TEXT,
     .place = HOST(bind),
     .min = 1,
     .max = ADDRESS_MAX - 1,
     .rule = rule_bind,
     .pattern = "^(any|[0-9A-Fa-f:.]+(%[^" PATTERN_CONTROLS "]+)?)$",
     .range = "\"any\", or an address in figures",
     .otherwise = "the same as host",
     .help = "local address of the test traffic",
     .right = "\"any\" or an address such as \"192.168.0.10\", or leave it out to bind to host"},
    {.name = "device",
     .type = KEY_TEXT,
     .place = HOST(device),
     .min = 1,
     .max = DEVICE_MAX - 1,
     .rule = rule_device,
     .pattern = "^(?!\\.{1,2}$)[^ /:" PATTERN_CONTROLS "]+$",
     .range = "1 to 15 bytes, no blank, '/' or ':'",
     .help = "network interface that the test traffic is bound to, such as \"eth1\"",
     .right = "the name of an interface, such as \"eth1\": 1 to 15 bytes, no blank, '/' or ':'"},
    {.name = "sample",
     .type = KEY_BOOLEAN,
     .place = HOST(sample),
     .help =
         "record CPU, interfaces and queues of this host until the run is over, also if no flow "
         "uses it: a router",
     .right = RIGHT_BOOLEAN},
    {.name = "interfaces",
     .type = KEY_TEXT,
     .place = HOST(interfaces),
     .min = 1,
     .max = HOST_INTERFACES_MAX * DEVICE_MAX - 1,
     .rule = rule_interfaces,
     .pattern = "^(?!(.*,)?\\.{1,2}(,|$))[^ /:," PATTERN_CONTROLS "]{1,15}(,[^ /:," PATTERN_CONTROLS
                "]{1,15}){0,15}$",
     .range = "1 to 16 names, commas between",
     .otherwise = "device, or what owns host",
     .help = "network interfaces whose counters and queues are recorded, such as \"eth1,eth2\"",
     .right = "names of interfaces with commas between, such as \"eth1,eth2\""},
    KEY_COMMENT,
};

#define TABLE(keys, hints)                 \
    {                                      \
        keys, COUNT_OF(keys), false, hints \
    }

static const struct json_table flow_table = TABLE(flow_keys, &scenario_flow_hints);
static const struct json_table host_table = TABLE(host_keys, &scenario_host_hints);

/* "defaults": the same keys, but none is required, and an id is no two flows' */

static const struct json_table flow_defaults = {flow_keys + 1, COUNT_OF(flow_keys) - 1, true,
                                                &scenario_flow_hints};
static const struct json_table host_defaults = {host_keys, COUNT_OF(host_keys), true,
                                                &scenario_host_hints};

static const struct json_key defaults_keys[] = {
    {.name = "host",
     .type = KEY_OBJECT,
     .place = TOP(host_defaults),
     .members = &host_defaults,
     .help = "any key of a host: what each host has that does not say it itself",
     .right = "keys of a host, such as {\"bind\": \"any\"}"},
    {.name = "flow",
     .type = KEY_OBJECT,
     .place = TOP(flow_defaults),
     .members = &flow_defaults,
     .help = "any key of a flow but id: what each flow has that does not say it itself",
     .right = "keys of a flow, such as {\"duration\": \"10s\"}"},
    KEY_COMMENT,
};

static const struct json_table defaults_table = {defaults_keys, COUNT_OF(defaults_keys), false,
                                                 NULL};

static const json_t *defaults_of(const struct json_reader *reader, const char *kind)
{
    return json_member(json_member(reader->root, "defaults"), kind);
}

/* "hosts" and "flows" */

static void report_count(struct json_reader *reader, const struct json_key *key, size_t count,
                         int64_t limit)
{
    struct error err = {0};

    error_set(&err, ERROR_INPUT, key->name, "there are %zu of them, more than %" PRId64, count,
              limit);
    if ((int64_t)count <= key->max)
        error_cure(&err, "if so many are meant, write \"max_%s\": %zu at the top of the file",
                   key->name, count);
    else
        error_cure(&err, "split the scenario");
    json_report(reader, &err);
}

static bool check_host_name(struct json_reader *reader, const char *name)
{
    struct error err = {0};
    size_t size = strlen(name);

    if (size >= 1 && size <= SCENARIO_NAME_MAX && !json_has_control(name))
        return true;
    rule_refuse(&err, name, "cannot be a host's name");
    error_where(&err, "hosts");
    error_cure(&err, "write 1 to %d bytes without control characters", SCENARIO_NAME_MAX);
    json_report(reader, &err);
    return false;
}

static void read_hosts(struct json_reader *reader, const struct json_key *key, json_t *object,
                       void *target)
{
    struct scenario *scenario = target;
    const json_t *defaults = defaults_of(reader, "host");
    size_t count = json_object_size(object);
    const char *name;
    json_t *value;

    if ((int64_t)count > key->max) {
        report_count(reader, key, count, key->max);
        return;
    }
    scenario->hosts = calloc(count + 1, sizeof *scenario->hosts);
    reader->no_memory |= !scenario->hosts;
    json_object_foreach(object, name, value)
    {
        char where[JSON_PLACE_MAX];
        if (!scenario->hosts || !check_host_name(reader, name)) {
            scenario->bad_hosts = true;
            continue;
        }
        struct scenario_host *host = &scenario->hosts[scenario->host_count];
        host->name = strdup(name);
        if (!host->name) {
            reader->no_memory = true;
            return;
        }
        scenario->host_count++;
        snprintf(where, sizeof where, "hosts.%s", name);
        if (json_expect_object(reader, where, value))
            json_read_object(reader, key->members, where, value, defaults, host);
    }
}

static void read_flows(struct json_reader *reader, const struct json_key *key, json_t *array,
                       void *target)
{
    struct scenario *scenario = target;
    const json_t *defaults = defaults_of(reader, "flow");
    int64_t limit = scenario->max_flows ? scenario->max_flows : key->max;
    size_t count = json_array_size(array);

    if ((int64_t)count > limit) {
        report_count(reader, key, count, limit);
        return;
    }
    scenario->flows = calloc(count + 1, sizeof *scenario->flows);
    if (!scenario->flows) {
        reader->no_memory = true;
        return;
    }
    scenario->flow_count = count;
    for (size_t i = 0; i < count; i++) {
        char where[JSON_PLACE_MAX];
        json_t *value = json_array_get(array, i);
        snprintf(where, sizeof where, "flows[%zu]", i);
        scenario->flows[i].place = i;
        if (json_expect_object(reader, where, value))
            json_read_object(reader, key->members, where, value, defaults, &scenario->flows[i]);
    }
}

static const struct json_key top_keys[] = {
    {.name = "$schema",
     .type = KEY_ANY,
     .help = "for editors: where docs/scenario.schema.json is; ignored"},
    KEY_COMMENT,
    {.name = "label",
     .type = KEY_TEXT,
     .place = TOP(label),
     .max = LABEL_MAX,
     .help = "a note of yours that goes into the result, such as \"second try, new cable\"",
     .right = RIGHT_LABEL},
    {.name = "interval",
     .type = KEY_DURATION,
     .place = TOP(interval_ns),
     .min = INTERVAL_MIN_NS,
     .max = SCENARIO_TIME_MAX,
     .otherwise = AGENTS_OWN,
     .help = "time between two samples of a flow's TCP statistics, such as \"100ms\"",
     .right = "a duration of 1ms or more, such as \"250ms\""},
    {.name = "read_size",
     .type = KEY_INTEGER,
     .place = TOP(read_size),
     .min = 1,
     .max = IO_SIZE_MAX,
     .unit = "bytes",
     .otherwise = AGENTS_OWN,
     .help = "most bytes that a receiver takes in one call, such as 50000",
     .right = RIGHT_SIZE},
    {.name = "write_size",
     .type = KEY_INTEGER,
     .place = TOP(write_size),
     .min = 1,
     .max = IO_SIZE_MAX,
     .unit = "bytes",
     .otherwise = AGENTS_OWN,
     .help = "bytes that a sender hands over in one call, such as 50000",
     .right = RIGHT_SIZE},
    {.name = "max_flows", /* before flows, which it limits */
     .type = KEY_INTEGER,
     .place = TOP(max_flows),
     .min = 1,
     .max = SCENARIO_FLOWS_MAX,
     .fallback = 20000,
     .unit = "flows",
     .help = "a guard against mistakes: a file with more flows is refused",
     .right = "a number of flows from 1 to 1000000"},
    {.name = "max_duration",
     .type = KEY_DURATION,
     .place = TOP(max_duration_ns),
     .min = 1,
     .max = SCENARIO_TIME_MAX,
     .fallback = INT64_C(86400) * NS_PER_S,
     .help = "a guard against mistakes: a run that would last longer, to the end of its last flow, "
             "is refused",
     .right = "a duration of more than 0 and up to 366 days, such as \"48h\""},
    {.name = "max_rate",
     .type = KEY_RATE,
     .place = TOP(max_rate),
     .or_zero = true,
     .min = RATE_MIN,
     .max = INT64_MAX,
     .range = "\"1kbit/s\" or more, or \"0\"",
     .otherwise = UNLIMITED,
     .help = "a guard against mistakes: flows that may together send more at any one time, or one "
             "with neither send_rate nor pacing_rate, are refused",
     .right = "a rate of 1kbit/s or more, such as \"10Gbit/s\", or \"0\" for no limit"},
    {.name = "defaults",
     .type = KEY_OBJECT,
     .members = &defaults_table,
     .help = "what hosts and flows have that do not say it themselves",
     .right = "\"defaults\": {\"flow\": {\"duration\": \"10s\"}}"},
    {.name = "hosts",
     .type = KEY_MAP,
     .required = true,
     .min = 1,
     .max = SCENARIO_HOSTS_MAX,
     .members = &host_table,
     .read = read_hosts,
     .unit = "hosts",
     .help = "the machines: name of a host, and what is known of it",
     .right = "\"hosts\": {\"A\": {\"mgmt\": \"10.0.0.1:8840\", \"host\": \"10.0.1.1\"}}"},
    {.name = "flows",
     .type = KEY_LIST,
     .required = true,
     .min = 1,
     .max = SCENARIO_FLOWS_MAX,
     .members = &flow_table,
     .read = read_flows,
     .unit = "flows",
     .help = "the flows between them",
     .right = "\"flows\": [{\"id\": 0, \"src\": \"A\", \"dst\": \"B\", \"duration\": \"10s\"}]"},
};

const struct json_table scenario_keys = TABLE(top_keys, &scenario_top_hints);
