#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/scenario_json.h"
#include "model/plan.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define HOSTS "\"hosts\": {\"A\": {\"mgmt\": \"a:1\", \"host\": \"10.0.0.1\"}}"
#define FLOW  "\"id\": 1, \"src\": \"A\", \"dst\": \"A\", \"duration\": \"1s\""

static struct scenario *parse(const char *text, struct error_list *errors)
{
    return scenario_parse(text, strlen(text), "file.json", errors);
}

static struct scenario *parse_right(const char *text)
{
    struct error_list errors = {0};
    struct scenario *s = parse(text, &errors);

    assert_int_equal(errors.count, 0);
    assert_non_null(s);
    return s;
}

/* The problems that reader and plan find in text, one "where: what (cure)" a line. */
static char *problems(const char *text, size_t size, char *out, size_t room)
{
    struct error_list errors = {0};
    struct scenario *s = scenario_parse(text, size, "file.json", &errors);
    struct plan *plan = s ? plan_build(s, &errors) : NULL;
    char line[1024];
    size_t used = 0;

    assert_true((plan != NULL) == (errors.count == 0));
    out[0] = '\0';
    for (size_t i = 0; i < errors.count && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s\n",
                                 error_text(&errors.items[i], line, sizeof line));
    plan_free(plan);
    error_list_fini(&errors);
    return out;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* Exactly one problem, which begins with and has these words. */
static void assert_problem(const char *text, const char *begins, const char *has)
{
    char out[4096];

    problems(text, strlen(text), out, sizeof out);
    if (strncmp(out, begins, strlen(begins)) != 0 || !strstr(out, has) || count_lines(out) != 1)
        fail_msg("%s\ngives: %s\nnot: %s ... %s", text, out, begins, has);
}

static void assert_host_problem(const char *member, const char *begins, const char *has)
{
    char text[1024];

    snprintf(text, sizeof text,
             "{\"hosts\": {\"A\": {\"mgmt\": \"a:1\", \"host\": \"h\"}, \"B\": {%s}},"
             " \"flows\": [{" FLOW "}]}",
             member);
    assert_problem(text, begins, has);
}

static void assert_flow_problem(const char *member, const char *begins, const char *has)
{
    char text[1024];

    snprintf(text, sizeof text, "{" HOSTS ", \"flows\": [{" FLOW ", %s}]}", member);
    assert_problem(text, begins, has);
}

static void assert_top_problem(const char *member, const char *begins, const char *has)
{
    char text[1024];

    snprintf(text, sizeof text, "{%s, " HOSTS ", \"flows\": [{" FLOW "}]}", member);
    assert_problem(text, begins, has);
}

static void reads_every_key(void **state)
{
    const char *text =
        "{\"label\": \"l\", \"interval\": \"1ms\", \"read_size\": 1, \"write_size\": 16777216,"
        " \"hosts\": {\"B\": {\"mgmt\": \"[::1]:8840\", \"host\": \"::1\", \"bind\": \"any\","
        " \"device\": \"eth0.100\"}, \"A\": {\"mgmt\": \"a:1\", \"host\": \"fe80::1%eth0\","
        " \"bind\": \"fe80::1%eth0\"}},"
        " \"flows\": [{\"id\": -2147483648, \"src\": \"A\", \"dst\": \"B\", \"duration\": \"1m30s\","
        " \"start\": \"1.5s\", \"ccalg\": \"bbr_2-x\", \"ecn\": true, \"nodelay\": true,"
        " \"send_rate\": \"10Mbit/s\", \"read_rate\": \"1 kbit/s\", \"pacing_rate\": \"10Tbit/s\","
        " \"send_buffer\": 4096, \"receive_buffer\": 1073741823, \"mss\": 88,"
        " \"connect\": \"at_start\", \"end\": \"abort\"}], \"max_rate\": \"20Tbit/s\"}";
    struct scenario *s = parse_right(text);

    (void)state;
    assert_string_equal(s->text, text);
    assert_string_equal(s->label, "l");
    assert_int_equal(s->interval_ns, NS_PER_MS);
    assert_int_equal(s->read_size, 1);
    assert_int_equal(s->write_size, 16777216);
    assert_int_equal(s->host_count, 2);
    assert_string_equal(s->hosts[0].name, "B"); /* the file's order */
    assert_string_equal(s->hosts[0].mgmt, "[::1]:8840");
    assert_string_equal(s->hosts[0].host, "::1");
    assert_string_equal(s->hosts[0].bind, "any");
    assert_string_equal(s->hosts[0].device, "eth0.100");
    assert_string_equal(s->hosts[1].bind, "fe80::1%eth0");
    assert_null(s->hosts[1].device);
    assert_int_equal(s->flow_count, 1);
    const struct scenario_flow *flow = s->flows;
    assert_true(flow->has_id && flow->has_duration);
    assert_int_equal(flow->place, 0);
    assert_int_equal(flow->id, INT32_MIN);
    assert_string_equal(flow->src, "A");
    assert_string_equal(flow->dst, "B");
    assert_int_equal(flow->duration_ns, 90 * NS_PER_S);
    assert_int_equal(flow->start_ns, 1500 * NS_PER_MS);
    assert_string_equal(flow->ccalg, "bbr_2-x");
    assert_true(flow->ecn && flow->nodelay);
    assert_int_equal(flow->tuning.send_rate, 10000000);
    assert_int_equal(flow->tuning.read_rate, 1000);
    assert_int_equal(flow->tuning.pacing_rate, INT64_C(10000000000000));
    assert_int_equal(flow->tuning.send_buffer, 4096);
    assert_int_equal(flow->tuning.receive_buffer, 1073741823);
    assert_int_equal(flow->tuning.mss, 88);
    assert_int_equal(s->max_rate, INT64_C(20000000000000));
    assert_int_equal(flow->connect, CONNECT_AT_START);
    assert_int_equal(flow->finish, FINISH_ABORT);
    scenario_free(s);
}

static void has_defaults(void **state)
{
    struct scenario *s = parse_right("{" HOSTS ", \"label\": null, \"flows\": [{" FLOW
                                     ", \"ccalg\": \"\", \"start\": null}]}");

    (void)state;
    assert_null(s->label);
    assert_int_equal(s->interval_ns, 0);
    assert_int_equal(s->read_size, 0);
    assert_int_equal(s->write_size, 0);
    assert_null(s->hosts[0].bind);
    assert_string_equal(s->flows[0].ccalg, "");
    assert_int_equal(s->flows[0].start_ns, 0);
    assert_false(s->flows[0].ecn || s->flows[0].nodelay);
    assert_int_equal(s->flows[0].tuning.send_rate, 0);
    assert_int_equal(s->flows[0].tuning.send_buffer, 0);
    assert_int_equal(s->max_rate, 0);
    assert_int_equal(s->flows[0].connect, CONNECT_AHEAD);
    assert_int_equal(s->flows[0].finish, FINISH_DRAIN);
    scenario_free(s);
}

static void case_and_underscores_of_keys_do_not_matter(void **state)
{
    struct scenario *s = parse_right(
        "{\"readSize\": 5, \"WRITE_SIZE\": 6, \"Hosts\": {\"A\": {\"MGMT\": \"a:1\","
        " \"Host\": \"h\"}}, \"FLOWS\": [{\"ID\": 0, \"Src\": \"A\", \"Dst\": \"A\","
        " \"Duration\": \"1s\", \"CCAlg\": \"reno\", \"ECN\": true, \"NoDelay\": true}]}");

    (void)state;
    assert_int_equal(s->read_size, 5);
    assert_int_equal(s->write_size, 6);
    assert_string_equal(s->flows[0].ccalg, "reno");
    assert_true(s->flows[0].ecn && s->flows[0].nodelay);
    scenario_free(s);
}

static void names_of_hosts_keep_their_case(void **state)
{
    char out[1024];
    const char *text = "{\"hosts\": {\"a\": {\"mgmt\": \"a:1\", \"host\": \"h\"}, \"A\": {\"mgmt\":"
                       " \"a:1\", \"host\": \"i\"}}, \"flows\": [{" FLOW "}]}";

    (void)state;
    assert_string_equal(problems(text, strlen(text), out, sizeof out), "");
}

static void a_key_twice_is_an_error(void **state)
{
    (void)state;
    assert_flow_problem("\"DURATION\": \"2s\"",
                        "flows[0].duration: ", "twice, here as \"DURATION\"");
    assert_flow_problem("\"ecn\": false, \"_ecn\": true", "flows[0].ecn: ", "\"_ecn\"");
    assert_flow_problem("\"id\": 2", "file.json: line 1, column ", "the key \"id\" is there twice");
}

static void an_unknown_key_is_an_error(void **state)
{
    (void)state;
    assert_flow_problem("\"cclag\": \"bbr\"", "flows[0]: unknown key \"cclag\"",
                        "did you mean \"ccalg\"?");
    assert_flow_problem("\"ccalgo\": \"bbr\"", "flows[0]: unknown key \"ccalgo\"",
                        "did you mean \"ccalg\"?");
    assert_flow_problem("\"xyzzy\": 1", "flows[0]: unknown key \"xyzzy\"",
                        "the keys here are id, src, dst, duration, start, ccalg, ecn, nodelay, "
                        "send_rate, read_rate, pacing_rate, send_buffer, receive_buffer, mss, "
                        "connect, end, capture, label, comment");
    assert_flow_problem("\"\": 1", "flows[0]: unknown key \"\"", "the keys here are");
    assert_flow_problem("\"x\\u001by\": 1", "flows[0]: unknown key \"x\\u001By\"", "");
    assert_top_problem("\"intervall\": \"1s\"", "file.json: unknown key", "\"interval\"");
    /* misspelt is not missing as well */
    assert_host_problem("\"mngt\": \"b:1\", \"host\": \"h\"", "hosts.B: unknown key \"mngt\"",
                        "did you mean \"mgmt\"?");
}

static void keys_of_other_programs(void **state)
{
    (void)state;
    static const char *const words[][2] = {
        {"cc", "ccalg"},
        {"congestion_control", "ccalg"},
        {"Congestion", "ccalg"},
        {"time", "duration"},
        {"bandwidth", "send_rate"},
        {"rate", "send_rate"},
        {"from", "src"},
        {"server", "dst"},
        {"offset", "start"},
        {"window", "receive_buffer"},
        {"rwnd", "receive_buffer"},
        {"windowSize", "receive_buffer"},
        {"algo", "ccalg"},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char member[64], cure[64];
        snprintf(member, sizeof member, "\"%s\": 1", words[i][0]);
        snprintf(cure, sizeof cure, "(did you mean \"%s\"?)", words[i][1]);
        assert_flow_problem(member, "flows[0]: unknown key ", cure);
    }
    assert_host_problem("\"agent\": \"b:1\", \"host\": \"h\"", "hosts.B: unknown key \"agent\"",
                        "did you mean \"mgmt\"?");
}

static void words_that_no_key_stands_for(void **state)
{
    static const struct {
        const char *word, *cure;
    } words[] = {
        {"bytes", "flows end by time"},
        {"count", "write a flow for each"},
        {"parallel", "write a flow for"},
        {"tos", "it cannot be set"},
        {"DSCP", "it cannot be set"},
        {"reverse", "swap them"},
        {"omit", "--warmup 2s"},
        {"sport", "--data-ports 9000-9099"},
        {"repeat", "--repeat 10"},
        {"udp", "all flows are TCP"},
        {"length", "\"write_size\""},
        {"interface", "\"device\" sends"},
        {"iface", "\"device\" sends"},
        {"nic", "\"device\" sends"},
        {"local", "\"bind\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        char member[64];
        snprintf(member, sizeof member, "\"%s\": 1", words[i].word);
        assert_flow_problem(member, "flows[0]: unknown key ", words[i].cure);
        snprintf(member, sizeof member, "\"%s\": 1", words[i].word);
        assert_top_problem(member, "file.json: unknown key ", words[i].cure);
    }
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"interface\": \"eth0\"",
                        "hosts.B: unknown key ", "\"device\" sends through it");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"local\": \"10.0.0.1\"",
                        "hosts.B: unknown key ", "\"bind\"");
    assert_flow_problem("\"device\": \"eth0\"", "flows[0]: unknown key ", "a key of the host");
    assert_top_problem("\"duration\": \"1s\"", "file.json: unknown key ", "\"defaults\": {");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"port\": 1", "hosts.B: unknown key ",
                        "behind the agent's address");
}

