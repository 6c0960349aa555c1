/* The plan as a table for people, and as JSON for programs. */
#include "report/plan_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "format/json_print.h"
#include "report/table.h"
#include "report/tuning_json.h"
#include "util/duration.h"
#include "util/error.h"
#include "util/text.h"
#include "util/units.h"

/* Text. */

#define LABEL_QUOTED 208 /* scenarios allow 200 bytes */

static void fill_host(const void *of, size_t index, struct table_row *row)
{
    const struct plan *plan = of;
    const struct plan_host *host = &plan->hosts[index];
    const char *cells[] = {host->name,
                           host->mgmt,
                           host->host,
                           host->bind[0] ? host->bind : host->host,
                           host->device[0] ? host->device : "-",
                           host->sample ? "yes" : "-",
                           host->interfaces[0] ? host->interfaces : "-"};

    memcpy(row->cells, cells, sizeof cells);
}

#define HOST_COLUMNS \
    5 /* and two more where a host says more than its flows do of what is sampled */

static size_t host_columns(const struct plan *plan)
{
    for (size_t i = 0; i < plan->host_count; i++)
        if (plan->hosts[i].sample || plan->hosts[i].interfaces[0])
            return HOST_COLUMNS + 2;
    return HOST_COLUMNS;
}

/* What a flow has of the options, a blank between; "-": none. */
struct options {
    char *text;
    size_t used;
};

static void add_option(struct options *options, const char *name, const char *value)
{
    const size_t room = TABLE_CELL_MAX - options->used;
    const int size = snprintf(options->text + options->used, room, "%s%s%s%s",
                              options->used ? " " : "", name, *value ? "=" : "", value);

    options->used += (size_t)size < room ? (size_t)size : room - 1;
}

static void add_rate(struct options *options, const char *name, uint64_t rate)
{
    char text[UNITS_TEXT_MAX];

    if (rate)
        add_option(options, name, units_exact_rate(rate, text));
}

static void add_number(struct options *options, const char *name, uint32_t number)
{
    char text[UNITS_TEXT_MAX];

    snprintf(text, sizeof text, "%" PRIu32, number);
    if (number)
        add_option(options, name, text);
}

static const char *list_options(const struct plan_flow *flow, struct table_row *row, size_t cell)
{
    const struct tuning *tuning = &flow->tuning;
    struct options options = {.text = row->room[cell]};

    if (flow->ecn)
        add_option(&options, "ecn", "");
    if (flow->nodelay)
        add_option(&options, "nodelay", "");
    add_rate(&options, "send_rate", tuning->send_rate);
    add_rate(&options, "read_rate", tuning->read_rate);
    add_rate(&options, "pacing_rate", tuning->pacing_rate);
    add_number(&options, "send_buffer", tuning->send_buffer);
    add_number(&options, "receive_buffer", tuning->receive_buffer);
    add_number(&options, "mss", tuning->mss);
    if (flow->capture)
        add_option(&options, "capture", scenario_capture_words[flow->capture]);
    if (flow->label[0]) {
        char quoted[LABEL_QUOTED];
        snprintf(quoted, sizeof quoted, "\"%s\"", flow->label);
        add_option(&options, "label", quoted);
    }
    if (!options.used)
        add_option(&options, "-", "");
    return options.text;
}

static void fill_flow(const void *of, size_t index, struct table_row *row)
{
    const struct plan *plan = of;
    const struct plan_flow *flow = &plan->flows[index];

    snprintf(row->room[0], TABLE_CELL_MAX, "%" PRId32, flow->id);
    const char *cells[] = {row->room[0],
                           plan->hosts[flow->src].name,
                           plan->hosts[flow->dst].name,
                           duration_format(flow->start_ns, row->room[3]),
                           duration_format(flow->duration_ns, row->room[4]),
                           flow->ccalg[0] ? flow->ccalg : "default",
                           scenario_connect_words[flow->connect],
                           scenario_finish_words[flow->finish],
                           list_options(flow, row, 8)};
    memcpy(row->cells, cells, sizeof cells);
}

