#include "rig.h"
#include "model/ledger.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

void rig_sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void on_sample(struct heard *heard, const struct sample *sample)
{
    heard->samples++;
    heard->last = *sample;
    if (sample->tick == SAMPLE_OFF_TICK)
        return;
    if (heard->on_ticks++ && sample->tick <= heard->last_tick)
        heard->disorder = true;
    heard->last_tick = sample->tick;
}

static void on_item(void *arg, const struct engine_item *item)
{
    struct rig *rig = arg;
    struct heard *heard = &rig->heard[item->flow][item->end];
    if (heard->reports)
        heard->disorder = true;
    switch (item->kind) {
    case ENGINE_READY:
        heard->disorder |= heard->samples > 0;
        heard->ready++;
        rig->ready++;
        break;
    case ENGINE_SAMPLE:
        heard->disorder |= heard->ready != 1;
        on_sample(heard, item->sample);
        break;
    case ENGINE_REPORT:
        heard->report = *item->report;
        heard->reports++;
        rig->reports++;
        break;
    case ENGINE_PACKETS:
    case ENGINE_CAPTURED:
        break;
    }
}

static void *record(void *arg)
{
    struct rig *rig = arg;
    while (!rig->quit) {
        struct pollfd pollfd = {.fd = engine_wait_fd(rig->engine), .events = POLLIN};
        poll(&pollfd, 1, 20);
        if (!rig->deaf)
            engine_take(rig->engine, on_item, rig);
    }
    engine_take(rig->engine, on_item, rig);
    return NULL;
}

struct engine_options rig_options(void)
{
    return (struct engine_options){
        .workers = 2, .interval_ns = 10 * NS_PER_MS, .lead_ns = LEAD_NS, .run = "test"};
}

struct rig *rig_open(const struct engine_options *options)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    const struct engine_options usual = rig_options();
    struct error err = {0};
    char text[512];
    if (engine_create(&rig->engine, options ? options : &usual, &err) < 0)
        fail_msg("%s", error_text(&err, text, sizeof text));
    assert_int_equal(pthread_create(&rig->recorder, NULL, record, rig), 0);
    return rig;
}

void rig_close(struct rig *rig)
{
    if (!rig->engine)
        return;
    rig->quit = true;
    pthread_join(rig->recorder, NULL);
    engine_destroy(rig->engine);
    rig->engine = NULL;
}

void rig_free(struct rig *rig)
{
    rig_close(rig);
    free(rig);
}

struct end_spec rig_flow(uint32_t flow)
{
    struct end_spec spec = {
        .flow = flow,
        .id = (int32_t)flow,
        .end = END_SRC,
        .source = true,
        .duration_ns = 100 * NS_PER_MS,
        .local_address = "127.0.0.1",
        .peer_address = "127.0.0.1",
        .ccalg = "cubic",
    };
    snprintf((char *)spec.token, sizeof spec.token, "token %u", flow);
    return spec;
}

struct end_spec rig_peer_of(const struct end_spec *src)
{
    struct end_spec spec = *src;
    spec.end = END_DST;
    spec.source = src->sink;
    spec.sink = src->source;
    memcpy(spec.local_address, src->peer_address, ADDRESS_MAX);
    memcpy(spec.peer_address, src->local_address, ADDRESS_MAX);
    return spec;
}

uint16_t rig_prepare(struct rig *rig, const struct end_spec *spec)
{
    struct end_ready answer;
    struct error err = {0};
    assert_int_equal(engine_prepare(rig->engine, spec, 1, &answer, &err), 0);
    assert_string_equal(answer.error, "");
    assert_int_equal(answer.flow, spec->flow);
    assert_int_equal(answer.end, spec->end);
    return answer.port;
}

void rig_prepare_flow(struct rig *src, struct rig *dst, struct end_spec *spec)
{
    const struct end_spec peer = rig_peer_of(spec);
    spec->peer_port = rig_prepare(dst, &peer);
    assert_int_not_equal(spec->peer_port, 0);
    rig_prepare(src, spec);
}

void rig_refused(struct rig *rig, const struct end_spec *spec, const char *part)
{
    struct end_ready answer;
    struct error err = {0};
    assert_int_equal(engine_prepare(rig->engine, spec, 1, &answer, &err), 0);
    if (!strstr(answer.error, part))
        fail_msg("\"%s\" does not speak of \"%s\"", answer.error, part);
}

