#include "recover/spools.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/message.h"
#include "format/record_check.h"
#include "format/result_message.h"
#include "model/host_names.h"
#include "model/scenario.h"
#include "proto/agent.pb-c.h"
#include "recover/parties.h"

#define FILES_MAX   4096
#define BROKEN_TOLD 8
#define LINK_SIZE   8 /* that the master's part file has before each record: its first byte is 0 */

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
}

/* No message of protobuf begins with a zero. */
static bool has_link(const struct buffer *record)
{
    return record->size >= LINK_SIZE && record->data[0] == 0;
}

/* Of a record of no end.  The part file's links say it there. */
static uint32_t agent_of(const struct recover_file *file, const struct buffer *record)
{
    uint64_t link;
    if (!has_link(record))
        return file->agent;
    memcpy(&link, record->data, sizeof link);
    link = be64toh(link);
    return link > 0 && link <= AGENT_UNKNOWN ? (uint32_t)(link - 1) : AGENT_UNKNOWN;
}

void spool_skip_link(const struct buffer *record, const uint8_t **data, size_t *size)
{
    const size_t skip = has_link(record) ? LINK_SIZE : 0;
    *data = record->data + skip;
    *size = record->size - skip;
}

int recovered_read(const struct recovered *recovered, const struct recover_piece *piece,
                   struct buffer *record, const uint8_t **data, size_t *size, struct error *err)
{
    uint64_t next;
    struct segment *segment = recovered->files[piece->file].segment;
    int got = segment_read(segment, piece->offset, record, &next, err);
    if (got < 0)
        return got;
    if (got == 0)
        return error_set(err, ERROR_SYSTEM, segment_path(segment), "it got shorter meanwhile");
    spool_skip_link(record, data, size);
    return 0;
}

/* ---- flows ---- */

static bool make_room(struct recovered *r, uint32_t index)
{
    if (index < r->flow_count)
        return true;
    size_t count = ((size_t)index + 1) * 3 / 2;
    struct recover_flow **flows = reallocarray(r->flows, count, sizeof(*flows));
    if (!flows)
        return false;
    memset(flows + r->flow_count, 0, (count - r->flow_count) * sizeof(*flows));
    r->flows = flows;
    r->flow_count = count;
    return true;
}

/* NULL: no such flow can be, or out of memory. */
static struct recover_flow *flow_at(struct recovered *r, uint32_t index)
{
    if (index >= SCENARIO_FLOWS_MAX || !make_room(r, index))
        return NULL;
    struct recover_flow *flow = r->flows[index];
    if (flow)
        return flow;
    flow = calloc(1, sizeof *flow);
    if (!flow)
        return NULL;
    /* Until a Prepare says it better. */
    flow->agent[END_SRC] = flow->agent[END_DST] = AGENT_UNKNOWN;
    flow->result.id = (int32_t)index;
    strcpy(flow->result.src, "?");
    strcpy(flow->result.dst, "?");
    r->flows[index] = flow;
    return flow;
}

static void name_host(const struct recovered *r, uint32_t host, char name[64])
{
    if (host < r->run.host_count && r->run.hosts[host].name)
        snprintf(name, 64, "%s", r->run.hosts[host].name);
}

/* That it was captured, and why its packets are not here. */
static void take_capture(struct flow_result *result, const struct end_spec *spec)
{
    result->capture = spec->capture;
    if (spec->capture == CAPTURE_NONE)
        return;
    result->has_captured[spec->end] = true;
    snprintf(result->captured[spec->end].error, sizeof result->captured[spec->end].error,
             "a recovered result has the samples alone, not the packets");
}

static void take_end(struct recovered *r, const Tcpflowgen__EndSpec *message, uint32_t agent)
{
    struct end_spec spec;
    struct recover_flow *flow =
        message_to_end_spec(&spec, message, NULL) ? NULL : flow_at(r, spec.flow);
    if (!flow)
        return;
    struct flow_result *result = &flow->result;
    flow->agent[spec.end] = agent;
    result->id = spec.id;
    result->src_host = message->src_host;
    result->dst_host = message->dst_host;
    name_host(r, message->src_host, result->src);
    name_host(r, message->dst_host, result->dst);
    if (spec.end == END_SRC)
        result->port = spec.peer_port;
    result->start_ns = spec.start_ns;
    result->duration_ns = spec.duration_ns;
    strcpy(result->ccalg, spec.ccalg);
    result->ecn = spec.ecn;
    result->nodelay = spec.nodelay;
    result->tuning = spec.tuning;
    result->connect = spec.connect;
    result->finish = spec.finish;
    take_capture(result, &spec);
    strcpy(result->family, strchr(spec.peer_address, ':') ? "ipv6" : "ipv4");
}

