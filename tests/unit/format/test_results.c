#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temporary.h"
#include <zlib.h>

#include "format/results_reader.h"
#include "format/results_writer.h"
#include "proto/messages.pb-c.h"

#define FILE_MAX (16u << 20)

/* ---- a directory, and what stands in it ---- */

struct fixture {
    char directory[TEMPORARY_MAX];
    char path[TEMPORARY_PATH_MAX];
    uint8_t *bytes;
    size_t size;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!temporary_directory(fixture->directory, "results-test"))
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/results.bin", fixture->directory);
    fixture->bytes = malloc(FILE_MAX);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    int failed = rmdir(fixture->directory); /* fails if anything was left */
    free(fixture->bytes);
    free(fixture);
    return failed;
}

static void use_name(struct fixture *fixture, const char *name)
{
    snprintf(fixture->path, sizeof fixture->path, "%s/%s", fixture->directory, name);
}

static void load(struct fixture *fixture)
{
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    fixture->size = fread(fixture->bytes, 1, FILE_MAX, file);
    fclose(file);
}

static void store(const struct fixture *fixture, const void *bytes, size_t size)
{
    FILE *file = fopen(fixture->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- flows with made-up samples ---- */

struct rows {
    struct series series[2];
    size_t piece;   /* rows given at once; 0: all */
    size_t next[2]; /* row that is given next */
    struct series view;
};

static int64_t made_up(size_t row, size_t column)
{
    uint64_t x = (row + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (column + 1) * 0xbf58476d1ce4e5b9;
    return (int64_t)(x ^ x >> 29);
}

static int64_t value_of(enum tcp_field field, size_t row)
{
    const struct tcp_field_info *info = tcp_field_info(field);
    unsigned bits = info->bits ? info->bits : info->bytes * 8u;
    if (field == TCP_state)
        return 1 + (int64_t)(row % 11);
    if (field == TCP_fackets || field == TCP_rehash)
        return 0; /* columns of zeros */
    uint64_t value = (uint64_t)made_up(row, field);
    return (int64_t)(bits < 64 ? value & ((UINT64_C(1) << bits) - 1) : value);
}

static void make_rows(struct series *series, size_t count, size_t seed)
{
    assert_int_equal(series_reserve(series, count ? count : 1), 0);
    series->count = count;
    series->info_length = TCP_INFO_SIZE;
    series->cc_length = 20;
    for (size_t i = 0; i < count; i++) {
        series->t_ns[i] = (int64_t)i * 250000000 + made_up(i, 1) % 100000;
        series->tick[i] = i + 1 < count ? (int64_t)i : SAMPLE_OFF_TICK;
        for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
            series->field[f][i] = value_of((enum tcp_field)f, i + seed);
        for (size_t w = 0; w < TCP_CC_WORDS; w++)
            series->cc[w][i] = made_up(i + seed, w) & UINT32_MAX;
    }
}

static struct rows make_flow(size_t src, size_t dst)
{
    struct rows rows = {0};
    make_rows(&rows.series[END_SRC], src, 0);
    make_rows(&rows.series[END_DST], dst, 77);
    return rows;
}

static void free_flow(struct rows *rows)
{
    series_fini(&rows->series[END_SRC]);
    series_fini(&rows->series[END_DST]);
}

static int give(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    (void)err;
    struct rows *rows = arg;
    const struct series *all = &rows->series[end];
    size_t left = all->count - rows->next[end];
    size_t count = rows->piece && rows->piece < left ? rows->piece : left;
    if (count == 0)
        return 0;
    rows->view = *all;
    rows->view.count = count;
    rows->view.t_ns += rows->next[end];
    rows->view.tick += rows->next[end];
    for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
        rows->view.field[f] += rows->next[end];
    for (size_t w = 0; w < TCP_CC_WORDS; w++)
        rows->view.cc[w] += rows->next[end];
    rows->next[end] += count;
    *piece = &rows->view;
    return 1;
}

static const struct flow_result a_flow = {
    .id = -3,
    .src = "A",
    .dst = "B\xc3\xa9",
    .src_host = 1,
    .port = 40001,
    .start_ns = 1499600000,
    .duration_ns = 2000000001,
    .ccalg = "bbr",
    .ecn = true,
    .tuning = {1, 2, 3, 4, 5, 6},
    .connect = CONNECT_AT_START,
    .finish = FINISH_ABORT,
    .status = FLOW_PARTIAL,
    .error = "cut in the middle of a character: \xc3",
    .family = "ipv6",
    .has_report = {true, false},
    .report[END_SRC] = {.status = END_CUT,
                        .times = 1u << T_STOP | 1u << T_FIRST_LEFT | 1u << T_FIRST_ACKED,
                        .at = {[T_STOP] = 123, [T_FIRST_LEFT] = 124, [T_FIRST_ACKED] = 125},
                        .payload_bytes = 456,
                        .ccalg = "bbr",
                        .cpu = 3,
                        .token_bytes = 16,
                        .shut = true,
                        .lateness = {5, 0, 7},
                        .reading[READ_STOP] = {.t_ns = 2, .info_length = 280, .acked = UINT64_MAX},
                        .reading[READ_CLOSE] = {.t_ns = -1,
                                                .info_length = 280,
                                                .state = 7,
                                                .written = 3,
                                                .read = 4,
                                                .acked = 5,
                                                .received = 6,
                                                .sent = 7,
                                                .retransmitted = 8,
                                                .notsent = 9,
                                                .unread = 10,
                                                .busy_us = 11,
                                                .rwnd_limited_us = 12,
                                                .sndbuf_limited_us = 13,
                                                .rtt_us = 14,
                                                .min_rtt_us = 15,
                                                .send_buffer = 16,
                                                .send_queued = 17,
                                                .last_data_recv_ms = 24,
                                                .jiffy_us = 25,
                                                .data_segs = 26,
                                                .held_ns = 18,
                                                .late_ns = 19,
                                                .rest_ns = 20,
                                                .overslept_ns = 26,
                                                .queue_looks = 27,
                                                .queue_window_us = 28,
                                                .shut_window_us = 29,
                                                .queue_held_ns = 30,
                                                .worker_ns = 21,
                                                .cpu_ns = 22,
                                                .wait_ns = -1}},
    .verdict = {.limit = LIMIT_SEND_BUFFER,
                .share = {0, 0.5, 0.25, 0.125, 0.0625, 0.0625},
                .source = {0.5, -1},
                .sink = {-1, 0.25},
                .reason = "because"},
    .ledger = {.state = LEDGER_DIFFERS,
               .why = "lost",
               .written = 1,
               .never_sent = 2,
               .sent_first = 3,
               .retransmitted = 4,
               .requeued = 5,
               .acked = 6,
               .unacked = 7,
               .received = 8,
               .read = 9,
               .unread = 10,
               .sent_late = 11,
               .received_late = 12,
               .token_acked = 13,
               .token_received = 14,
               .syn_acked = 15,
               .fin_acked = 16,
               .fin_received = 17},
};

#define TEXT(text) ((char[]){text}) /* the model owns its texts, so they are not const */

static struct run_host run_hosts[] = {{.name = TEXT("A"), .mgmt = TEXT("localhost:8841")},
                                      {.name = TEXT("B"), .bind = TEXT("any"), .agent = 1}};
static struct run_agent run_agents[] = {
    {.mgmt = TEXT("localhost:8841"),
     .hostname = TEXT("one"),
     .cpus = 2,
     .clock = {.rate = -1e-5, .used = 4}},
    {.mgmt = TEXT("localhost:8842"), .hostname = TEXT("two"), .lost = TEXT("gone")}};
static struct run_event run_events[] = {{.t_ns = -1, .text = TEXT("begun")}};
static char *run_warnings[] = {TEXT("careful")};
static const struct run_info a_run = {.version = TEXT("1"),
                                      .id = TEXT("abc"),
                                      .label = TEXT("label"),
                                      .scenario = TEXT("{}"),
                                      .started_unix_ns = 17,
                                      .t0_ns = 18,
                                      .hosts = run_hosts,
                                      .host_count = 2,
                                      .agents = run_agents,
                                      .agent_count = 2,
                                      .events = run_events,
                                      .event_count = 1,
                                      .warnings = run_warnings,
                                      .warning_count = 1,
                                      .interrupted = true,
                                      .repeat = 2,
                                      .repeats = 3,
                                      .seed = UINT64_MAX,
                                      .warmup_ns = 500000000};

static void write_flow(const char *path, uint64_t part_max, struct rows *rows)
{
    struct results_writer *writer;
    assert_int_equal(results_writer_open(&writer, path, part_max, NULL), 0);
    assert_int_equal(results_writer_flow(writer, &a_flow, &a_run, give, rows, NULL), 0);
    assert_int_equal(results_writer_close(writer, NULL), 0);
}

static void check_rows(const struct series *got, const struct series *wanted, size_t first)
{
    if (got->count == 0)
        return;
    assert_int_equal(got->info_length, wanted->info_length);
    assert_int_equal(got->cc_length, wanted->cc_length);
    assert_in_range(first + got->count, 0, wanted->count);
    size_t size = got->count * sizeof(int64_t);
    assert_memory_equal(got->t_ns, wanted->t_ns + first, size);
    assert_memory_equal(got->tick, wanted->tick + first, size);
    for (size_t f = 0; f < TCP_FIELD_COUNT; f++)
        assert_memory_equal(got->field[f], wanted->field[f] + first, size);
    for (size_t w = 0; w < TCP_CC_WORDS; w++)
        assert_memory_equal(got->cc[w], wanted->cc[w] + first, size);
}

/* Reads one flow to its last piece; returns the pieces. */
static size_t read_flow(struct results_reader *reader, const struct rows *wanted,
                        const struct results_record **record)
{
    size_t pieces = 0, done[2] = {0};
    do {
        assert_int_equal(results_reader_next(reader, record, NULL), 1);
        assert_int_equal((*record)->flow.id, a_flow.id);
        for (int end = 0; end < 2; end++) {
            check_rows(&(*record)->samples[end], &wanted->series[end], done[end]);
            done[end] += (*record)->samples[end].count;
        }
        pieces++;
    } while (!(*record)->last);
    assert_int_equal(done[END_SRC], wanted->series[END_SRC].count);
    assert_int_equal(done[END_DST], wanted->series[END_DST].count);
    return pieces;
}

static void check_flow(const struct flow_result *flow)
{
    assert_string_equal(flow->src, "A");
    assert_string_equal(flow->dst, a_flow.dst);
    assert_int_equal(flow->src_host, 1);
    assert_int_equal(flow->port, 40001);
    assert_int_equal(flow->start_ns, a_flow.start_ns);
    assert_int_equal(flow->duration_ns, a_flow.duration_ns);
    assert_string_equal(flow->ccalg, "bbr");
    assert_true(flow->ecn && !flow->nodelay);
    assert_memory_equal(&flow->tuning, &a_flow.tuning, sizeof flow->tuning);
    assert_int_equal(flow->connect, CONNECT_AT_START);
    assert_int_equal(flow->finish, FINISH_ABORT);
    assert_int_equal(flow->status, FLOW_PARTIAL);
    assert_string_equal(flow->error, "cut in the middle of a character: ?");
    assert_string_equal(flow->family, "ipv6");
    assert_true(flow->has_report[END_SRC] && !flow->has_report[END_DST]);
    assert_int_equal(flow->report[END_SRC].status, END_CUT);
    assert_int_equal(flow->report[END_SRC].at[T_STOP], 123);
    assert_int_equal(flow->report[END_SRC].payload_bytes, 456);
    assert_int_equal(flow->report[END_SRC].cpu, 3);
    assert_int_equal(flow->report[END_DST].end, END_DST);
    assert_int_equal(flow->report[END_SRC].token_bytes, 16);
    assert_true(flow->report[END_SRC].shut);
    assert_memory_equal(flow->report[END_SRC].lateness, a_flow.report[END_SRC].lateness,
                        sizeof a_flow.report[END_SRC].lateness);
    assert_memory_equal(flow->report[END_SRC].reading, a_flow.report[END_SRC].reading,
                        sizeof a_flow.report[END_SRC].reading);
    assert_memory_equal(&flow->ledger, &a_flow.ledger, sizeof a_flow.ledger);
    assert_memory_equal(&flow->verdict, &a_flow.verdict, sizeof a_flow.verdict);
}

static void check_run(const struct run_info *run)
{
    assert_non_null(run);
    assert_string_equal(run->id, "abc");
    assert_string_equal(run->scenario, "{}");
    assert_int_equal(run->started_unix_ns, 17);
    assert_int_equal(run->host_count, 2);
    assert_string_equal(run->hosts[1].bind, "any");
    assert_int_equal(run->hosts[1].agent, 1);
    assert_int_equal(run->agent_count, 2);
    assert_string_equal(run->agents[0].hostname, "one");
    assert_true(run->agents[0].clock.rate == -1e-5);
    assert_null(run->agents[0].lost);
    assert_string_equal(run->agents[1].lost, "gone");
    assert_int_equal(run->events[0].t_ns, -1);
    assert_string_equal(run->events[0].text, "begun");
    assert_string_equal(run->warnings[0], "careful");
    assert_true(run->interrupted);
    assert_int_equal(run->repeat, 2);
    assert_int_equal(run->repeats, 3);
    assert_true(run->seed == UINT64_MAX);
    assert_int_equal(run->warmup_ns, 500000000);
}

/* ---- what is written is read ---- */

static void check_round_trip(const struct fixture *fixture, size_t src, size_t dst, size_t piece)
{
    struct rows rows = make_flow(src, dst);
    struct results_reader *reader;
    const struct results_record *record;
    rows.piece = piece;
    write_flow(fixture->path, 0, &rows);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    read_flow(reader, &rows, &record);
    check_flow(&record->flow);
    check_run(record->run);
    assert_int_equal(results_reader_next(reader, &record, NULL), 0);
    results_reader_close(reader);
    free_flow(&rows);
}

static void test_plain(void **state)
{
    check_round_trip(*state, 3, 5000, 0);
    check_round_trip(*state, 1500, 0, 100);
    check_round_trip(*state, 0, 0, 0);
}

static void test_gzip(void **state)
{
    struct fixture *fixture = *state;
    use_name(fixture, "results.gz");
    check_round_trip(fixture, 2500, 2049, 999);
    load(fixture);
    assert_memory_equal(fixture->bytes, "\x1f\x8b", 2);
}

/* More than the writer keeps in memory, and more than the reader gives at once. */
static void test_large_record_comes_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(40000, 20);
    struct results_reader *reader;
    const struct results_record *record;
    write_flow(fixture->path, 0, &rows);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    assert_int_equal(read_flow(reader, &rows, &record), 3);
    assert_int_equal(record->part, 0);
    check_flow(&record->flow);
    check_run(record->run);
    struct run_info run;
    assert_true(results_reader_take_run(reader, &run));
    assert_false(results_reader_take_run(reader, &run));
    assert_int_equal(results_reader_next(reader, &record, NULL), 0);
    results_reader_close(reader);
    check_run(&run);
    run_info_fini(&run);
    free_flow(&rows);
}

static void test_parts(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(3000, 1500);
    struct results_reader *reader;
    const struct results_record *record;
    write_flow(fixture->path, 1, &rows);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    for (uint32_t part = 0; part < 5; part++) { /* 3 chunks of src, 2 of dst */
        assert_int_equal(results_reader_next(reader, &record, NULL), 1);
        assert_int_equal(record->part, part);
        assert_int_equal(record->last, part == 4);
        assert_int_equal(record->run != NULL, part == 0);
        assert_int_equal(record->flow.status, part == 4 ? FLOW_PARTIAL : FLOW_UNKNOWN);
        assert_int_equal(record->samples[part > 2].count, part == 2 ? 952 : part == 4 ? 476 : 1024);
    }
    check_flow(&record->flow);
    assert_int_equal(results_reader_next(reader, &record, NULL), 0);
    results_reader_close(reader);
    free_flow(&rows);
}

static void test_parts_keep_to_their_size(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(10000, 10000);
    const uint32_t part_max = 1500000;
    size_t parts = 0;
    write_flow(fixture->path, part_max, &rows);
    load(fixture);
    for (size_t at = 0; at < fixture->size; parts++) {
        const uint8_t *b = fixture->bytes + at;
        uint32_t length = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        assert_in_range(length, 1, part_max);
        at += 4 + length;
    }
    assert_in_range(parts, 2, 20);
    free_flow(&rows);
}

static void test_run_stands_in_the_first_record_alone(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows[2] = {make_flow(2, 2), make_flow(2, 2)};
    struct results_writer *writer;
    struct results_reader *reader;
    const struct results_record *record;
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, NULL), 0);
    assert_int_equal(results_writer_flow(writer, &a_flow, &a_run, give, &rows[0], NULL), 0);
    assert_int_equal(results_writer_flow(writer, &a_flow, NULL, give, &rows[1], NULL), 0);
    assert_int_equal(results_writer_close(writer, NULL), 0);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    read_flow(reader, &rows[0], &record);
    check_run(record->run);
    read_flow(reader, &rows[1], &record);
    assert_null(record->run);
    results_reader_close(reader);
    free_flow(&rows[0]);
    free_flow(&rows[1]);
}

