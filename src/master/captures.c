#include "master/captures.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/packets_record.h"
#include "format/pcapng.h"
#include "model/ns.h"
#include "util/cleanup.h"
#include "util/users.h"
#include "util/version.h"

/* One end's file while it is written. */
struct writing {
    struct session *session;
    uint32_t flow;
    enum flow_end end;
    const struct master_agent *agent;
    struct capture_report *report;
    int directory;
    char name[CAPTURE_FILE_MAX];
    struct pcapng *file; /* NULL: no packet yet */
    uint64_t packets;
};

static const char *word_of(enum flow_end end)
{
    return end == END_SRC ? "src" : "dst";
}

static void name_file(const struct session *session, uint32_t flow, enum flow_end end,
                      char out[CAPTURE_FILE_MAX])
{
    snprintf(out, CAPTURE_FILE_MAX, "%s-flow%d-%s.pcapng", session->id,
             session->plan->flows[flow].id, word_of(end));
}

/* ---- a file ---- */

static int open_file(struct writing *writing, uint32_t link_type, struct error *err)
{
    const struct plan *plan = writing->session->plan;
    const struct plan_flow *flow = &plan->flows[writing->flow];
    char comment[512];
    snprintf(
        comment, sizeof comment,
        "run %s, flow %d, %s end at host %s (agent %s). Times are the run's, right to %.1f us. "
        "Payload is left out.",
        writing->session->id, flow->id, word_of(writing->end),
        plan->hosts[writing->end == END_SRC ? flow->src : flow->dst].name, writing->agent->mgmt,
        (double)writing->report->error_ns / 1e3);
    const struct pcapng_about about = {
        .comment = comment,
        .application = "tcp-flowgen " TCP_FLOWGEN_VERSION,
        .interface = writing->report->device,
        .link_type = link_type,
        .snap_length = CAPTURE_SNAP,
    };
    return pcapng_open(&writing->file, writing->directory, writing->name, &about, err);
}

static int write_packet(void *arg, uint32_t link_type, const struct packet *packet,
                        const uint8_t *bytes, struct error *err)
{
    struct writing *writing = arg;
    const struct session *session = writing->session;
    const wide_ns master_ns = clock_fit_to_master(&writing->agent->info.clock, packet->t_ns);
    int failed = writing->file ? 0 : open_file(writing, link_type, err);
    if (failed)
        return failed;
    writing->packets++;
    return pcapng_packet(writing->file,
                         ns_clamp(session->run.started_unix_ns + master_ns - session->t0_ns),
                         packet->length, packet->captured, bytes, err);
}

static int write_record(void *arg, const void *data, size_t size, struct error *err)
{
    return packets_record_each(data, size, write_packet, arg, err);
}

static int write_file(struct writing *writing, struct error *err)
{
    int failed = collect_each_packets(writing->session->collect, writing->flow, writing->end,
                                      write_record, writing, err);
    if (!failed && !writing->file) /* a capture of nothing is one, too */
        failed = open_file(writing, LINKTYPE_ETHERNET, err);
    if (failed)
        pcapng_abort(writing->file);
    else
        failed = pcapng_close(writing->file, writing->report->dropped + writing->report->lost, err);
    return failed;
}

/* ---- an end ---- */

/* What the agent said of the capture; it may have been lost before. */
static struct capture_report *get_report(struct session *session, uint32_t flow, enum flow_end end)
{
    struct capture_report **report = &session->flows[flow].captured[end];
    if (!*report && (*report = calloc(1, sizeof **report)))
        snprintf((*report)->error, sizeof(*report)->error,
                 "the agent did not tell that it was complete");
    if (*report)
        (*report)->error_ns = ns_clamp((wide_ns)(*report)->error_ns +
                                       session_agent(session, flow, end)->info.clock.error_ns);
    return *report;
}

static void warn(struct session *session, const struct writing *writing)
{
    const struct capture_report *report = writing->report;
    const uint64_t missing = report->dropped + report->lost;
    char text[384];
    if (!report->error[0] && !missing)
        return;
    int size = snprintf(text, sizeof text,
                        "flow %d, capture at the %s end: ", session->plan->flows[writing->flow].id,
                        word_of(writing->end));
    if (report->error[0])
        snprintf(text + size, sizeof text - (size_t)size, "%s", report->error);
    else
        snprintf(text + size, sizeof text - (size_t)size,
                 "%" PRIu64 " of %" PRIu64 " packets are missing", missing,
                 missing + report->packets);
    session_warn(session, text);
}

