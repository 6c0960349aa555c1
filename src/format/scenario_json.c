/* The scenario's keys, declared as tables, and what makes their texts right.  The reading itself
 * is json_object.c's; checks that need more than one value are plan_build()'s. */
#include "format/scenario_json.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/json_object.h"
#include "util/address.h"
#include "util/buffer.h"
#include "util/cleanup.h"

#define FILE_MAX      (64u << 20) /* bytes of a scenario file */
#define READ_PIECE    65536
#define HOST_TEXT_MAX 253 /* bytes of a DNS name */
#define MGMT_TEXT_MAX (HOST_TEXT_MAX + sizeof "[]:65535" - 1)
#define LABEL_MAX     200
#define IO_SIZE_MAX   16777216

static_assert(sizeof(enum connect_mode) == sizeof(int), "KEY_CHOICE stores an int");
static_assert(sizeof(enum finish_mode) == sizeof(int), "KEY_CHOICE stores an int");

/* Rules of texts */

/* An IPv4 or IPv6 address in figures, with or without a scope: fe80::1%eth0. */
static bool is_numeric(const char *text)
{
    struct in6_addr address;
    char figures[INET6_ADDRSTRLEN];
    size_t size = strcspn(text, "%");
    bool scoped = text[size] != '\0';

    if (size >= sizeof figures || strlen(text) >= ADDRESS_MAX || (scoped && !text[size + 1]))
        return false;
    memcpy(figures, text, size);
    figures[size] = '\0';
    return inet_pton(AF_INET6, figures, &address) == 1 ||
           (!scoped && inet_pton(AF_INET, figures, &address) == 1);
}

static int refuse(struct error *err, const char *text, const char *why)
{
    char shown[JSON_SHOWN_MAX];

    return error_set(err, ERROR_INPUT, NULL, "%s %s", json_show_text(text, shown), why);
}

static int check_mgmt(const char *text, struct error *err)
{
    struct endpoint endpoint;
    int failed = endpoint_parse(text, &endpoint, err);

    if (failed)
        return failed;
    if (!endpoint.host[0])
        return refuse(err, text, "has no host in front of its port");
    if (endpoint.port == 0)
        return refuse(err, text, "has port 0, where no agent can be");
    return 0;
}

static int check_host(const char *text, struct error *err)
{
    if (strchr(text, ' '))
        return refuse(err, text, "has blanks");
    if (strchr(text, ':') && !is_numeric(text))
        return refuse(err, text,
                      "is neither a name nor an address: brackets and port do not "
                      "belong here");
    return 0;
}

static int check_bind(const char *text, struct error *err)
{
    if (strcmp(text, "any") != 0 && !is_numeric(text))
        return refuse(err, text, "is neither \"any\" nor an address in figures");
    return 0;
}

