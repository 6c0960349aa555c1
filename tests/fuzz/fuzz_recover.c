/* Spools and part files, as `recover` reads them.  The first byte of an input says whether the rest
 * is a file as it is, or records, each behind two bytes with its length: their checksums, which no
 * fuzzer finds, are then made. */
#include "format/segment.h"
#include "format/spool_record.h"
#include "fuzz.h"
#include "proto/agent.pb-c.h"
#include "recover/recover.h"
#include "recover/survey.h"
#include "util/buffer.h"

static void add(struct buffer *input, const struct buffer *record)
{
    const uint8_t length[] = {(uint8_t)(record->size >> 8), (uint8_t)record->size};
    FUZZ_ASSERT(buffer_append(input, length, sizeof length) == 0);
    FUZZ_ASSERT(buffer_append(input, record->data, record->size) == 0);
}

static void add_prepare(struct buffer *input)
{
    struct buffer record = {0};
    Tcpflowgen__PrepareRequest prepare = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    Tcpflowgen__Run about = TCPFLOWGEN__RUN__INIT;
    Tcpflowgen__RunAgent agent = TCPFLOWGEN__RUN_AGENT__INIT;
    Tcpflowgen__RunAgent *agents[] = {&agent};
    Tcpflowgen__EndSpec end = TCPFLOWGEN__END_SPEC__INIT;
    Tcpflowgen__EndSpec *ends[] = {&end};
    about.id = (char *)"abc";
    about.n_agents = 1;
    about.agents = agents;
    end.local_address = end.peer_address = (char *)"127.0.0.1";
    end.peer_port = 1;
    prepare.about = &about;
    prepare.n_ends = 1;
    prepare.ends = ends;
    FUZZ_ASSERT(spool_record_prepare(&record, &prepare) == 0);
    add(input, &record);
    buffer_fini(&record);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct buffer input = {0}, record = {0};
    struct sample sample = {.info_length = TCP_INFO_SIZE, .tick = 5};
    const struct sample *rows[] = {&sample, &sample};
    const struct axis axis = {.axis_ns = 1, .local_ns = 2, .rate = 1e-6};
    FUZZ_ASSERT(buffer_append(&input, "\1", 1) == 0);
    add_prepare(&input);
    FUZZ_ASSERT(spool_record_axis(&record, 0, &axis, 1) == 0);
    add(&input, &record);
    buffer_clear(&record);
    FUZZ_ASSERT(spool_record_samples(&record, rows, 2) == 0);
    add(&input, &record);
    buffer_clear(&record);
    FUZZ_ASSERT(spool_record_run_end(&record, 1, 0, "") == 0);
    add(&input, &record);
    fuzz_seed("spool", input.data, input.size);
    buffer_fini(&record);
    buffer_fini(&input);
    return 0;
}

static void frame(struct buffer *out, const uint8_t *data, size_t size)
{
    while (size >= 2) {
        size_t length = (size_t)data[0] << 8 | data[1];
        length = length < size - 2 ? length : size - 2;
        FUZZ_ASSERT(segment_frame(out, data + 2, length) == 0);
        data += 2 + length;
        size -= 2 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer file = {0};
    char path[FUZZ_PATH_MAX];
    const char *paths[] = {path};
    struct recover_outcome outcome;
    struct surveyed *surveyed = NULL;
    if (size == 0)
        return 0;
    if (data[0] & 1)
        frame(&file, data + 1, size - 1);
    else
        FUZZ_ASSERT(buffer_append(&file, data + 1, size - 1) == 0);
    const int fd = fuzz_file(file.data, file.size, path);
    if (survey_files(paths, 1, &surveyed, NULL) == 0)
        free(surveyed);
    recover_run(paths, 1, "/dev/null", &outcome, NULL);
    close(fd);
    buffer_fini(&file);
    return 0;
}