static void tells_what_is_missing(void **state)
{
    (void)state;
    assert_problem("{" HOSTS "}", "flows: it is missing", "add \"flows\": [{");
    assert_problem("{\"flows\": [{" FLOW "}]}", "hosts: it is missing", "add \"hosts\": {");
    assert_problem("{" HOSTS ", \"flows\": []}", "flows: there is no flow", "describe");
    assert_problem("{\"hosts\": {}, \"flows\": [{" FLOW "}]}", "hosts: there is no host", "");
    assert_problem("{" HOSTS ", \"flows\": [{\"id\": 1, \"src\": \"A\", \"dst\": \"A\"}]}",
                   "flows[0].duration: it is missing", "\"10s\"");
    assert_problem("{" HOSTS ", \"flows\": [{\"id\": null, \"src\": \"A\", \"dst\": \"A\","
                   " \"duration\": \"1s\"}]}",
                   "flows[0].id: it is missing", "whole number");
    assert_host_problem("\"host\": \"h\"", "hosts.B.mgmt: it is missing", "HOST:PORT");
}

static void comments_are_ignored(void **state)
{
    struct scenario *s = parse_right(
        "{\"comment\": [1, {\"hosts\": 2}], \"$schema\": \"x\", \"hosts\": {\"A\": {\"mgmt\": \"a:1\","
        " \"host\": \"h\", \"Comment\": \"a\\tb\"}}, \"defaults\": {\"comment\": null, \"host\":"
        " {\"comment\": 1}, \"flow\": {\"comment\": true}}, \"flows\": [{" FLOW
        ", \"comment\": {\"id\": \"x\"}}]}");

    (void)state;
    assert_int_equal(s->flows[0].id, 1);
    scenario_free(s);
    /* among the hosts it is a host's name */
    assert_problem("{\"hosts\": {\"A\": {\"mgmt\": \"a:1\", \"host\": \"h\"}, \"comment\": \"x\"},"
                   " \"flows\": [{" FLOW "}]}",
                   "hosts.comment: it must be an object", "");
}