/* ---- the run ---- */

static int take_about(struct recovered *r, const Tcpflowgen__Run *about, const char *path,
                      struct error *err)
{
    if (r->described) {
        if (strcmp(about->id, r->run.id) == 0)
            return 0;
        r->mixed = true;
        error_set(err, ERROR_INPUT, path, "it is of run %.64s, and another file of run %.64s",
                  about->id, r->run.id);
        return error_cure(err, "give the files of one run at a time");
    }
    Tcpflowgen__Run head = *about; /* who took part: parties.h */
    struct run_info known = r->run, run;
    head.n_hosts = head.n_agents = head.n_events = head.n_host_samples = 0;
    r->described = true;
    int failed = run_from_message(&run, &head);
    for (size_t i = 0; i < known.warning_count; i++) {
        failed |= run_info_add_warning(&run, known.warnings[i]);
        free(known.warnings[i]);
    }
    free(known.warnings);
    free(run.hosts); /* none */
    free(run.agents);
    run.hosts = known.hosts;
    run.host_count = known.host_count;
    run.agents = known.agents;
    run.agent_count = known.agent_count;
    run.events = known.events;
    run.event_count = known.event_count;
    r->run = run;
    return failed ? no_memory(err) : 0;
}

static struct recover_agent *agent_at(struct recovered *r, uint32_t index)
{
    return index < r->agent_count ? &r->agents[index] : NULL;
}

/* Of a spool that is given twice, or a copy beside it, the longest counts. */
static int own_file(struct recovered *r, struct recover_file *file, uint32_t number,
                    struct error *err)
{
    struct recover_agent *agent = &r->agents[number];
    struct recover_file *other = agent->file;
    char text[700];
    file->agent = number;
    if (other && segment_size(file->segment) <= segment_size(other->segment)) {
        file->doubled = true;
    } else {
        if (other)
            other->doubled = true;
        host_series_clear(&r->run.agents[number].host); /* a part file may have them, too */
    }
    if (!file->doubled)
        agent->file = file;
    if (!other)
        return 0;
    snprintf(text, sizeof text,
             "%.256s and %.256s are spools of one agent, %.64s: the longer one counts",
             segment_path(other->segment), segment_path(file->segment), r->run.agents[number].mgmt);
    return run_info_add_warning(&r->run, text) ? no_memory(err) : 0;
}

static int take_prepare(struct recovered *r, struct recover_file *file, const struct buffer *record,
                        struct error *err)
{
    const uint8_t *data;
    size_t size;
    spool_skip_link(record, &data, &size);
    const bool spool = data == record->data;
    const bool of_master = !spool && agent_of(file, record) == SPOOL_OF_MASTER;

    Tcpflowgen__PrepareRequest *prepare = spool_record_prepared(data, size);
    int failed = 0;
    if (!prepare)
        return error_set(err, ERROR_INPUT, NULL, "what was prepared cannot be read");
    if (prepare->about)
        failed = take_about(r, prepare->about, segment_path(file->segment), err);
    if (!failed)
        failed = parties_take(r, prepare, of_master, err);
    struct recover_agent *agent = agent_at(r, prepare->agent);
    if (agent)
        agent->seen = true;
    if (!failed && agent && spool && file->agent == AGENT_UNKNOWN)
        failed = own_file(r, file, prepare->agent, err);
    for (size_t i = 0; !failed && i < prepare->n_ends; i++)
        take_end(r, prepare->ends[i], prepare->agent);
    tcpflowgen__prepare_request__free_unpacked(prepare, NULL);
    return failed;
}

static void take_axis(struct recovered *r, const struct spool_head *head)
{
    struct recover_agent *agent = agent_at(r, head->agent);
    if (!agent)
        return;
    agent->has_axis = true;
    agent->axis = head->axis;
    if (!r->run.started_unix_ns)
        r->run.started_unix_ns = head->t0_unix_ns;
}

static int take_run_end(struct recovered *r, uint32_t number, const struct spool_head *head,
                        struct error *err)
{
    struct recover_agent *agent = agent_at(r, number);
    char text[700], name[HOST_NAMES_MAX] = "?";
    if (agent && agent->ended) /* its spool and a part file have it */
        return 0;
    if (agent) {
        agent->ended = true;
        r->run.agents[number].other_runs = head->other_runs;
    }
    if (!head->problem[0])
        return 0;
    if (agent)
        host_names_of_agent(&r->run, number, name);
    snprintf(text, sizeof text, "%s: %s", name, head->problem);
    return run_info_add_event(&r->run, 0, text) ? no_memory(err) : 0;
}

