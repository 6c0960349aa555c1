/* A kept record is [8 bytes: place of the end's record before it, plus one][the agent's bytes];
 * only the last place of each end is held in memory.  Where there is no such chain, the agent's
 * number, plus one, stands in that place: host rows and a spool's end do not say whose they are. */
#include "master/collect.h"

#include <endian.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/results_file.h"
#include "format/segment.h"
#include "util/cleanup.h"

#define LINK_SIZE  sizeof(uint64_t)
#define PIECE_ROWS 1024

struct chain {
    uint64_t last; /* place plus one; 0: none */
    uint64_t count;
};

struct collect {
    struct segment *segment;
    struct buffer scratch;
    size_t flows;
    struct chain *packets; /* flow * 2 + end; NULL: none came yet */
    struct chain chains[]; /* of samples, likewise */
};

static char *part_path(const char *output)
{
    char *path = NULL;
    const char *tmp = getenv("TMPDIR");
    int length = results_file_in_place(output) ? asprintf(&path, "%s/tcp-flowgen-%d.part",
                                                          tmp && *tmp ? tmp : "/tmp", getpid())
                                               : asprintf(&path, "%s.part", output);
    return length < 0 ? NULL : path;
}

/* What would else be found out when the run is over. */
static int check_place(const char *output, const char *part, struct error *err)
{
    struct stat status;
    if (stat(output, &status) == 0 && S_ISDIR(status.st_mode)) {
        error_set(err, ERROR_INPUT, output, "it is a directory");
        return error_cure(err, "name a file in it as output");
    }
    if (access(part, F_OK) == 0) {
        error_set(err, ERROR_INPUT, part, "it exists");
        return error_cure(err, "an earlier run may have left it (`tcp-flowgen recover` makes a "
                               "result of that), or another one writes it: move it away, or name "
                               "another output");
    }
    CLEANUP_FREE char *copy = strdup(part);
    if (!copy)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    const char *directory = dirname(copy);
    if (access(directory, W_OK | X_OK) == 0)
        return 0;
    error_set_errno(err, ERROR_INPUT, errno, directory, "no file can be made there");
    return error_cure(err, results_file_in_place(output)
                               ? "set TMPDIR to a directory that can be written to"
                               : "name an output in a directory that can be written to");
}