static void defaults_stand_for_what_is_not_said(void **state)
{
    struct scenario *s = parse_right(
        "{\"flows\": [{\"id\": 1}, {\"id\": 2, \"Duration\": \"2s\", \"src\": \"B\", \"ecn\": false,"
        " \"ccalg\": \"\", \"end\": \"drain\", \"label\": null}],"
        " \"hosts\": {\"A\": {\"host\": \"h\"}, \"B\": {\"mgmt\": \"b:1\", \"bind\": null}},"
        " \"defaults\": {\"host\": {\"mgmt\": \"a:1\", \"host\": \"d\", \"bind\": \"any\"},"
        " \"flow\": {\"src\": \"A\", \"dst\": \"B\", \"DURATION\": \"1s\", \"start\": \"3s\","
        " \"ecn\": true, \"ccalg\": \"reno\", \"end\": \"abort\", \"label\": \"l\"}}}");
    const struct scenario_flow *one = &s->flows[0], *two = &s->flows[1];

    (void)state;
    assert_string_equal(s->hosts[0].mgmt, "a:1");
    assert_string_equal(s->hosts[0].host, "h");
    assert_string_equal(s->hosts[1].mgmt, "b:1");
    assert_string_equal(s->hosts[1].host, "d");
    assert_string_equal(s->hosts[1].bind, "any");
    assert_string_equal(one->src, "A");
    assert_true(one->has_duration && one->ecn);
    assert_int_equal(one->duration_ns, NS_PER_S);
    assert_int_equal(one->start_ns, 3 * NS_PER_S);
    assert_string_equal(one->ccalg, "reno");
    assert_int_equal(one->finish, FINISH_ABORT);
    assert_string_equal(one->label, "l");
    assert_string_equal(two->src, "B");
    assert_string_equal(two->dst, "B");
    assert_int_equal(two->duration_ns, 2 * NS_PER_S);
    assert_false(two->ecn);
    assert_string_equal(two->ccalg, "");
    assert_int_equal(two->finish, FINISH_DRAIN);
    assert_string_equal(two->label, "l");
    scenario_free(s);
}