/* What was synced is in NAME.tmp, gzipped or not, also for one who does not wait for the name. */
static void test_what_was_synced_can_be_read(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"results.bin", "results.gz"};
    for (size_t i = 0; i < 2; i++) {
        struct rows rows = make_flow(5, 5);
        struct results_writer *writer;
        struct results_reader *reader;
        const struct results_record *record;
        struct error err = {0};
        char temporary[TEMPORARY_PATH_MAX + 8];
        use_name(fixture, names[i]);
        snprintf(temporary, sizeof temporary, "%s.tmp", fixture->path);
        assert_int_equal(results_writer_open(&writer, fixture->path, 0, NULL), 0);
        assert_int_equal(results_writer_flow(writer, &a_flow, &a_run, give, &rows, NULL), 0);
        assert_int_equal(results_writer_sync(writer, NULL), 0);
        assert_int_equal(results_reader_open(&reader, temporary, NULL), 0);
        read_flow(reader, &rows, &record);
        check_run(record->run);
        /* A gzipped file without its end is a cut one. */
        assert_int_equal(results_reader_next(reader, &record, &err), i ? ERROR_INPUT : 0);
        results_reader_close(reader);
        results_writer_abort(writer);
        free_flow(&rows);
    }
}

/* Records of one run, then of the next; the first of each has it. */
static void test_a_file_has_several_runs(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows[4];
    struct results_writer *writer;
    struct results_reader *reader;
    const struct results_record *record;
    struct run_info run = a_run, taken;
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, NULL), 0);
    for (uint32_t i = 0; i < 4; i++) {
        rows[i] = make_flow(i == 2 ? 20000 : 2, 2); /* the third comes in two pieces */
        run.repeat = i / 2 + 1;
        assert_int_equal(
            results_writer_flow(writer, &a_flow, i % 2 ? NULL : &run, give, &rows[i], NULL), 0);
    }
    assert_int_equal(results_writer_close(writer, NULL), 0);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    for (uint32_t i = 0; i < 4; i++) {
        read_flow(reader, &rows[i], &record);
        assert_int_equal(record->run != NULL, i % 2 == 0);
        if (i % 2 == 0)
            assert_int_equal(record->run->repeat, i / 2 + 1);
        if (i == 2) {
            assert_true(results_reader_take_run(reader, &taken));
            assert_string_equal(taken.id, "abc");
            run_info_fini(&taken);
        }
    }
    assert_int_equal(results_reader_next(reader, &record, NULL), 0);
    results_reader_close(reader);
    for (size_t i = 0; i < 4; i++)
        free_flow(&rows[i]);
}