/* ---- ends ---- */

static int take_samples(struct recovered *r, const struct recover_piece *piece, struct error *err)
{
    if (r->piece_count == r->piece_capacity) {
        size_t capacity = r->piece_capacity ? r->piece_capacity * 2 : 1024;
        struct recover_piece *pieces = reallocarray(r->pieces, capacity, sizeof *pieces);
        if (!pieces)
            return no_memory(err);
        r->pieces = pieces;
        r->piece_capacity = capacity;
    }
    r->pieces[r->piece_count++] = *piece;
    return 0;
}

static void take_report(struct recover_flow *flow, const struct spool_head *head)
{
    struct flow_result *result = &flow->result;
    if (result->has_report[head->end])
        return;
    result->has_report[head->end] = true;
    result->report[head->end] = head->report;
    if (head->end == END_DST && head->report.local_port)
        result->port = head->report.local_port;
}

/* Where there is a spool of the agent, it counts. */
static int take_host_rows(struct recovered *r, uint32_t number, bool spool, const uint8_t *data,
                          size_t size, struct error *err)
{
    const struct recover_agent *agent = agent_at(r, number);
    if (!agent || (!spool && agent->file))
        return 0;
    struct host_series *host = &r->run.agents[number].host;
    const size_t limit = host_series_limit(r->agent_count);
    return spool_record_host_rows(data, size, host, limit, err) == ERROR_SYSTEM ? ERROR_SYSTEM : 0;
}

/* ERROR_INPUT: the record is broken, and what follows is of use all the same; else it is the end.
 */
static int take_record(struct recovered *r, struct recover_piece *piece,
                       const struct buffer *record, struct error *err)
{
    struct recover_file *file = &r->files[piece->file];
    const uint8_t *data;
    size_t size;
    struct spool_head head;
    spool_skip_link(record, &data, &size);
    const int failed = record_check(data, size, &head, err);
    if (failed)
        return failed;
    if (head.kind == SPOOL_PREPARE)
        return take_prepare(r, file, record, err);
    if (file->doubled)
        return 0;
    if (head.kind == SPOOL_RUN_END)
        return take_run_end(r, agent_of(file, record), &head, err);
    if (head.kind == SPOOL_AXIS)
        take_axis(r, &head);
    if (head.kind == SPOOL_HOST)
        return take_host_rows(r, agent_of(file, record), !has_link(record), data, size, err);
    if (head.kind != SPOOL_SAMPLES && head.kind != SPOOL_REPORT)
        return 0;
    struct recover_flow *flow = flow_at(r, head.flow);
    if (!flow)
        return head.flow < SCENARIO_FLOWS_MAX
                   ? no_memory(err)
                   : error_set(err, ERROR_INPUT, NULL, "no run has a flow %u", head.flow);
    if (head.kind == SPOOL_REPORT) {
        take_report(flow, &head);
        return 0;
    }
    piece->flow = head.flow;
    piece->end = (uint8_t)head.end;
    piece->rows = head.rows;
    return take_samples(r, piece, err);
}

/* ---- files ---- */

/* The first few of a file are named. */
static int leave_out(struct recovered *r, struct recover_file *file, uint64_t at, const char *why,
                     struct error *err)
{
    char text[700];
    r->broken++;
    if (file->broken++ >= BROKEN_TOLD)
        return 0;
    snprintf(text, sizeof text, "%.256s: the record at byte %" PRIu64 " is left out: %s",
             segment_path(file->segment), at, why);
    return run_info_add_warning(&r->run, text) ? no_memory(err) : 0;
}

static int tell_others(struct recovered *r, const struct recover_file *file, struct error *err)
{
    char text[400];
    if (file->broken <= BROKEN_TOLD)
        return 0;
    snprintf(text, sizeof text, "%.256s: %zu more records are broken and left out",
             segment_path(file->segment), file->broken - BROKEN_TOLD);
    return run_info_add_warning(&r->run, text) ? no_memory(err) : 0;
}

/* Whether a record that cannot be read is one of its own: what stands behind it can, or it is the
 * last, and ends with the file. */
static bool ends_soundly(struct segment *segment, uint64_t offset, struct buffer *record,
                         uint64_t *next)
{
    uint64_t behind;
    if (!segment_skip(segment, offset, next))
        return false;
    if (*next == segment_size(segment))
        return offset > 0;
    return segment_read(segment, *next, record, &behind, NULL) > 0;
}

/* An agent that was killed may have left half a record. */
static int warn_broken(struct recovered *r, const char *path, uint64_t at, uint64_t size,
                       struct error *err)
{
    char text[512];
    snprintf(text, sizeof text,
             "%s: broken at byte %" PRIu64 ": the last %" PRIu64 " bytes are not used", path, at,
             size - at);
    return run_info_add_warning(&r->run, text) ? no_memory(err) : 0;
}