static void a_wrong_default_is_told_once(void **state)
{
    static const struct {
        const char *defaults, *begins, *has;
    } rows[] = {
        {"7", "defaults: it must be an object", "write \"defaults\": {"},
        {"{\"flows\": {}}", "defaults: unknown key \"flows\"", "did you mean \"flow\"?"},
        {"{\"flow\": []}", "defaults.flow: it must be an object", "{\"duration\": \"10s\"}"},
        {"{\"flow\": {\"id\": 1}}", "defaults.flow: unknown key \"id\"", "keys here are src, dst"},
        {"{\"flow\": {\"ecn\": 1}}", "defaults.flow.ecn: it must be true or false", "is 1"},
        {"{\"flow\": {\"ecn\": true, \"_ecn\": true}}", "defaults.flow.ecn: ", "twice"},
        {"{\"host\": {\"bind\": \"x\"}}", "defaults.host.bind: \"x\" is neither", "any"},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text,
                 "{" HOSTS ", \"flows\": [{" FLOW "}, {\"id\": 2, \"src\": \"A\", \"dst\": \"A\","
                 " \"duration\": \"1s\"}], \"defaults\": %s}",
                 rows[i].defaults);
        assert_problem(text, rows[i].begins, rows[i].has);
    }
    assert_problem("{" HOSTS ", \"flows\": [{\"id\": 1}, {\"id\": 2}], \"defaults\": {\"flow\":"
                   " {\"src\": \"A\", \"dst\": \"A\", \"duration\": \"1\"}}}",
                   "defaults.flow.duration: \"1\"", "unit");
    /* nor do they excuse what is wrong in the flow itself */
    assert_problem("{" HOSTS ", \"flows\": [{" FLOW ", \"ecn\": 1}], \"defaults\": {\"flow\":"
                   " {\"ecn\": true}}}",
                   "flows[0].ecn: it must be", "");
}