/* ---- the seed's form ---- */

static void test_rows_have_the_seeds_fields(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(2, 1);
    struct series *src = &rows.series[END_SRC];
    src->field[TCP_state][0] = LINUX_TCP_ESTABLISHED;
    src->field[TCP_ca_state][0] = 3;
    src->field[TCP_rtt][0] = 1500;
    src->field[TCP_rttvar][0] = 250;
    src->field[TCP_bytes_acked][0] = -1;
    src->t_ns[0] = -250000000;
    write_flow(fixture->path, 0, &rows);
    load(fixture);
    Tcpflowgen__Flow *flow = tcpflowgen__flow__unpack(NULL, fixture->size - 4, fixture->bytes + 4);
    assert_non_null(flow);
    assert_int_equal(flow->params->id, -3);
    assert_int_equal(flow->params->duration, 2000);
    assert_int_equal(flow->params->start, 1500);
    assert_int_equal(flow->params->port, 40001);
    assert_int_equal(flow->n_txtcpinfo, 2);
    assert_int_equal(flow->n_rxtcpinfo, 1);
    const Tcpflowgen__TCPInfo *row = flow->txtcpinfo[0];
    assert_true(row->ts == -0.25 && row->rtt == 0.0015 && row->rttvar == 0.00025);
    assert_int_equal(row->state, 5);
    assert_int_equal(row->castate, 3);
    assert_true(row->thrubytesacked == UINT64_MAX);
    assert_int_equal(row->unackedsegs, src->field[TCP_unacked][0]);
    assert_int_equal(row->reorderedsegs, src->field[TCP_reordering][0]);
    const Tcpflowgen__Columns *columns = flow->src_columns[0];
    assert_int_equal(columns->n_tick, 2);
    assert_int_equal(columns->n_snd_cwnd, 2);
    assert_int_equal(columns->n_state + columns->n_ca_state + columns->n_rtt + columns->n_rttvar +
                         columns->n_bytes_acked + columns->n_bytes_received + columns->n_unacked +
                         columns->n_lost + columns->n_retrans + columns->n_reordering +
                         columns->n_t_ns + columns->n_fackets,
                     0);
    tcpflowgen__flow__free_unpacked(flow, NULL);
    free_flow(&rows);
}