static int no_spool(const char *path, struct error *err)
{
    error_set(err, ERROR_INPUT, path, "it is no spool");
    return error_cure(
        err,
        "a result alone is none, either: of a run that lost an agent its master keeps a part file, "
        "tcp-flowgen-RUN.part beside the result, which is not there: give it, and that agent's spool");
}

/* The record at piece->offset, which goes on to the next. */
static int read_record(struct recovered *r, struct recover_piece *piece, struct buffer *record,
                       struct error *err)
{
    struct recover_file *file = &r->files[piece->file];
    const uint64_t at = piece->offset, size = segment_size(file->segment);
    struct error why = {0};
    uint64_t next = size;
    int failed = 0;
    if (segment_read(file->segment, at, record, &next, NULL) > 0) {
        failed = take_record(r, piece, record, &why);
        if (failed == ERROR_INPUT && !r->mixed)
            failed = leave_out(r, file, at, why.what, err);
        else if (failed && err)
            *err = why;
    } else if (ends_soundly(file->segment, at, record, &next)) {
        failed = leave_out(r, file, at, "its checksum is wrong", err);
    } else {
        failed = at ? warn_broken(r, segment_path(file->segment), at, size, err)
                    : no_spool(segment_path(file->segment), err);
        next = size;
    }
    piece->offset = next;
    return failed;
}

static int read_file(struct recovered *r, size_t index, struct error *err)
{
    struct segment *segment = r->files[index].segment;
    struct recover_piece piece = {.file = (uint16_t)index};
    struct buffer record = {0};
    int failed = segment_size(segment) ? 0 : no_spool(segment_path(segment), err);
    while (!failed && piece.offset < segment_size(segment))
        failed = read_record(r, &piece, &record, err);
    if (!failed)
        failed = tell_others(r, &r->files[index], err);
    buffer_fini(&record);
    return failed;
}

static int by_end(const void *a, const void *b)
{
    const struct recover_piece *x = a, *y = b;
    if (x->flow != y->flow)
        return x->flow < y->flow ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static bool same_end(const struct recover_piece *x, const struct recover_piece *y)
{
    return x->flow == y->flow && x->end == y->end;
}

/* A part file has what a spool has, up to some point: of each end the file counts that has most. */
static void drop_doubles(struct recovered *r)
{
    size_t kept = 0;
    for (size_t first = 0, next; first < r->piece_count; first = next) {
        const struct recover_piece *pieces = &r->pieces[first];
        uint64_t most = 0, rows = 0;
        uint16_t best = pieces->file;
        for (next = first; next < r->piece_count && same_end(pieces, &r->pieces[next]); next++) {
            bool begins = next == first || r->pieces[next].file != r->pieces[next - 1].file;
            rows = (begins ? 0 : rows) + r->pieces[next].rows;
            if (rows > most) {
                most = rows;
                best = r->pieces[next].file;
            }
        }
        for (size_t i = first; i < next; i++)
            if (r->pieces[i].file == best)
                r->pieces[kept++] = r->pieces[i];
    }
    r->piece_count = kept;
}

int recovered_load(struct recovered *out, const char *const *paths, size_t count, struct error *err)
{
    if (count > FILES_MAX)
        return error_set(err, ERROR_INPUT, NULL, "more than %d files", FILES_MAX);
    out->files = calloc(count, sizeof *out->files);
    if (!out->files)
        return no_memory(err);
    int failed = 0;
    for (size_t i = 0; !failed && i < count; i++) {
        out->files[i].agent = AGENT_UNKNOWN;
        failed = segment_open(&out->files[i].segment, paths[i], err);
        out->file_count += !failed;
    }
    for (size_t i = 0; !failed && i < count; i++)
        failed = read_file(out, i, err);
    if (!failed)
        failed = parties_settle(out, err);
    if (failed)
        return failed;
    if (out->piece_count)
        qsort(out->pieces, out->piece_count, sizeof *out->pieces, by_end);
    drop_doubles(out);
    return 0;
}

void recovered_fini(struct recovered *recovered)
{
    for (size_t i = 0; i < recovered->file_count; i++)
        segment_close(recovered->files[i].segment, false);
    run_info_fini(&recovered->run);
    free(recovered->files);
    free(recovered->agents);
    for (size_t i = 0; i < recovered->flow_count; i++)
        free(recovered->flows[i]);
    free(recovered->flows);
    free(recovered->pieces);
    *recovered = (struct recovered){0};
}