void rig_start(struct rig *rig, int64_t in_ns)
{
    const struct axis axis = {.local_ns = clock_now() + in_ns};
    struct error err = {0};
    assert_int_equal(engine_start(rig->engine, &axis, &err), 0);
}

static void wait_for(const atomic_uint *counter, unsigned count)
{
    for (int i = 0; *counter < count; i++) {
        if (i == 3000)
            fail_msg("%u instead of %u after 15 s", *counter, count);
        rig_sleep_ms(5);
    }
}

void rig_wait_reports(struct rig *rig, unsigned count)
{
    wait_for(&rig->reports, count);
}

void rig_wait_ready(struct rig *rig, unsigned count)
{
    wait_for(&rig->ready, count);
}

static void check_not_differing(const struct end_report *source, const struct end_report *sink)
{
    struct ledger ledger;
    ledger_build(&ledger, source, sink);
    if (ledger.state == LEDGER_DIFFERS)
        fail_msg("%s", ledger.why);
}

const struct end_report *rig_report(const struct rig *rig, uint32_t flow, enum flow_end end)
{
    const struct heard *heard = &rig->heard[flow][end];
    const struct end_report *report = &heard->report;
    assert_int_equal(heard->reports, 1);
    assert_false(heard->disorder);
    assert_int_equal(report->flow, flow);
    assert_int_equal(report->end, end);
    assert_int_equal(report->samples_taken, heard->on_ticks);
    assert_int_equal(report->samples_expected, report->samples_taken + report->samples_missed);
    assert_int_equal(lateness_count(report->lateness), report->samples_taken);
    assert_true(report->times & 1u << T_CLOSED);
    if (heard->ready) /* every end that was connected has one sample off the ticks, the last */
        assert_int_equal(heard->last.tick, SAMPLE_OFF_TICK);
    assert_int_equal(heard->samples, heard->on_ticks + heard->ready);
    check_not_differing(report, NULL);
    check_not_differing(NULL, report);
    return report;
}

static uint64_t counter(const struct rig *rig, uint32_t flow, enum flow_end end,
                        enum tcp_field field)
{
    const struct sample *last = &rig->heard[flow][end].last;
    return (uint64_t)tcp_field_get(last->info, last->info_length, field);
}

void rig_check_complete(const struct rig *src, const struct rig *dst, uint32_t flow)
{
    const struct end_report *sent = rig_report(src, flow, END_SRC);
    const struct end_report *received = rig_report(dst, flow, END_DST);
    assert_string_equal(sent->error, "");
    assert_string_equal(received->error, "");
    assert_int_equal(sent->status, END_COMPLETE);
    assert_int_equal(received->status, END_COMPLETE);
    assert_int_not_equal(sent->payload_bytes, 0);
    assert_int_equal(sent->payload_bytes, received->payload_bytes);
    assert_true(sent->payload_bytes_stop <= sent->payload_bytes);
    assert_true(received->payload_bytes_stop <= received->payload_bytes);
    const uint32_t preamble = sent->preamble_bytes;
    assert_int_equal(received->preamble_bytes, preamble);
    /* SYN, token, payload, FIN; the accepting end sees no SYN. */
    assert_int_equal(counter(src, flow, END_SRC, TCP_bytes_acked),
                     1 + preamble + sent->payload_bytes + 1);
    assert_int_equal(counter(dst, flow, END_DST, TCP_bytes_received),
                     preamble + sent->payload_bytes + 1);
    rig_check_ledgers(src, dst);
    for (unsigned time = 0; time < END_TIMES; time++) {
        assert_true(sent->times & 1u << time);
        assert_int_equal(received->times >> time & 1, time < T_FIRST_LEFT);
    }
}

static void check_ledger(const struct end_report *source, const struct end_report *sink)
{
    struct ledger ledger;
    ledger_build(&ledger, source, sink);
    if (ledger.state != LEDGER_RECONCILES)
        fail_msg("flow %u: %s", source->flow, ledger.why);
}

void rig_check_ledgers(const struct rig *src, const struct rig *dst)
{
    for (uint32_t flow = 0; flow < RIG_FLOWS; flow++) {
        if (!src->heard[flow][END_SRC].reports || !dst->heard[flow][END_DST].reports)
            continue;
        check_ledger(&src->heard[flow][END_SRC].report, &dst->heard[flow][END_DST].report);
        check_ledger(&dst->heard[flow][END_DST].report, &src->heard[flow][END_SRC].report);
    }
}