static size_t put_record(uint8_t *out, const Tcpflowgen__Flow *flow)
{
    size_t size = tcpflowgen__flow__pack(flow, out + 4);
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(size >> (24 - 8 * i));
    return size + 4;
}

static void test_the_seeds_files_are_read(void **state)
{
    struct fixture *fixture = *state;
    Tcpflowgen__FlowParams params = TCPFLOWGEN__FLOW_PARAMS__INIT;
    Tcpflowgen__TCPInfo row = TCPFLOWGEN__TCPINFO__INIT;
    Tcpflowgen__TCPInfo *list[] = {&row, &row};
    Tcpflowgen__Flow flow = TCPFLOWGEN__FLOW__INIT;
    struct results_reader *reader;
    const struct results_record *record;
    params.id = 1;
    params.duration = 2000;
    row.ts = 0.25;
    row.state = 5;
    row.rtt = 0.000033;
    flow.params = &params;
    flow.n_txtcpinfo = 2;
    flow.txtcpinfo = list;
    size_t size = put_record(fixture->bytes, &flow);
    params.id = 0;
    flow.n_txtcpinfo = 0;
    size += put_record(fixture->bytes + size, &flow);
    store(fixture, fixture->bytes, size);

    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    assert_int_equal(results_reader_next(reader, &record, NULL), 1);
    assert_int_equal(record->flow.id, 1);
    assert_int_equal(record->flow.duration_ns, 2000000000);
    assert_true(record->last);
    assert_null(record->run);
    assert_int_equal(record->samples[END_SRC].count, 2);
    assert_int_equal(record->samples[END_SRC].info_length, 0);
    assert_int_equal(record->samples[END_SRC].t_ns[1], 250000000);
    assert_int_equal(record->samples[END_SRC].tick[1], SAMPLE_OFF_TICK);
    assert_int_equal(record->samples[END_SRC].field[TCP_state][1], LINUX_TCP_ESTABLISHED);
    assert_int_equal(record->samples[END_SRC].field[TCP_rtt][1], 33);
    assert_int_equal(record->samples[END_SRC].field[TCP_snd_cwnd][1], 0);
    assert_int_equal(results_reader_next(reader, &record, NULL), 1);
    assert_int_equal(record->flow.id, 0);
    assert_true(record->last);
    assert_int_equal(record->samples[END_SRC].count, 0);
    assert_int_equal(results_reader_next(reader, &record, NULL), 0);
    results_reader_close(reader);
}