static int check_device(const char *text, struct error *err)
{
    if (strpbrk(text, " /:") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return refuse(err, text, "cannot be the name of a network interface");
    return 0;
}

static int check_ccalg(const char *text, struct error *err)
{
    if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")])
        return refuse(err, text, "cannot be the name of a congestion control");
    return 0;
}

/* The keys */

#define FLOW(field) offsetof(struct scenario_flow, field)
#define HOST(field) offsetof(struct scenario_host, field)
#define TOP(field)  offsetof(struct scenario, field)

#define RIGHT_BOOLEAN "true or false, without quotes"
#define RIGHT_SIZE    "a number of bytes from 1 to 16777216, such as 50000"

static const struct json_key flow_keys[] = {
    {.name = "id",
     .type = KEY_INTEGER,
     .required = true,
     .place = FLOW(id),
     .has = FLOW(has_id),
     .min = INT32_MIN,
     .max = INT32_MAX,
     .right = "a whole number of the flow's own, from -2147483648 to 2147483647"},
    {.name = "src",
     .type = KEY_TEXT,
     .required = true,
     .place = FLOW(src),
     .min = 1,
     .max = SCENARIO_NAME_MAX,
     .right = "the name of the host that opens the connection and sends"},
    {.name = "dst",
     .type = KEY_TEXT,
     .required = true,
     .place = FLOW(dst),
     .min = 1,
     .max = SCENARIO_NAME_MAX,
     .right = "the name of the host that accepts the connection and receives"},
    {.name = "duration",
     .type = KEY_DURATION,
     .required = true,
     .place = FLOW(duration_ns),
     .has = FLOW(has_duration),
     .min = 1,
     .max = SCENARIO_TIME_MAX,
     .right = "a duration of more than 0 and up to 366 days, such as \"10s\" or \"1m30s\""},
    {.name = "start",
     .type = KEY_DURATION,
     .place = FLOW(start_ns),
     .max = SCENARIO_TIME_MAX,
     .right = "a duration of 0 or more and up to 366 days, such as \"0s\" or \"1.5s\""},
    {.name = "ccalg",
     .type = KEY_TEXT,
     .place = FLOW(ccalg),
     .min = 0,
     .max = CCALG_MAX - 1,
     .rule = check_ccalg,
     .right = "up to 15 of a-z, 0-9, '_' and '-', such as \"cubic\"; empty or left out: the "
              "host's default"},
    {.name = "ecn", .type = KEY_BOOLEAN, .place = FLOW(ecn), .right = RIGHT_BOOLEAN},
    {.name = "nodelay", .type = KEY_BOOLEAN, .place = FLOW(nodelay), .right = RIGHT_BOOLEAN},
    {.name = "connect",
     .type = KEY_CHOICE,
     .place = FLOW(connect),
     .choices = scenario_connect_words,
     .right = "\"ahead\" or \"at_start\""},
    {.name = "end",
     .type = KEY_CHOICE,
     .place = FLOW(finish),
     .choices = scenario_finish_words,
     .right = "\"drain\" or \"abort\""},
};

static const struct json_key host_keys[] = {
    {.name = "mgmt",
     .type = KEY_TEXT,
     .required = true,
     .place = HOST(mgmt),
     .min = 1,
     .max = MGMT_TEXT_MAX,
     .rule = check_mgmt,
     .right = "HOST:PORT of the host's agent, such as \"10.0.0.1:8840\""},
    {.name = "host",
     .type = KEY_TEXT,
     .required = true,
     .place = HOST(host),
     .min = 1,
     .max = HOST_TEXT_MAX,
     .rule = check_host,
     .right = "the address or name that test traffic goes to, such as \"10.0.1.1\""},
    {.name = "bind",
     .type = KEY_TEXT,
     .place = HOST(bind),
     .min = 1,
     .max = ADDRESS_MAX - 1,
     .rule = check_bind,
     .right = "\"any\" or an address such as \"192.168.0.10\", or leave it out to bind to host"},
    {.name = "device",
     .type = KEY_TEXT,
     .place = HOST(device),
     .min = 1,
     .max = DEVICE_MAX - 1,
     .rule = check_device,
     .right = "the name of an interface, such as \"eth1\": 1 to 15 bytes, no blank, '/' or ':'"},
};

/* "hosts" and "flows" */

static void report_count(struct json_reader *reader, const char *where, size_t count, int limit)
{
    struct error err = {0};

    error_set(&err, ERROR_INPUT, where, "there are %zu of them, more than %d", count, limit);
    error_cure(&err, "split the scenario");
    json_report(reader, &err);
}

static bool check_host_name(struct json_reader *reader, const char *name)
{
    struct error err = {0};
    size_t size = strlen(name);

    if (size >= 1 && size <= SCENARIO_NAME_MAX && !json_has_control(name))
        return true;
    refuse(&err, name, "cannot be a host's name");
    error_where(&err, "hosts");
    error_cure(&err, "write 1 to %d bytes without control characters", SCENARIO_NAME_MAX);
    json_report(reader, &err);
    return false;
}

static void read_hosts(struct json_reader *reader, json_t *object, void *target)
{
    struct scenario *scenario = target;
    size_t count = json_object_size(object);
    const char *name;
    json_t *value;

    if (count > SCENARIO_HOSTS_MAX) {
        report_count(reader, "hosts", count, SCENARIO_HOSTS_MAX);
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
            json_read_object(reader, host_keys, COUNT_OF(host_keys), where, where, value, host);
    }
}

static void read_flows(struct json_reader *reader, json_t *array, void *target)
{
    struct scenario *scenario = target;
    size_t count = json_array_size(array);

    if (count > SCENARIO_FLOWS_MAX) {
        report_count(reader, "flows", count, SCENARIO_FLOWS_MAX);
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
            json_read_object(reader, flow_keys, COUNT_OF(flow_keys), where, where, value,
                             &scenario->flows[i]);
    }
}

static const struct json_key top_keys[] = {
    {.name = "label",
     .type = KEY_TEXT,
     .place = TOP(label),
     .max = LABEL_MAX,
     .right = "a text of up to 200 bytes"},
    {.name = "interval",
     .type = KEY_DURATION,
     .place = TOP(interval_ns),
     .min = INTERVAL_MIN_NS,
     .max = SCENARIO_TIME_MAX,
     .right = "a duration of 1ms or more, such as \"250ms\""},
    {.name = "read_size",
     .type = KEY_INTEGER,
     .place = TOP(read_size),
     .min = 1,
     .max = IO_SIZE_MAX,
     .right = RIGHT_SIZE},
    {.name = "write_size",
     .type = KEY_INTEGER,
     .place = TOP(write_size),
     .min = 1,
     .max = IO_SIZE_MAX,
     .right = RIGHT_SIZE},
    {.name = "hosts",
     .type = KEY_OBJECT,
     .required = true,
     .read = read_hosts,
     .right = "\"hosts\": {\"A\": {\"mgmt\": \"10.0.0.1:8840\", \"host\": \"10.0.1.1\"}}"},
    {.name = "flows",
     .type = KEY_ARRAY,
     .required = true,
     .read = read_flows,
     .right = "\"flows\": [{\"id\": 0, \"src\": \"A\", \"dst\": \"B\", \"duration\": \"10s\"}]"},
};

/* The file */

static void report_broken(struct json_reader *reader, const char *name, const json_error_t *broken)
{
    struct error err = {0};
    char text[JSON_ERROR_TEXT_LENGTH];

    if (json_error_code(broken) == json_error_out_of_memory) {
        reader->no_memory = true;
        return;
    }
    size_t size = strnlen(broken->text, sizeof text - 1);

    memcpy(text, broken->text, size);
    for (size_t i = 0; i < size; i++) { /* it quotes the file */
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
    }
    text[size] = '\0';
    if (json_error_code(broken) == json_error_null_character)
        snprintf(text, sizeof text, "a text has the character \\u0000, which stands for nothing");
    error_set(&err, ERROR_INPUT, name, "line %d, column %d: this cannot be read as JSON: %s",
              broken->line, broken->column, text);
    json_report(reader, &err);
}

/* A mark that some editors put at the beginning of UTF-8. */
static size_t byte_order_mark(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* Whether scenario->text is a JSON object: then what it says is read, else that is reported. */
static bool read_scenario(struct json_reader *reader, struct scenario *scenario, size_t size,
                          const char *name)
{
    json_error_t error;
    size_t skip = byte_order_mark(scenario->text, size);
    json_t *root = json_loadb(scenario->text + skip, size - skip, JSON_REJECT_DUPLICATES, &error);

    if (!root) {
        report_broken(reader, name, &error);
        return false;
    }
    bool is_object = json_expect_object(reader, name, root);
    if (is_object) {
        json_read_object(reader, top_keys, COUNT_OF(top_keys), "", name, root, scenario);
        scenario->bad_hosts |= !scenario->hosts;
        scenario->bad_flows |= !scenario->flows;
    }
    json_decref(root);
    return is_object;
}

static struct scenario *create_scenario(const char *text, size_t size)
{
    struct scenario *scenario = calloc(1, sizeof *scenario);

    if (!scenario)
        return NULL;
    scenario->text = malloc(size + 1);
    if (!scenario->text) {
        free(scenario);
        return NULL;
    }
    if (size > 0)
        memcpy(scenario->text, text, size);
    scenario->text[size] = '\0';
    return scenario;
}

struct scenario *scenario_parse(const char *text, size_t size, const char *name,
                                struct error_list *errors)
{
    struct json_reader reader = {.errors = errors};
    struct scenario *scenario = create_scenario(text, size);
    bool read = scenario && read_scenario(&reader, scenario, size, name);

    if (!scenario || reader.no_memory) {
        struct error err = {0};
        error_set(&err, ERROR_SYSTEM, name, "out of memory");
        error_list_add(errors, &err);
    } else if (read) {
        return scenario;
    }
    scenario_free(scenario);
    return NULL;
}

static int read_all(int fd, const char *name, struct buffer *out, struct error *err)
{
    ssize_t got;

    do {
        uint8_t *place = buffer_reserve(out, READ_PIECE);
        if (!place)
            return error_set(err, ERROR_SYSTEM, name, "out of memory");
        got = read(fd, place, READ_PIECE);
        if (got > 0)
            out->size += (size_t)got;
        if (out->size > FILE_MAX)
            return error_set(err, ERROR_INPUT, name, "the file has more than 64 MiB");
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        return error_set_errno(err, ERROR_INPUT, errno, name, "the file cannot be read");
    return 0;
}

struct scenario *scenario_load(const char *path, struct error_list *errors)
{
    bool standard_input = strcmp(path, "-") == 0;
    const char *name = standard_input ? "standard input" : path;
    CLEANUP_CLOSE int opened = standard_input ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(buffer_fini) struct buffer text = {0};
    struct error err = {0};

    if (!standard_input && opened < 0) {
        error_set_errno(&err, ERROR_INPUT, errno, name, "the file cannot be opened");
        error_cure(&err, "name a scenario file that you may read");
        error_list_add(errors, &err);
        return NULL;
    }
    if (read_all(standard_input ? STDIN_FILENO : opened, name, &text, &err) < 0) {
        error_list_add(errors, &err);
        return NULL;
    }
    return scenario_parse((const char *)text.data, text.size, name, errors);
}