int collect_create(struct collect **out, const char *output, size_t flows, struct error *err)
{
    struct collect *collect = calloc(1, sizeof *collect + flows * 2 * sizeof(struct chain));
    CLEANUP_FREE char *path = part_path(output);
    if (!collect || !path) {
        free(collect);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    collect->flows = flows;
    int failed = check_place(output, path, err);
    if (!failed)
        failed = segment_create(&collect->segment, path, err);
    if (failed) {
        free(collect);
        return failed;
    }
    *out = collect;
    return 0;
}

static struct chain *chain_of(struct collect *collect, uint32_t flow, enum flow_end end)
{
    return &collect->chains[(size_t)flow * 2 + end];
}

/* NULL: out of memory. */
static struct chain *packets_of(struct collect *collect, uint32_t flow, enum flow_end end)
{
    if (!collect->packets)
        collect->packets = calloc(collect->flows * 2, sizeof *collect->packets);
    return collect->packets ? &collect->packets[(size_t)flow * 2 + end] : NULL;
}

int collect_add(struct collect *collect, uint32_t agent, const struct spool_head *head,
                const void *data, size_t size, struct error *err)
{
    struct chain *chain = NULL;
    if (head->kind == SPOOL_SAMPLES)
        chain = chain_of(collect, head->flow, head->end);
    else if (head->kind == SPOOL_PACKETS && !(chain = packets_of(collect, head->flow, head->end)))
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    uint64_t before = htobe64(chain ? chain->last : (uint64_t)agent + 1);
    buffer_clear(&collect->scratch);
    if (buffer_append(&collect->scratch, &before, LINK_SIZE) ||
        buffer_append(&collect->scratch, data, size))
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    uint64_t place;
    int failed =
        segment_append(collect->segment, collect->scratch.data, collect->scratch.size, &place, err);
    if (!failed && chain) {
        chain->last = place + 1;
        chain->count++;
    }
    return failed;
}

uint64_t collect_count(const struct collect *collect, uint32_t flow, enum flow_end end)
{
    return collect->chains[(size_t)flow * 2 + end].count;
}

/* ---- reading back ---- */

/* Reads the record at a place; *before is the place plus one of the end's record before it. */
static int read_record(struct collect *collect, uint64_t place, struct buffer *record,
                       uint64_t *before, struct error *err)
{
    uint64_t next;
    int got = segment_read(collect->segment, place, record, &next, err);
    if (got < 0)
        return got;
    if (got == 0 || record->size < LINK_SIZE)
        return error_set(err, ERROR_SYSTEM, segment_path(collect->segment),
                         "a record that was written is not there any more");
    memcpy(before, record->data, LINK_SIZE);
    *before = be64toh(*before);
    return 0;
}

/* Finds the places of the chain's records. */
static int follow(struct collect_cursor *cursor, const struct chain *chain, struct error *err)
{
    struct collect *collect = cursor->collect;
    cursor->offsets = calloc(chain->count + 1, sizeof *cursor->offsets);
    if (!cursor->offsets)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    for (uint64_t at = chain->last; at && cursor->left < chain->count;) {
        cursor->offsets[cursor->left++] = at - 1;
        int failed = read_record(collect, at - 1, &cursor->record, &at, err);
        if (failed)
            return failed;
    }
    return 0;
}

int collect_open(struct collect_cursor *cursor, struct collect *collect, uint32_t flow,
                 enum flow_end end, const struct clock_fit *fit, int64_t t0_ns, struct error *err)
{
    *cursor = (struct collect_cursor){.collect = collect, .fit = fit, .t0_ns = t0_ns};
    return follow(cursor, chain_of(collect, flow, end), err);
}

/* Reads the end's next record into cursor->record.  1, 0 at the end, or negative. */
static int load(struct collect_cursor *cursor, struct error *err)
{
    if (cursor->pending)
        return 1;
    if (cursor->left == 0)
        return 0;
    uint64_t before;
    int failed = read_record(cursor->collect, cursor->offsets[--cursor->left], &cursor->record,
                             &before, err);
    cursor->pending = !failed;
    return failed ? failed : 1;
}

int collect_next(struct collect_cursor *cursor, const struct series **piece, struct error *err)
{
    struct series *series = &cursor->series;
    series_clear(series);
    int got = 1;
    while (series->count < PIECE_ROWS && (got = load(cursor, err)) > 0) {
        const struct buffer *record = &cursor->record;
        got = spool_record_rows(record->data + LINK_SIZE, record->size - LINK_SIZE, series, err);
        if (got > 0) /* another kernel's length: the next piece */
            break;
        if (got < 0)
            return got;
        cursor->pending = false;
    }
    if (got < 0)
        return got;
    for (size_t i = 0; i < series->count; i++)
        series->t_ns[i] = clock_fit_to_axis(cursor->fit, series->t_ns[i], cursor->t0_ns);
    *piece = series;
    return series->count > 0;
}

int collect_each_packets(struct collect *collect, uint32_t flow, enum flow_end end,
                         collect_taker *take, void *arg, struct error *err)
{
    struct collect_cursor cursor = {.collect = collect};
    const struct chain *chain = packets_of(collect, flow, end);
    int failed =
        chain ? follow(&cursor, chain, err) : error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    int got = 1;
    while (!failed && (got = load(&cursor, err)) > 0) {
        failed = take(arg, cursor.record.data + LINK_SIZE, cursor.record.size - LINK_SIZE, err);
        cursor.pending = false;
    }
    collect_close(&cursor);
    return failed ? failed : got;
}

void collect_close(struct collect_cursor *cursor)
{
    free(cursor->offsets);
    series_fini(&cursor->series);
    buffer_fini(&cursor->record);
    *cursor = (struct collect_cursor){0};
}

int collect_keep(struct collect *collect, const char *run, struct error *err)
{
    CLEANUP_FREE char *copy = strdup(segment_path(collect->segment)), *path = NULL;
    if (!copy || asprintf(&path, "%s/tcp-flowgen-%s.part", dirname(copy), run) < 0) {
        path = NULL;
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    return segment_rename(collect->segment, path, err);
}

const char *collect_path(const struct collect *collect)
{
    return segment_path(collect->segment);
}

void collect_destroy(struct collect *collect, bool remove_file)
{
    if (!collect)
        return;
    segment_close(collect->segment, remove_file);
    buffer_fini(&collect->scratch);
    free(collect->packets);
    free(collect);
}