static int read_all(const char *path, struct error *err)
{
    struct results_reader *reader;
    const struct results_record *record;
    int got = results_reader_open(&reader, path, err);
    if (got)
        return got;
    while ((got = results_reader_next(reader, &record, err)) > 0)
        ;
    results_reader_close(reader);
    return got;
}

/* Another library may write the fields of a Flow in the order of their numbers; a checksum of the
 * other order is none of this one. */
static void test_another_order_of_fields_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(20000, 3000);
    struct results_reader *reader;
    const struct results_record *record;
    write_flow(fixture->path, 0, &rows);
    load(fixture);
    Tcpflowgen__Flow *flow = tcpflowgen__flow__unpack(NULL, fixture->size - 4, fixture->bytes + 4);
    assert_non_null(flow);
    assert_true(flow->checked);
    store(fixture, fixture->bytes, put_record(fixture->bytes, flow));
    assert_int_equal(read_all(fixture->path, NULL), ERROR_INPUT);
    flow->checked = false;
    flow->crc = 0;
    store(fixture, fixture->bytes, put_record(fixture->bytes, flow));
    tcpflowgen__flow__free_unpacked(flow, NULL);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    read_flow(reader, &rows, &record);
    check_flow(&record->flow);
    check_run(record->run);
    results_reader_close(reader);
    free_flow(&rows);
}