static void guards_stop_what_is_too_much(void **state)
{
    struct scenario *s = parse_right("{" HOSTS ", \"flows\": [{" FLOW "}]}");
    const char *two = "\"flows\": [{" FLOW "}, {\"id\": 2, \"src\": \"A\", \"dst\": \"A\","
                      " \"duration\": \"1s\", \"start\": \"24h\"}]}";
    char text[512], out[512];

    (void)state;
    assert_int_equal(s->max_flows, 20000);
    assert_int_equal(s->max_duration_ns, 24 * 3600 * NS_PER_S);
    scenario_free(s);
    snprintf(text, sizeof text, "{\"max_duration\": \"48h\", \"max_flows\": 1, " HOSTS ", %s", two);
    assert_problem(text, "flows: there are 2 of them, more than 1", "write \"max_flows\": 2 at");
    snprintf(text, sizeof text, "{" HOSTS ", %s", two);
    assert_problem(text, "flows[1].duration: the run would last 24h0m1s, more than 24h0m0s",
                   "write \"max_duration\": \"24h0m1s\" at");
    snprintf(text, sizeof text, "{\"max_duration\": \"24h0m1s\", " HOSTS ", %s", two);
    assert_string_equal(problems(text, strlen(text), out, sizeof out), "");
    /* a guard that cannot be read guards nothing, and is told */
    snprintf(text, sizeof text, "{\"maxDuration\": 24, " HOSTS ", %s", two);
    assert_problem(text, "max_duration: it must be a text", "\"48h\"");
    snprintf(text, sizeof text, "{\"max_flows\": 0, " HOSTS ", \"flows\": [{" FLOW "}]}");
    assert_problem(text, "max_flows: 0 is not between 1 and 1000000", "");
}

static void checks_flows(void **state)
{
    (void)state;
    assert_flow_problem("\"start\": \"-1ns\"", "flows[0].start: \"-1ns\" is less than 0s", "");
    assert_flow_problem("\"start\": \"8784h1ns\"", "flows[0].start: \"8784h1ns\" is more than", "");
    assert_flow_problem("\"start\": \"8784h\"", "flows[0].duration: ", "366 days");
    assert_flow_problem("\"start\": 5", "flows[0].start: it must be a text in quotes, but is 5",
                        "\"1.5s\"");
    assert_flow_problem("\"start\": \"5\"", "flows[0].start: \"5\"", "unit");
    assert_flow_problem("\"start\": \"\"", "flows[0].start: the text is empty", "");
    assert_flow_problem("\"ccalg\": \"CUBIC\"", "flows[0].ccalg: \"CUBIC\"", "a-z");
    assert_flow_problem("\"ccalg\": \"a234567890123456\"", "flows[0].ccalg: ", "has 16 bytes");
    assert_flow_problem("\"ecn\": 1", "flows[0].ecn: it must be true or false, but is 1", "");
    assert_flow_problem("\"nodelay\": \"true\"", "flows[0].nodelay: ", "but is \"true\"");
    assert_flow_problem("\"connect\": \"early\"", "flows[0].connect: \"early\"",
                        "\"ahead\" or \"at_start\"");
    assert_flow_problem("\"end\": \"Drain\"", "flows[0].end: \"Drain\"", "\"drain\" or \"abort\"");
    assert_problem("{" HOSTS ", \"flows\": [7]}", "flows[0]: it must be an object", "but is 7");
    assert_problem("{" HOSTS ", \"flows\": {}}", "flows: it must be a list", "but is {}");
}

static void checks_ids_and_durations(void **state)
{
    static const struct {
        const char *id, *duration, *begins, *has;
    } rows[] = {
        {"1.5", "\"1s\"", "flows[0].id: it must be a whole number, but is 1.5", ""},
        {"2147483648", "\"1s\"", "flows[0].id: 2147483648 is not between", "-2147483648"},
        {"\"1\"", "\"1s\"", "flows[0].id: it must be a whole number", "but is \"1\""},
        {"true", "\"1s\"", "flows[0].id: ", "but is true"},
        {"1", "\"0\"", "flows[0].duration: \"0\" is less than 1ns", "more than 0"},
        {"1", "\"-1s\"", "flows[0].duration: \"-1s\"", "more than 0"},
        {"1", "\"8784h1ns\"", "flows[0].duration: \"8784h1ns\" is more than 8784h0m0s", ""},
        {"1", "\"1 s\"", "flows[0].duration: \"1 s\"", "unit"},
        {"1", "[[[\"a\"]]]", "flows[0].duration: it must be", "but is [[[\"a\"]]]"},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text,
                 "{" HOSTS ", \"flows\": [{\"id\": %s, \"src\": \"A\", \"dst\": \"A\","
                 " \"duration\": %s}]}",
                 rows[i].id, rows[i].duration);
        assert_problem(text, rows[i].begins, rows[i].has);
    }
}

