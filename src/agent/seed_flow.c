#include "agent/seed_flow.h"

#include <stdio.h>
#include <stdlib.h>

#include "format/seed_row.h"
#include "model/goodput.h"
#include "util/clock.h"
#include "util/log.h"

#define ROWS_FIRST  64
#define ROWS_MAX    8192             /* an even number */
#define PATIENCE_NS (600 * NS_PER_S) /* for a connection, behind the flow's start */
#define LINGER_NS   (3 * NS_PER_S)   /* its peer may still drain */

/* ---- samples ---- */

static bool grow(struct seed_flow *flow)
{
    const size_t capacity = flow->row_capacity ? 2 * flow->row_capacity : ROWS_FIRST;
    if (capacity > ROWS_MAX)
        return false;
    Tcpflowgen__TCPInfo *rows = realloc(flow->rows, capacity * sizeof *rows);
    if (!rows)
        return false;
    flow->rows = rows;
    flow->row_capacity = capacity;
    return true;
}

/* Memory is bounded, time is not: from now on every second of them. */
static void thin_out(struct seed_flow *flow)
{
    for (size_t i = 0; 2 * i < flow->row_count; i++)
        flow->rows[i] = flow->rows[2 * i];
    flow->row_count /= 2;
    flow->stride *= 2;
}

static void add_row(struct seed_flow *flow, const struct sample *sample)
{
    const bool on_tick = sample->tick != SAMPLE_OFF_TICK;
    if (on_tick && flow->ticks++ % flow->stride)
        return;
    if (flow->row_count == flow->row_capacity && !grow(flow))
        thin_out(flow);
    if (flow->row_count < flow->row_capacity)
        seed_row_from_sample(&flow->rows[flow->row_count++], sample, flow->begin_ns);
}

/* ---- life ---- */

static void conclude(struct seed_flow *flow, const struct end_report *report)
{
    flow->report = *report;
    flow->over = true;
    flow->over_ns = clock_now();
    /* That the peer closed a little early, by this end's clock, is nothing to speak of. */
    const bool harmless = flow->end == END_DST && seed_flow_connected(flow);
    if (report->status == END_FAILED && !harmless)
        log_warning("flow %d: %s", flow->id, report->error);
}

static int begin(struct seed_flow *flow, int64_t begin_ns, struct error *err)
{
    const struct axis axis = {.local_ns = begin_ns};
    flow->begin_ns = begin_ns;
    flow->begun = true;
    return engine_start(flow->engine, &axis, err);
}

static void on_item(void *arg, const struct engine_item *item)
{
    struct seed_flow *flow = arg;
    switch (item->kind) {
    case ENGINE_READY:
        if (!flow->begun)
            begin(flow, item->t_ns, NULL);
        break;
    case ENGINE_SAMPLE:
        add_row(flow, item->sample);
        break;
    case ENGINE_REPORT:
        conclude(flow, item->report);
        break;
    case ENGINE_PACKETS: /* its masters cannot ask for a capture */
    case ENGINE_CAPTURED:
        break;
    }
}

int seed_flow_wait_fd(const struct seed_flow *flow)
{
    return engine_wait_fd(flow->engine);
}

void seed_flow_take(struct seed_flow *flow)
{
    if (flow->engine)
        engine_take(flow->engine, on_item, flow);
}

static void let_go(struct seed_flow *flow)
{
    engine_destroy(flow->engine);
    flow->engine = NULL;
}

void seed_flow_look_after(struct seed_flow *flow, int64_t now_ns)
{
    if (flow->over && flow->engine && now_ns - flow->over_ns >= LINGER_NS)
        let_go(flow);
    if (flow->begun || flow->over || now_ns < flow->give_up_ns)
        return;
    const struct end_report report = {
        .end = flow->end, .status = END_FAILED, .error = "no connection came"};
    let_go(flow);
    conclude(flow, &report);
}

static int prepare(struct seed_flow *flow, const struct end_spec *spec, uint16_t *port,
                   struct error *err)
{
    struct end_ready answer;
    const int failed = engine_prepare(flow->engine, spec, 1, &answer, err);
    if (failed)
        return failed;
    if (answer.error[0])
        return error_set(err, ERROR_FLOW, NULL, "%s", answer.error);
    *port = answer.port;
    return 0;
}

int seed_flow_init(struct seed_flow *flow, const struct end_spec *spec, int64_t begin_ns,
                   const struct agent_options *options, uint16_t *port, struct error *err)
{
    const struct engine_options engine_options = {
        .workers = 1,
        .unpinned = true,
        .port_first = options->data_port_first,
        .port_last = options->data_port_last,
        .interval_ns = options->interval_ns,
        .read_size = options->read_size,
        .write_size = options->write_size,
        .run = "of an earlier master",
        .guarded = true,
    };
    *flow = (struct seed_flow){
        .id = spec->id, .end = spec->end, .stride = 1, .give_up_ns = begin_ns + PATIENCE_NS};
    int failed = engine_create(&flow->engine, &engine_options, err);
    if (!failed)
        failed = prepare(flow, spec, port, err);
    if (!failed && spec->end == END_SRC)
        failed = begin(flow, begin_ns, err);
    if (failed)
        seed_flow_fini(flow);
    return failed;
}

bool seed_flow_connected(const struct seed_flow *flow)
{
    return flow->report.times & 1u << T_CONNECTED;
}

double seed_flow_kbps(const struct seed_flow *flow)
{
    const bool counted = flow->over && flow->report.times & 1u << T_STOP;
    if (!counted || flow->report.at[T_STOP] <= flow->begin_ns)
        return 0;
    return goodput_between(flow->report.payload_bytes_stop, flow->begin_ns,
                           flow->report.at[T_STOP]) /
           1000;
}

void seed_flow_fini(struct seed_flow *flow)
{
    let_go(flow);
    free(flow->rows);
    flow->rows = NULL;
}