/* ---- files that are not what they should be ---- */

static void check_every_cut(struct fixture *fixture)
{
    struct rows rows = make_flow(5, 5);
    struct error err;
    write_flow(fixture->path, 0, &rows);
    load(fixture);
    assert_int_equal(read_all(fixture->path, NULL), 0);
    for (size_t cut = fixture->size - 1; cut > 0; cut--) {
        assert_int_equal(truncate(fixture->path, (off_t)cut), 0);
        err = (struct error){0};
        assert_int_equal(read_all(fixture->path, &err), ERROR_INPUT);
        assert_string_equal(err.where, fixture->path);
    }
    free_flow(&rows);
}

static void test_a_cut_file_is_told(void **state)
{
    check_every_cut(*state);
}

static void test_a_cut_gzip_file_is_told(void **state)
{
    use_name(*state, "results.gz");
    check_every_cut(*state);
}

static void test_a_torn_tail_leaves_the_records_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(5, 5);
    struct results_reader *reader;
    const struct results_record *record;
    struct error err = {0};
    write_flow(fixture->path, 0, &rows);
    load(fixture);
    memcpy(fixture->bytes + fixture->size, fixture->bytes, fixture->size / 2);
    store(fixture, fixture->bytes, fixture->size + fixture->size / 2);
    assert_int_equal(results_reader_open(&reader, fixture->path, NULL), 0);
    read_flow(reader, &rows, &record);
    /* Samples of the second, too, and no more of it; then always the damage. */
    assert_int_equal(results_reader_next(reader, &record, &err), 1);
    assert_false(record->last);
    assert_true(record->samples[END_SRC].count > 0 && record->samples[END_SRC].count <= 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(results_reader_next(reader, &record, &err), ERROR_INPUT);
        assert_non_null(strstr(err.what, "record 2"));
    }
    results_reader_close(reader);
    free_flow(&rows);
}

