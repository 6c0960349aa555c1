/* Figures that no kernel counts, as an agent that means ill would tell them: whatever they are, a
 * result is written and read, and no arithmetic overflows (which sanitizers would tell). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include "format/results_writer.h"
#include "report/summary.h"

#define TEXT(text) ((char[]){text}) /* the model owns its texts, so they are not const */
#define ROUNDS     200
#define ROWS       3

struct source {
    struct series series;
    bool given[2];
};

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return random_state >> 33;
}

static int64_t extreme(void)
{
    static const int64_t values[] = {INT64_MIN, INT64_MIN + 1, -1,         0,
                                     1,         1000000000,    INT64_MAX,  INT64_MAX - 1,
                                     INT32_MAX, INT32_MIN,     UINT32_MAX, INT64_C(1) << 53};
    return values[next_random() % (sizeof values / sizeof values[0])];
}

/* As record_check() lets it in. */
static int64_t extreme_of(enum tcp_field field)
{
    const struct tcp_field_info *info = tcp_field_info(field);
    const unsigned bits = info->bits ? info->bits : 8u * info->bytes;
    return (int64_t)((uint64_t)extreme() & (UINT64_MAX >> (64 - bits)));
}

static void fill_words(void *to, size_t size)
{
    for (size_t at = 0; at + sizeof(int64_t) <= size; at += sizeof(int64_t)) {
        const int64_t value = extreme();
        memcpy((char *)to + at, &value, sizeof value);
    }
}

static struct end_report make_report(enum flow_end end)
{
    struct end_report report = {
        .end = end,
        .status = (enum end_status)(next_random() % (END_FAILED + 1)),
        .local_address = "192.0.2.1",
        .local_port = (uint16_t)extreme(),
        .times = (1u << END_TIMES) - 1,
        .payload_bytes = (uint64_t)extreme(),
        .payload_bytes_stop = (uint64_t)extreme(),
        .samples_expected = (uint64_t)extreme(),
        .samples_taken = (uint64_t)extreme(),
        .samples_missed = (uint64_t)extreme(),
        .lateness_max_ns = extreme(),
        .pacing_rate = (uint64_t)extreme(),
        .paced_bytes = (uint64_t)extreme(),
        .skipped_bytes = (uint64_t)extreme(),
        .preamble_bytes = (uint32_t)extreme(),
        .token_bytes = (uint32_t)extreme(),
        .send_buffer = (uint32_t)extreme(),
        .receive_buffer = (uint32_t)extreme(),
        .mss = (uint32_t)extreme(),
        .cpu = (int)extreme(),
        .shut = next_random() & 1,
    };
    fill_words(report.at, sizeof report.at);
    fill_words(report.reading, sizeof report.reading);
    fill_words(report.lateness, sizeof report.lateness);
    for (int i = 0; i < READINGS; i++)
        report.reading[i].info_length = TCP_INFO_SIZE;
    return report;
}

static struct flow_result make_flow(void)
{
    const struct clock_fit fit = {.offset_ns = extreme(), .reference_ns = extreme(), .rate = 1e-4};
    struct flow_result flow = {.src = "A",
                               .dst = "B",
                               .dst_host = 1,
                               .duration_ns = 1000000000,
                               .has_report = {true, true}};
    for (int end = 0; end < 2; end++) {
        flow.report[end] = make_report((enum flow_end)end);
        end_report_to_axis(&flow.report[end], &fit, extreme());
    }
    flow_result_judge(&flow);
    flow_result_account(&flow);
    return flow;
}

static int give(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    struct source *source = arg;
    struct series *series = &source->series;
    (void)err;
    if (source->given[end])
        return 0;
    source->given[end] = true;
    for (size_t row = 0; row < ROWS; row++) {
        series->tick[row] = extreme();
        series->t_ns[row] = extreme() / 2;
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            series->field[f][row] = extreme_of((enum tcp_field)f);
    }
    *piece = series;
    return 1;
}

static void fill_host(struct run_agent *agent)
{
    int64_t row[HOST_FIELD_COUNT + INTERFACE_FIELD_COUNT];
    agent->host.interface_count = 1;
    strcpy(agent->host.interfaces[0].name, "eth0");
    strcpy(agent->host.interfaces[0].qdisc, "fq");
    for (int i = 0; i < ROWS; i++) {
        fill_words(row, sizeof row);
        assert_int_equal(host_series_add(&agent->host, row, ROWS), 0);
    }
}

static void write_result(const char *path)
{
    struct run_host hosts[] = {{.name = TEXT("A")}, {.name = TEXT("B"), .agent = 1}};
    struct run_agent agents[] = {{.mgmt = TEXT("a:1")}, {.mgmt = TEXT("b:1")}};
    const struct run_info run = {
        .id = TEXT("0123"), .hosts = hosts, .host_count = 2, .agents = agents, .agent_count = 2};
    struct results_writer *writer;
    struct source source = {.series.info_length = TCP_INFO_SIZE};
    const struct flow_result flow = make_flow();
    assert_int_equal(series_reserve(&source.series, ROWS), 0);
    source.series.count = ROWS;
    for (int i = 0; i < 2; i++) {
        agents[i].interval_ns = extreme();
        agents[i].cpus = (uint32_t)extreme();
        fill_host(&agents[i]);
    }
    assert_int_equal(results_writer_open(&writer, path, 0, NULL), 0);
    assert_int_equal(results_writer_flow(writer, &flow, &run, give, &source, NULL), 0);
    assert_int_equal(results_writer_close(writer, NULL), 0);
    series_fini(&source.series);
    host_series_fini(&agents[0].host);
    host_series_fini(&agents[1].host);
}

static void read_result(const char *path)
{
    struct summary summary = {0};
    char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);
    struct error err = {0};
    if (summary_load(&summary, &path, 1, -1, &err))
        fail_msg("%s", err.what);
    summary_text(&summary, out, 0, "");
    assert_int_equal(summary_json(&summary, out, NULL), 0);
    fclose(out);
    free(printed);
    summary_fini(&summary);
}

static void test_figures_of_any_size(void **state)
{
    (void)state;
    char directory[TEMPORARY_MAX], path[TEMPORARY_PATH_MAX];
    assert_true(temporary_directory(directory, "extremes-test"));
    snprintf(path, sizeof path, "%s/results.pb", directory);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        random_state = round;
        write_result(path);
        read_result(path);
    }
    unlink(path);
    rmdir(directory);
}

static void test_times_stay_in_order(void **state)
{
    (void)state;
    static const struct {
        int64_t offset_ns, t_ns, t0_ns, on_axis;
    } rows[] = {
        {0, 5, 3, 2},
        {-10, INT64_MAX, 0, CLOCK_FAR_NS},
        {10, INT64_MIN, 0, -CLOCK_FAR_NS},
        {0, INT64_MIN, 1000, -CLOCK_FAR_NS},
        {0, INT64_MAX, -1000, CLOCK_FAR_NS},
        {0, CLOCK_FAR_NS - 1, -1, CLOCK_FAR_NS},
        {INT64_MAX, INT64_MAX - 7, 0, -7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct clock_fit fit = {.offset_ns = rows[i].offset_ns};
        struct end_report report = {.times = 1, .at[0] = rows[i].t_ns};
        end_report_to_axis(&report, &fit, rows[i].t0_ns);
        assert_int_equal(report.at[0], rows[i].on_axis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_of_any_size),
        cmocka_unit_test(test_times_stay_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