static void write_end(struct session *session, uint32_t flow, enum flow_end end, int directory)
{
    struct error err = {0};
    struct writing writing = {.session = session,
                              .flow = flow,
                              .end = end,
                              .directory = directory,
                              .agent = session_agent(session, flow, end),
                              .report = get_report(session, flow, end)};
    name_file(session, flow, end, writing.name);
    if (!writing.report) {
        session_trouble(session, "captures: out of memory");
        return;
    }
    const int failed = write_file(&writing, &err);
    session->flows[flow].capture_stands[end] = !failed;
    /* The agent's spool may have dropped some that it had kept. */
    if (writing.report->packets > writing.packets)
        writing.report->lost += writing.report->packets - writing.packets;
    writing.report->packets = writing.packets;
    if (failed) {
        err.where[0] = '\0'; /* it is said of this file */
        error_text(&err, writing.report->error, sizeof writing.report->error);
        session->troubled = true;
    }
    warn(session, &writing);
}

/* ---- all ---- */

static bool wanted(const struct session *session, uint32_t flow)
{
    return session->plan->flows[flow].capture != CAPTURE_NONE && !session->flows[flow].refused;
}

/* Without slashes behind it, as they would have a link followed.  NULL: out of memory. */
static char *path_of(const struct session *session)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s",
                 session->options->captures ? session->options->captures : session->repeat->output,
                 session->options->captures ? "" : ".captures") < 0)
        return NULL;
    for (size_t size = strlen(path); size > 1 && path[size - 1] == '/'; size--)
        path[size - 1] = '\0';
    return path;
}

/* What stands there is no directory that can be opened. */
static int refuse_path(const char *path, int why, struct error *err)
{
    struct stat status;
    if (lstat(path, &status) || !S_ISLNK(status.st_mode))
        return error_set_errno(err, ERROR_INPUT, why, path, "captures cannot be kept there");
    error_set(err, ERROR_INPUT, path, "captures are not kept there: it is a link");
    return error_cure(err, "name the directory itself with --captures");
}

/* Who owns it could exchange files while they are written. */
static int check_owner(int directory, const char *path, struct error *err)
{
    struct stat status;
    char owner[USERS_TEXT_MAX];
    if (fstat(directory, &status))
        return error_set_errno(err, ERROR_INPUT, errno, path, "captures cannot be kept there");
    if (status.st_uid == geteuid() || status.st_uid == 0)
        return 0;
    error_set(err, ERROR_INPUT, path, "captures are not kept there: the directory belongs to %s",
              users_text(status.st_uid, owner));
    return error_cure(err, "have it be yours (chown), or name another one with --captures");
}

/* Makes it unless it is there.  From here on it is known by its descriptor: who may write beside it
 * may put a link, or another directory, in its place at any time.  -1: err. */
static int open_directory(const char *path, struct error *err)
{
    int fd = -1;
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        refuse_path(path, errno, err);
    } else if (check_owner(fd, path, err)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void captures_write(struct session *session)
{
    CLEANUP_FREE char *path = NULL;
    int directory = -1;
    for (uint32_t flow = 0; flow < session->plan->flow_count; flow++) {
        if (!wanted(session, flow))
            continue;
        struct error err = {0};
        char text[sizeof err];
        if (directory < 0 &&
            (!(path = path_of(session)) || (directory = open_directory(path, &err)) < 0)) {
            session_trouble(session,
                            path ? error_text(&err, text, sizeof text) : "captures: out of memory");
            return;
        }
        write_end(session, flow, END_SRC, directory);
        write_end(session, flow, END_DST, directory);
    }
    if (directory >= 0)
        close(directory);
}

void captures_tell(const struct session *session, uint32_t index, struct flow_result *flow)
{
    const struct master_flow *state = &session->flows[index];
    for (int end = 0; wanted(session, index) && end < 2; end++) {
        flow->has_captured[end] = state->captured[end] != NULL;
        if (state->captured[end])
            flow->captured[end] = *state->captured[end];
        if (state->capture_stands[end])
            name_file(session, index, (enum flow_end)end, flow->capture_file[end]);
    }
}