static void checks_hosts(void **state)
{
    (void)state;
    assert_host_problem("\"mgmt\": \":1\", \"host\": \"h\"", "hosts.B.mgmt: \":1\" has no host",
                        "HOST:PORT");
    assert_host_problem("\"mgmt\": \"b\", \"host\": \"h\"", "hosts.B.mgmt: \"b\"", "port");
    assert_host_problem("\"mgmt\": \"b:0\", \"host\": \"h\"", "hosts.B.mgmt: \"b:0\"", "port 0");
    assert_host_problem("\"mgmt\": \"[fe80::1]:1\", \"host\": \"h\"",
                        "hosts.B.mgmt: fe80::1 is link", "such as \"[fe80::1%eth0]:8840\"");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"\"", "hosts.B.host: the text is empty", "");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"a b\"", "hosts.B.host: \"a b\"", "blanks");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"b:1\"", "hosts.B.host: \"b:1\"", "port");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"[::1]\"", "hosts.B.host: \"[::1]\"", "");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"bind\": \"name\"",
                        "hosts.B.bind: \"name\"", "\"any\"");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"bind\": \"10.0.0.256\"",
                        "hosts.B.bind: \"10.0.0.256\"", "");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"device\": \"a/b\"",
                        "hosts.B.device: \"a/b\"", "interface");
    assert_host_problem("\"mgmt\": \"b:1\", \"host\": \"h\", \"device\": \"a234567890123456\"",
                        "hosts.B.device: ", "has 16 bytes");
    assert_problem("{\"hosts\": {\"A\": 5}, \"flows\": [{" FLOW "}]}", "hosts.A: ", "but is 5");
    assert_problem("{\"hosts\": [], \"flows\": [{" FLOW "}]}", "hosts: ", "but is []");
}

static void checks_names_of_hosts(void **state)
{
    static const struct {
        const char *name, *has;
    } rows[] = {
        {"", "\"\" cannot be a host's name"},
        {"a\\u000ab", "\"a\\nb\" cannot"},
        {"\\u009b", "\"\\u009B\" cannot"},
        {"0123456789012345678901234567890123456789012345678901234567890123", "cannot be"},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* flows that name the host are not reported in addition */
        snprintf(text, sizeof text,
                 "{\"hosts\": {\"%s\": {\"mgmt\": \"a:1\", \"host\": \"h\"}}, \"flows\": [{" FLOW
                 "}]}",
                 rows[i].name);
        assert_problem(text, "hosts: ", rows[i].has);
    }
}

static void checks_the_top(void **state)
{
    char label[300] = "\"label\": \"";

    (void)state;
    memset(label + strlen(label), 'x', 201);
    strcat(label, "\"");
    assert_top_problem(label, "label: ", "has 201 bytes");
    assert_top_problem("\"label\": \"a\\tb\"", "label: \"a\\tb\" has control characters", "");
    assert_top_problem("\"interval\": \"999us\"", "interval: \"999us\" is less than 1ms", "");
    assert_top_problem("\"interval\": \"0\"", "interval: \"0\" is less than 1ms", "");
    assert_top_problem("\"read_size\": 0", "read_size: 0 is not between 1 and 16777216", "");
    assert_top_problem("\"writeSize\": 16777217", "write_size: 16777217 is not", "");
    assert_top_problem("\"read_size\": 5000.5", "read_size: it must be a whole number", "");
}

static void checks_rates_and_sizes(void **state)
{
    (void)state;
    assert_flow_problem("\"send_rate\": 10", "flows[0].send_rate: it must be a text",
                        "(write a rate from 1kbit/s to 10Tbit/s");
    assert_flow_problem("\"send_rate\": \"\"", "flows[0].send_rate: the text is empty", "");
    assert_flow_problem("\"send_rate\": \"10MB/s\"", "flows[0].send_rate: ", "80Mbit/s");
    assert_flow_problem("\"read_rate\": \"999bit/s\"",
                        "flows[0].read_rate: \"999bit/s\" is less than 1kbit/s", "10Mbit/s");
    assert_flow_problem("\"pacing_rate\": \"10.001Tbit/s\"",
                        "flows[0].pacing_rate: \"10.001Tbit/s\" is more than 10Tbit/s", "");
    assert_flow_problem("\"send_buffer\": 4095", "flows[0].send_buffer: 4095 is not between", "");
    assert_flow_problem("\"receive_buffer\": -1", "flows[0].receive_buffer: -1 is not", "");
    assert_flow_problem("\"receive_buffer\": 1073741824", "flows[0].receive_buffer: ", "");
    assert_flow_problem("\"mss\": 87", "flows[0].mss: 87 is not between 88 and 32767", "");
    assert_top_problem("\"max_rate\": \"fast\"", "max_rate: \"fast\" is no rate", "");
}

static void zero_undoes_a_default(void **state)
{
    struct scenario *s = parse_right(
        "{" HOSTS ", \"defaults\": {\"flow\": {\"send_rate\": \"1Gbit/s\", \"mss\": 500,"
        " \"send_buffer\": 5000}}, \"max_rate\": \"0\", \"flows\": [{" FLOW
        ", \"send_rate\": \"0\", \"mss\": 0}]}");

    (void)state;
    assert_int_equal(s->flows[0].tuning.send_rate, 0);
    assert_int_equal(s->flows[0].tuning.mss, 0);
    assert_int_equal(s->flows[0].tuning.send_buffer, 5000);
    assert_int_equal(s->max_rate, 0);
    scenario_free(s);
}