static void test_garbage_does_no_harm(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(20, 20);
    unsigned seed = 1;
    write_flow(fixture->path, 0, &rows);
    load(fixture);
    int fd = open(fixture->path, O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < 1500; i++) {
        size_t at = (size_t)rand_r(&seed) % fixture->size;
        uint8_t other = (uint8_t)rand_r(&seed);
        assert_int_equal(pwrite(fd, &other, 1, (off_t)at), 1);
        read_all(fixture->path, NULL);
        assert_int_equal(pwrite(fd, fixture->bytes + at, 1, (off_t)at), 1);
    }
    close(fd);
    for (size_t i = 0; i < 1000; i++)
        fixture->bytes[i] = (uint8_t)rand_r(&seed);
    store(fixture, fixture->bytes, 1000);
    assert_int_equal(read_all(fixture->path, NULL), ERROR_INPUT);
    store(fixture, "hello, world\n", 13);
    assert_int_equal(read_all(fixture->path, NULL), ERROR_INPUT);
    store(fixture, "\xff\xff\xff\xff\x0a\xff\xff\xff\xff\x0f", 10);
    assert_int_equal(read_all(fixture->path, NULL), ERROR_INPUT);
    store(fixture, "", 0);
    assert_int_equal(read_all(fixture->path, NULL), 0);
    free_flow(&rows);
}

static void test_a_missing_file_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(read_all(fixture->path, &err), ERROR_INPUT);
    assert_string_equal(err.where, fixture->path);
    assert_int_equal(read_all(fixture->directory, NULL), ERROR_SYSTEM);
}

/* ---- the file's name ---- */

static void test_the_name_comes_with_the_whole(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(1, 1);
    struct results_writer *writer;
    struct stat status;
    char temporary[TEMPORARY_PATH_MAX + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", fixture->path);
    store(fixture, "old", 3);
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, NULL), 0);
    assert_int_equal(results_writer_flow(writer, &a_flow, NULL, give, &rows, NULL), 0);
    assert_int_equal(stat(temporary, &status), 0);
    load(fixture);
    assert_int_equal(fixture->size, 3);
    results_writer_abort(writer);
    assert_int_equal(stat(temporary, &status), -1);
    load(fixture);
    assert_int_equal(fixture->size, 3);
    results_writer_abort(NULL);
    free_flow(&rows);
}

static void test_a_dead_runs_file_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    char name[TEMPORARY_PATH_MAX], temporary[TEMPORARY_PATH_MAX + 8];
    snprintf(name, sizeof name, "%s", fixture->path);
    snprintf(temporary, sizeof temporary, "%s.tmp", name);
    snprintf(fixture->path, sizeof fixture->path, "%s/results.bin.tmp", fixture->directory);
    store(fixture, "stale", 5);
    snprintf(fixture->path, sizeof fixture->path, "%s", name);

    FILE *held = fopen(temporary, "r+b");
    struct results_writer *writer;
    struct error err = {0};
    assert_non_null(held);
    assert_int_equal(flock(fileno(held), LOCK_EX), 0);
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, temporary);
    fclose(held);
    check_round_trip(fixture, 1, 1, 0);
}

