/* Records of a spool, of the watch stream and of a master's part file: what each reader of one
 * makes of it. */
#include "format/message.h"
#include "format/packets_record.h"
#include "format/record_check.h"
#include "format/spool_record.h"
#include "fuzz.h"
#include "proto/agent.pb-c.h"
#include "util/buffer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct buffer record = {0};
    struct sample sample = {.flow = 1, .info_length = TCP_INFO_SIZE, .cc_length = 4, .tick = 5};
    const struct sample *rows[] = {&sample, &sample};
    const struct packet packets[] = {{.t_ns = 1, .length = 60, .captured = 2}};
    const struct packet_batch batch = {
        .link_type = 1, .packets = packets, .count = 1, .data = (uint8_t *)"ab", .size = 2};
    const struct end_report report = {.flow = 1, .status = END_COMPLETE, .ccalg = "cubic"};
    const struct axis axis = {.axis_ns = 1, .local_ns = 2, .rate = 1e-6};
    Tcpflowgen__PrepareRequest prepare = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    Tcpflowgen__EndSpec end = TCPFLOWGEN__END_SPEC__INIT;
    Tcpflowgen__EndSpec *ends[] = {&end};
    end.local_address = end.peer_address = (char *)"127.0.0.1";
    prepare.n_ends = 1;
    prepare.ends = ends;
    for (size_t i = 0; i < sizeof sample.info; i++)
        sample.info[i] = (uint8_t)i;
    FUZZ_ASSERT(spool_record_samples(&record, rows, 2) == 0);
    fuzz_seed("samples", record.data, record.size);
    buffer_clear(&record);
    FUZZ_ASSERT(packets_record_encode(&record, &batch) == 0);
    fuzz_seed("packets", record.data, record.size);
    buffer_clear(&record);
    FUZZ_ASSERT(spool_record_report(&record, &report) == 0);
    fuzz_seed("report", record.data, record.size);
    buffer_clear(&record);
    FUZZ_ASSERT(spool_record_axis(&record, 0, &axis, 1) == 0);
    fuzz_seed("axis", record.data, record.size);
    buffer_clear(&record);
    FUZZ_ASSERT(spool_record_prepare(&record, &prepare) == 0);
    fuzz_seed("prepare", record.data, record.size);
    buffer_clear(&record);
    FUZZ_ASSERT(spool_record_run_end(&record, 1, 0, "problem") == 0);
    fuzz_seed("end", record.data, record.size);
    buffer_fini(&record);
    return 0;
}

static int take_packet(void *arg, uint32_t link_type, const struct packet *packet,
                       const uint8_t *bytes, struct error *err)
{
    (void)link_type;
    (void)err;
    for (size_t i = 0; i < packet->captured; i++)
        *(unsigned *)arg += bytes[i];
    return 0;
}

static void read_rows(const uint8_t *data, size_t size)
{
    struct series series = {0};
    struct spool_ticks ticks = {0};
    struct end_report report = {0};
    for (int twice = 0; twice < 2; twice++)
        if (spool_record_rows(data, size, &series, NULL) == 0)
            FUZZ_ASSERT(series.count <= 2 * SPOOL_ROWS_MAX);
    if (spool_record_ticks(data, size, &ticks) == 0)
        spool_ticks_report(&ticks, &report);
    series_fini(&series);
}

/* What is taken in, its readers take. */
static void read_checked(const uint8_t *data, size_t size)
{
    struct spool_head head;
    struct series series = {0};
    if (record_check(data, size, &head, NULL) == 0 && head.kind == SPOOL_SAMPLES) {
        FUZZ_ASSERT(spool_record_rows(data, size, &series, NULL) == 0);
        FUZZ_ASSERT(series.count == head.rows);
    }
    series_fini(&series);
}

static void read_prepare(const uint8_t *data, size_t size)
{
    Tcpflowgen__PrepareRequest *prepare = spool_record_prepared(data, size);
    struct end_spec spec;
    for (size_t i = 0; prepare && i < prepare->n_ends; i++)
        message_to_end_spec(&spec, prepare->ends[i], NULL);
    if (prepare)
        tcpflowgen__prepare_request__free_unpacked(prepare, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_head head;
    struct host_series host = {0};
    unsigned sum = 0;
    spool_record_head(data, size, &head, NULL);
    read_rows(data, size);
    read_checked(data, size);
    read_prepare(data, size);
    for (int twice = 0; twice < 2; twice++)
        spool_record_host_rows(data, size, &host, 8192, NULL);
    host_series_fini(&host);
    packets_record_each(data, size, take_packet, &sum, NULL);
    return 0;
}
