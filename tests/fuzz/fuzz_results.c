/* Result files, as `summary` reads them. */
#include <string.h>

#include "../one_series.h"
#include "format/results_writer.h"
#include "fuzz.h"
#include "report/summary.h"
#include "util/buffer.h"

/* Whole, and without what says that it has a checksum, so that changes are looked into. */
static void seed(const char *name, const uint8_t *bytes, size_t size)
{
    uint8_t unchecked[8192];
    fuzz_seed(name, bytes, size);
    FUZZ_ASSERT(size < sizeof unchecked && bytes[4] == 0x50);
    memcpy(unchecked, bytes, size);
    unchecked[5] = 0;
    unchecked[size - 5] = 14 << 3 | 5; /* a field that nobody knows */
    fuzz_seed("unchecked", unchecked, size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct run_host hosts[] = {{.name = (char[]){"A"}}, {.name = (char[]){"B"}}};
    struct run_agent agents[] = {{.mgmt = (char[]){"a:1"}, .hostname = (char[]){"a"}}};
    const struct run_info run = {.id = (char[]){"abc"},
                                 .scenario = (char[]){"{}"},
                                 .hosts = hosts,
                                 .host_count = 2,
                                 .agents = agents,
                                 .agent_count = 1};
    struct flow_result flow = {.id = 1,
                               .src = "A",
                               .dst = "B",
                               .has_report = {true, true},
                               .report[END_DST].end = END_DST};
    struct results_writer *writer;
    struct one_series source;
    char path[FUZZ_PATH_MAX];
    uint8_t bytes[8192];
    snprintf(path, sizeof path, "/tmp/fuzz-seed-%d", (int)getpid());
    FUZZ_ASSERT(one_series_fill(&source, 3));
    FUZZ_ASSERT(results_writer_open(&writer, path, 0, NULL) == 0);
    FUZZ_ASSERT(results_writer_flow(writer, &flow, &run, one_series_give, &source, NULL) == 0);
    FUZZ_ASSERT(results_writer_close(writer, NULL) == 0);
    FILE *file = fopen(path, "rb");
    FUZZ_ASSERT(file);
    seed("result", bytes, fread(bytes, 1, sizeof bytes, file));
    fclose(file);
    unlink(path);
    series_fini(&source.series);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[FUZZ_PATH_MAX];
    const int fd = fuzz_file(data, size, path);
    const char *paths[] = {path};
    struct summary summary;
    struct error err = {0};
    if (summary_load(&summary, paths, 1, -1, &err) == 0) {
        FILE *out = fopen("/dev/null", "w");
        FUZZ_ASSERT(out);
        summary_text(&summary, out, 0, "");
        summary_json(&summary, out, NULL);
        fclose(out);
        summary_fini(&summary);
    } else {
        FUZZ_ASSERT(err.code && err.what[0]);
    }
    close(fd);
    return 0;
}