/* A directory, a link, and another user's file in a directory as /tmp. */
static void test_what_is_in_the_way(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const kinds[] = {"a directory of uid ", "a link of uid ",
                                        "a file of uid 0 (root)"};
    const int count = geteuid() == 0 ? 3 : 2;
    char temporary[TEMPORARY_PATH_MAX + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", fixture->path);
    for (int i = 0; i < count; i++) {
        struct results_writer *writer;
        struct error err = {0};
        if (i == 0)
            assert_int_equal(mkdir(temporary, 0700), 0);
        else if (i == 1)
            assert_int_equal(symlink("/etc/passwd", temporary), 0);
        else
            assert_int_equal(mknod(temporary, S_IFREG, 0) | chmod(temporary, 0666) |
                                 chmod(fixture->directory, 01777) | seteuid(54321),
                             0);
        const int failed = results_writer_open(&writer, fixture->path, 0, &err);
        assert_int_equal(i == 2 ? seteuid(0) : 0, 0);
        assert_int_equal(failed, ERROR_INPUT);
        assert_string_equal(err.where, temporary);
        assert_non_null(strstr(err.what, kinds[i]));
        assert_non_null(strstr(err.cure, "have it removed, or choose another output file"));
        assert_int_equal(remove(temporary), 0);
    }
}

static void test_a_device_is_written_in_place(void **state)
{
    struct rows rows = make_flow(3000, 3000);
    struct stat status;
    struct results_writer *writer;
    struct error err = {0};
    (void)state;
    write_flow("/dev/null", 0, &rows);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));

    rows.next[END_SRC] = rows.next[END_DST] = 0;
    assert_int_equal(results_writer_open(&writer, "/dev/full", 0, NULL), 0);
    int failed = results_writer_flow(writer, &a_flow, NULL, give, &rows, &err);
    if (failed)
        results_writer_abort(writer);
    else
        failed = results_writer_close(writer, &err);
    assert_int_equal(failed, ERROR_SYSTEM);
    assert_string_equal(err.where, "/dev/full");
    assert_non_null(strstr(err.what, "No space left"));
    assert_true(err.cure[0] != '\0');
    free_flow(&rows);
}

static void test_a_missing_directory_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct results_writer *writer;
    struct error err = {0};
    use_name(fixture, "none/results.bin");
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, &err), ERROR_SYSTEM);
    assert_non_null(strstr(err.where, "none/results.bin"));
    assert_true(err.cure[0] != '\0');
}

/* A file that misses something never gets its name; what was written stays to be read. */
static void test_a_failed_write_withholds_the_name(void **state)
{
    struct fixture *fixture = *state;
    struct rows rows = make_flow(100, 100);
    struct results_writer *writer;
    struct error err = {0};
    struct stat status;
    struct rlimit limit;
    int failed = 0;
    char temporary[TEMPORARY_PATH_MAX + 8];
    snprintf(temporary, sizeof temporary, "%s.tmp", fixture->path);
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {.rlim_cur = 1u << 20, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (size_t i = 0; i < 1000 && !failed; i++) {
        rows.next[END_SRC] = rows.next[END_DST] = 0;
        failed = results_writer_flow(writer, &a_flow, NULL, give, &rows, &err);
    }
    assert_int_equal(failed, ERROR_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(results_writer_sync(writer, &err), ERROR_SYSTEM);
    assert_int_equal(results_writer_close(writer, &err), ERROR_SYSTEM);
    assert_string_equal(err.where, temporary);
    assert_int_equal(stat(fixture->path, &status), -1);
    assert_int_equal(unlink(temporary), 0);
    free_flow(&rows);
}

static int give_error(void *arg, enum flow_end end, const struct series **piece, struct error *err)
{
    (void)arg, (void)piece;
    return end == END_SRC ? 0 : error_set(err, ERROR_SYSTEM, "part file", "lost");
}

static void test_a_sources_error_is_passed_on(void **state)
{
    struct fixture *fixture = *state;
    struct results_writer *writer;
    struct error err = {0};
    assert_int_equal(results_writer_open(&writer, fixture->path, 0, NULL), 0);
    assert_int_equal(results_writer_flow(writer, &a_flow, &a_run, give_error, NULL, &err),
                     ERROR_SYSTEM);
    assert_string_equal(err.where, "part file");
    results_writer_abort(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain),
        TEST(gzip),
        TEST(large_record_comes_in_pieces),
        TEST(parts),
        TEST(parts_keep_to_their_size),
        TEST(run_stands_in_the_first_record_alone),
        TEST(a_file_has_several_runs),
        TEST(what_was_synced_can_be_read),
        TEST(rows_have_the_seeds_fields),
        TEST(the_seeds_files_are_read),
        TEST(another_order_of_fields_is_read),
        TEST(a_cut_file_is_told),
        TEST(a_cut_gzip_file_is_told),
        TEST(a_torn_tail_leaves_the_records_before_it),
        TEST(garbage_does_no_harm),
        TEST(a_missing_file_is_told),
        TEST(the_name_comes_with_the_whole),
        TEST(a_dead_runs_file_is_replaced),
        TEST(what_is_in_the_way),
        TEST(a_device_is_written_in_place),
        TEST(a_missing_directory_is_told),
        TEST(a_failed_write_withholds_the_name),
        TEST(a_sources_error_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