static void long_values_are_shortened(void **state)
{
    char member[600] = "\"ecn\": \"";

    (void)state;
    memset(member + strlen(member), 'x', 500);
    strcat(member, "\"");
    assert_flow_problem(member, "flows[0].ecn: ", "xxx... (write");
}

/* A message to an agent has room for whatever is let through. */
static void texts_are_bounded(void **state)
{
    static const char *const host_keys[] = {"mgmt", "host", "bind", "device", "interfaces"};
    static const char *const flow_keys[] = {"label", "ccalg"};
    char value[301], member[400], place[64];

    (void)state;
    memset(value, 'x', 300);
    value[300] = '\0';
    for (size_t i = 0; i < sizeof host_keys / sizeof *host_keys; i++) {
        const bool mgmt = strcmp(host_keys[i], "mgmt") == 0,
                   host = strcmp(host_keys[i], "host") == 0;
        snprintf(member, sizeof member, "%s%s\"%s\": \"%s\"", mgmt ? "" : "\"mgmt\": \"b:1\", ",
                 host ? "" : "\"host\": \"h\", ", host_keys[i], value);
        snprintf(place, sizeof place, "hosts.B.%s: ", host_keys[i]);
        assert_host_problem(member, place, "... has 300 bytes, not 1 to ");
    }
    for (size_t i = 0; i < sizeof flow_keys / sizeof *flow_keys; i++) {
        snprintf(member, sizeof member, "\"%s\": \"%s\"", flow_keys[i], value);
        snprintf(place, sizeof place, "flows[0].%s: ", flow_keys[i]);
        assert_flow_problem(member, place, "... has 300 bytes, not 0 to ");
    }
}

static void all_problems_come_at_once(void **state)
{
    const char *text =
        "{\"hosts\": {\"A\": {\"mgmt\": \"a\", \"host\": \"h\"}},\n"
        " \"flows\": [{\"id\": 1, \"src\": \"A\", \"dst\": \"B\", \"duration\": 1},\n"
        " {\"id\": 1, \"src\": \"A\", \"dst\": \"A\", \"duration\": \"1s\","
        " \"ecn\": 0}]}";
    const char *const begins[] = {"hosts.A.mgmt: ", "flows[0].duration: ", "flows[1].ecn: ",
                                  "flows[0].dst: ", "flows[1].id: "};
    char out[4096], *line = out;

    (void)state;
    problems(text, strlen(text), out, sizeof out);
    assert_int_equal(count_lines(out), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_memory_equal(line, begins[i], strlen(begins[i]));
        line = strchr(line, '\n') + 1;
    }
}

static void broken_json_is_told_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *what;
    } broken[] = {
        {"", "1, column 1", "the file is empty (write a scenario"},
        {" \n \t", "1, column 1", "the file is empty"},
        {"{\n  \"hosts\": }", "2, column 12", "a key has no value: '}' follows"},
        {"{}}", "1, column 3", "the scenario is over, but something follows"},
        {"5", "1, column 1", "does not begin with '{'"},
        {"hosts:\n", "1, column 1", "does not begin with '{'"},
        {"{\"label\": \"\\u0000\"}", "1, column 11", "\\u0000"},
        {"{\"label\": \"\xff\"}", "1, column ", "not UTF-8: unable to decode byte 0xff"},
        {"{\"label\": \x1b[31m}", "1, column 11", "? is neither"},
        {"{\"id\": 99999999999999999999}", "1, column 8", "the number is too large"},
        {"{\"a\": 1,\n}", "1, column 8", "a comma stands before '}' (take the comma away"},
        {"{\"a\": [1,\n 2, ]}", "2, column 3", "a comma stands before ']'"},
        {"{\"\u00fc\": 1 // note\n}", "1, column 9", "JSON has none (use the key \"comment\""},
        {"{\"a\": 1, /* note */\n}", "1, column 10", "a comment stands here"},
        {"# note\n{}", "1, column 1", "a comment stands here"},
        {"{\"a\": 1\n \"a key that is long, long, long\": 2}", "2, column 2",
         "a comma is missing before \"a key that is long, lon..."},
        {"{\"a\": [{} {}]}", "1, column 11", "a comma is missing before {"},
        {"{'a': 1}", "1, column 2", "not the quotes of JSON"},
        {"{a: 1}", "1, column 2", "the key a is not in quotes (write \"a\""},
        {"{\"a\": 10s}", "1, column 7", "10s is neither a text in quotes nor a number"},
        {"{\"a\": True}", "1, column 7", "True is neither"},
        {"{\"a\" 1}", "1, column 6", "no colon"},
        {"{\"a\": [1}", "1, column 9", "']' is missing, or '}' is too much"},
        {"{\"a\": [1", "1, column 9", "the file ends, and ']' is missing"},
        {"{\"a\": \"b", "1, column 9", "ends in the middle of a text"},
        {"{\"a\": \"b\n\"}", "1, column 7", "a text does not end on its line"},
        {"{\"a\": \"\\q\"}", "1, column 7", "backslash"},
        {"{, \"a\": 1}", "1, column 2", "nothing stands before a comma"},
        {"{\u00a0\"a\": 1}", "1, column 2", "a no-break blank stands here (U+00A0)"},
        {"{\"a\":\n \u202f1}", "2, column 2", "U+202F), which JSON does not know (write a plain"},
        {"{\"a\": 1\u2009}", "1, column 8", "U+2009"},
        {"{\"a\": 1,\f\"b\": 2}", "1, column 9", "a form feed stands here"},
        {"{\"a\": 1,\u200b \"b\": 2}", "1, column 9", "cannot be seen stands here (U+200B)"},
        {"{\"a\": \"b\tc\"}", "1, column 9", "has a tab in it (write a blank"},
        {"{\"a\": \"b\x01\"}", "1, column 9", "has a control character in it (take it away)"},
        {"{\"a\": \"\\u0000\"}", "1, column 7", "stands for nothing (take it away)"},
        {"{\"\\u0000\": 1}", "1, column 2", "stands for nothing (take it away)"},
        {"{\"a\": \"\\ud800b\"}", "1, column 7", "half of a character, as \\ud83d (write the"},
        {"{\"a\": \"\\udc00b\"}", "1, column 7", "half of a character"},
        {"{\"a\": \"\\ud800\\u0041\"}", "1, column 7", "half of a character"},
    };
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        char begins[64];
        snprintf(begins, sizeof begins, "file.json: line %s", broken[i].place);
        assert_problem(broken[i].text, begins, broken[i].what);
    }
    assert_problem("[]", "file.json: it must be an object in braces", "but is []");
}