static void print_settings(const struct plan *plan, FILE *out)
{
    char text[DURATION_TEXT_MAX];

    if (plan->label[0]) {
        fprintf(out, "label       ");
        text_print(out, plan->label, strlen(plan->label));
        fprintf(out, "\n");
    }
    if (plan->interval_ns)
        fprintf(out, "interval    %s\n", duration_format(plan->interval_ns, text));
    if (plan->read_size)
        fprintf(out, "read size   %" PRIu32 " bytes\n", plan->read_size);
    if (plan->write_size)
        fprintf(out, "write size  %" PRIu32 " bytes\n", plan->write_size);
    if (plan->label[0] || plan->interval_ns || plan->read_size || plan->write_size)
        fprintf(out, "\n");
}

void plan_text(const struct plan *plan, FILE *out)
{
    const struct table hosts = {
        .rows = plan->host_count,
        .columns = host_columns(plan),
        .head = {"host", "mgmt", "address", "bind", "device", "sample", "interfaces"},
        .fill = fill_host,
        .of = plan};
    const struct table flows = {
        .rows = plan->flow_count,
        .columns = 9,
        .head = {"flow", "src", "dst", "start", "duration", "ccalg", "connect", "end", "options"},
        .rank = {[6] = 1, [7] = 1},
        .fill = fill_flow,
        .of = plan};
    char end[DURATION_TEXT_MAX];

    print_settings(plan, out);
    table_print(&hosts, out);
    fprintf(out, "\n");
    table_print(&flows, out);
    fprintf(out, "\n%zu host%s, %zu flow%s, over %s after the start of the run\n", plan->host_count,
            plan->host_count == 1 ? "" : "s", plan->flow_count, plan->flow_count == 1 ? "" : "s",
            duration_format(plan->end_ns, end));
}

/* JSON.  json_pack() with "o" takes its values over, also when it fails. */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *hosts_json(const struct plan *plan)
{
    json_t *hosts = json_object();

    for (size_t i = 0; i < plan->host_count; i++) {
        const struct plan_host *host = &plan->hosts[i];
        json_t *value =
            json_pack("{s:s, s:s, s:o, s:o, s:b, s:o}", "mgmt", host->mgmt, "host", host->host,
                      "bind", text_or_null(host->bind), "device", text_or_null(host->device),
                      "sample", (int)host->sample, "interfaces", text_or_null(host->interfaces));
        if (json_object_set_new(hosts, host->name, value) < 0) {
            json_decref(hosts);
            return NULL;
        }
    }
    return hosts;
}

static json_t *flow_json(const struct plan *plan, const struct plan_flow *flow)
{
    json_t *json = json_pack(
        "{s:i, s:o, s:s, s:s, s:I, s:I, s:o, s:b, s:b, s:s, s:s, s:s}", "id", (int)flow->id,
        "label", text_or_null(flow->label), "src", plan->hosts[flow->src].name, "dst",
        plan->hosts[flow->dst].name, "start_ns", (json_int_t)flow->start_ns, "duration_ns",
        (json_int_t)flow->duration_ns, "ccalg", text_or_null(flow->ccalg), "ecn", (int)flow->ecn,
        "nodelay", (int)flow->nodelay, "connect", scenario_connect_words[flow->connect], "end",
        scenario_finish_words[flow->finish], "capture", scenario_capture_words[flow->capture]);
    if (json_object_update_new(json, tuning_json(&flow->tuning)) == 0)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *flows_json(const struct plan *plan)
{
    json_t *flows = json_array();

    for (size_t i = 0; i < plan->flow_count; i++) {
        if (json_array_append_new(flows, flow_json(plan, &plan->flows[i])) < 0) {
            json_decref(flows);
            return NULL;
        }
    }
    return flows;
}

int plan_json(const struct plan *plan, FILE *out, struct error *err)
{
    json_t *interval = plan->interval_ns ? json_integer(plan->interval_ns) : json_null();
    json_t *root = json_pack("{s:o, s:o, s:I, s:o, s:o}", "label", text_or_null(plan->label),
                             "interval_ns", interval, "end_ns", (json_int_t)plan->end_ns, "hosts",
                             hosts_json(plan), "flows", flows_json(plan));

    return json_print(root, JSON_INDENT(2), out, err);
}