static void bytes_behind_a_nul_are_not_lost(void **state)
{
    char out[1024];

    (void)state;
    problems("{}\0{}", 5, out, sizeof out);
    assert_memory_equal(out, "file.json: line 1, column 3: the file has a byte 0", 50);
}

static void deep_nesting_is_refused(void **state)
{
    static char text[100001];

    (void)state;
    memset(text, '[', sizeof text - 1);
    assert_problem(text, "file.json: line 1, ", "too deep");
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    scenario_free(parse_right("\xef\xbb\xbf{" HOSTS ", \"flows\": [{" FLOW "}]}"));
}

static void loads_a_file(void **state)
{
    struct error_list errors = {0};
    char path[] = "/tmp/test_scenario_XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "{" HOSTS ", \"flows\": [{" FLOW "}]}") > 0);
    close(fd);
    struct scenario *s = scenario_load(path, &errors);
    assert_non_null(s);
    assert_int_equal(s->flow_count, 1);
    scenario_free(s);
    assert_int_equal(truncate(path, (64 << 20) + 1), 0); /* sparse */
    assert_null(scenario_load(path, &errors));
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.items[0].what, "64 MiB"));
    unlink(path);

    assert_null(scenario_load(path, &errors));
    assert_int_equal(errors.count, 2);
    assert_int_equal(errors.items[1].code, ERROR_INPUT);
    assert_string_equal(errors.items[1].where, path);
    assert_null(scenario_load("/", &errors));
    assert_int_equal(errors.count, 3);
    error_list_fini(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(case_and_underscores_of_keys_do_not_matter),
        cmocka_unit_test(names_of_hosts_keep_their_case),
        cmocka_unit_test(a_key_twice_is_an_error),
        cmocka_unit_test(an_unknown_key_is_an_error),
        cmocka_unit_test(keys_of_other_programs),
        cmocka_unit_test(words_that_no_key_stands_for),
        cmocka_unit_test(tells_what_is_missing),
        cmocka_unit_test(comments_are_ignored),
        cmocka_unit_test(defaults_stand_for_what_is_not_said),
        cmocka_unit_test(a_wrong_default_is_told_once),
        cmocka_unit_test(guards_stop_what_is_too_much),
        cmocka_unit_test(checks_flows),
        cmocka_unit_test(checks_ids_and_durations),
        cmocka_unit_test(checks_hosts),
        cmocka_unit_test(checks_names_of_hosts),
        cmocka_unit_test(checks_the_top),
        cmocka_unit_test(checks_rates_and_sizes),
        cmocka_unit_test(zero_undoes_a_default),
        cmocka_unit_test(long_values_are_shortened),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(all_problems_come_at_once),
        cmocka_unit_test(broken_json_is_told_with_line_and_column),
        cmocka_unit_test(bytes_behind_a_nul_are_not_lost),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(loads_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
