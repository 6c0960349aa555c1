#include "report/warnings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model/host_names.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/duration.h"
#include "util/units.h"

#define LEDGERS_MAX 10 /* that are told one by one */

/* What is not worth a word. */
#define SAMPLE_LATE_NS  (1 * NS_PER_MS)
#define MISSED_SHARE    0.01                       /* of the samples expected */
#define TURN_LATE_NS    ((double)(10 * NS_PER_MS)) /* of a begin or a stop */
#define WAIT_SHARE      0.1                        /* that a worker waited for a core */
#define READ_LATE_NS    (10 * NS_PER_MS)  /* of the first read, behind the acknowledgement */
#define FIRST_LATE_NS   (100 * NS_PER_MS) /* of that, behind the first write, and RTTs: */
#define FIRST_LATE_RTTS 3
#define SKIPPED_SHARE   0.001 /* of what was due under a rate */
#define NEGLECTED_SHARE 0.05  /* likewise */
#define STANDSTILL_NS   (1 * NS_PER_S)
/* One that is shorter, but took so much of its flow's time; a timeout takes 200 ms at least. */
#define STANDSTILL_SHARE    0.1
#define STANDSTILL_LEAST_NS (200 * NS_PER_MS)
#define STANDSTILL_RTTS     4 /* any: a window's worth of data waits so long without fault */

__attribute__((format(printf, 2, 3))) static void add(struct warnings *out, const char *format, ...)
{
    char **texts = reallocarray(out->texts, out->count + 1, sizeof(*texts));
    va_list args;
    va_start(args, format);
    if (texts)
        out->texts = texts;
    if (texts && vasprintf(&texts[out->count], format, args) >= 0)
        out->count++;
    else
        out->incomplete = true;
    va_end(args);
}

bool warnings_have(const struct warnings *warnings, const char *text)
{
    for (size_t i = 0; i < warnings->count; i++)
        if (strcmp(warnings->texts[i], text) == 0)
            return true;
    return false;
}

/* Behind a number that is a figure; NULL: there is none here. */
static const char *behind_figure(const char *text)
{
    static const char *const units[] = {" %", " ms", " us", " s", " of ", " flows", ")"};
    const size_t size = strspn(text, ".0123456789");
    for (size_t i = 0; size && i < COUNT_OF(units); i++)
        if (strncmp(text + size, units[i], strlen(units[i])) == 0)
            return text + size;
    return NULL;
}

static bool alike(const char *a, const char *b)
{
    for (bool begins = true; *a && *b; begins = *a == ' ' || *a == '(', a++, b++) {
        const char *behind_a = begins ? behind_figure(a) : NULL;
        const char *behind_b = begins ? behind_figure(b) : NULL;
        a = behind_a && behind_b ? behind_a : a;
        b = behind_a && behind_b ? behind_b : b;
        if (*a != *b)
            return false;
    }
    return *a == *b;
}

bool warnings_have_like(const struct warnings *warnings, const char *text)
{
    for (size_t i = 0; i < warnings->count; i++)
        if (alike(warnings->texts[i], text))
            return true;
    return false;
}

void warnings_fini(struct warnings *warnings)
{
    for (size_t i = 0; i < warnings->count; i++)
        free(warnings->texts[i]);
    free(warnings->texts);
    *warnings = (struct warnings){0};
}

/* ---- of the run ---- */

/* That ends share a machine is among the run's own warnings: only its master could know. */
static void add_own(struct warnings *out, const struct run_summary *summary)
{
    const struct run_info *run = &summary->run;
    char name[HOST_NAMES_MAX];
    if (summary->damage)
        add(out, "this is only what could be read: %s", summary->damage);
    if (summary->copies)
        add(out, "this run is also in %s: it counts once, with what is in %s", summary->copies,
            summary->file ? summary->file : "-");
    if (run->interrupted)
        add(out, "the run was interrupted");
    for (size_t i = 0; i < run->agent_count; i++) {
        const struct run_agent *agent = &run->agents[i];
        if (agent->lost && agent->lost[0] && run->recovered) /* its spool, if any, was read */
            add(out, "%s: %s", host_names_of_agent(run, i, name), agent->lost);
        else if (agent->lost && agent->lost[0])
            add(out,
                "%s was lost: %s; its spool on its machine, if it is there (tcp-flowgen-%s-*.spool), "
                "has all until then: see tcp-flowgen recover",
                host_names_of_agent(run, i, name), agent->lost, run->id ? run->id : "");
        if (agent->other_runs)
            add(out,
                "%s: %" PRIu32 " other run%s had flows there meanwhile: they shared its "
                "machine and its networks",
                host_names_of_agent(run, i, name), agent->other_runs,
                agent->other_runs == 1 ? "" : "s");
    }
    for (size_t i = 0; i < run->warning_count; i++)
        add(out, "%s", run->warnings[i]);
}

/* ---- of its flows ---- */

/* Bytes that do not reconcile are a fault, of the program or of the kernel: never keep it back. */
static void add_ledgers(struct warnings *out, const struct run_summary *run)
{
    size_t differ = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_result *flow = &run->flows[i].flow;
        if (flow->ledger.state != LEDGER_DIFFERS || differ++ >= LEDGERS_MAX)
            continue;
        add(out, "the bytes of flow %" PRId32 " do not reconcile: %s", flow->id, flow->ledger.why);
    }
    if (differ > LEDGERS_MAX)
        add(out, "... and those of %zu more flows do not", differ - LEDGERS_MAX);
}

static int64_t longest_interval(const struct run_info *run)
{
    int64_t interval_ns = 0;
    for (size_t i = 0; i < run->agent_count; i++)
        if (run->agents[i].interval_ns > interval_ns)
            interval_ns = run->agents[i].interval_ns;
    return interval_ns;
}

static void sum_lateness(uint64_t sum[LATENESS_BUCKETS], int64_t *max_ns,
                         const struct end_report *report)
{
    for (unsigned b = 0; b < LATENESS_BUCKETS; b++)
        sum[b] += report->lateness[b];
    if (report->lateness_max_ns > *max_ns)
        *max_ns = report->lateness_max_ns;
}

/* Only where it is bad: one sample of a hundred later than a tenth of the interval, and a ms. */
static void add_lateness(struct warnings *out, const struct run_summary *run)
{
    uint64_t sum[LATENESS_BUCKETS] = {0};
    int64_t max_ns = 0, bad_ns = longest_interval(&run->run) / 10;
    for (size_t i = 0; i < run->flow_count; i++)
        for (int end = 0; end < 2; end++)
            sum_lateness(sum, &max_ns, &run->flows[i].flow.report[end]);
    const int64_t p99 = lateness_percentile(sum, 0.99, max_ns);
    if (p99 <= bad_ns || p99 <= SAMPLE_LATE_NS)
        return;
    add(out,
        "samples were taken late: half of them by up to %.3f ms, 99 %% by up to %.3f ms, the latest "
        "by %.3f ms",
        (double)lateness_percentile(sum, 0.5, max_ns) / 1e6, (double)p99 / 1e6,
        (double)max_ns / 1e6);
}

/* ---- the worst of many ---- */

/* A figure of an end that is bad beyond a bound: of how many flows, and the worst end. */
struct worst {
    size_t flows;
    double value;
    const struct flow_summary *flow;
    enum flow_end end;
};

/* Below 0 or a NaN: not known.  False: it is not bad. */
typedef double figure(const struct flow_summary *flow, const struct end_report *report);

static struct worst find_worst(const struct run_summary *run, figure *get, double bound)
{
    struct worst worst = {0};
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        bool bad = false;
        for (int end = 0; end < 2; end++) {
            const struct end_report *report = flow_result_report(&flow->flow, (enum flow_end)end);
            const double value = report ? get(flow, report) : -1;
            if (!(value > bound))
                continue;
            bad = true;
            if (!worst.flow || value > worst.value) {
                worst.value = value;
                worst.flow = flow;
                worst.end = (enum flow_end)end;
            }
        }
        worst.flows += bad;
    }
    return worst;
}

static const char *end_name(enum flow_end end)
{
    return end == END_SRC ? "src" : "dst";
}

#define FLOWS_FORMAT "%zu of %zu flows: "
#define WORST_FORMAT "the worst is the %s end of flow %" PRId32

static double missed(const struct flow_summary *flow, const struct end_report *report)
{
    (void)flow;
    return (double)report->samples_missed / (double)report->samples_expected;
}

static void add_missed(struct warnings *out, const struct run_summary *run)
{
    const struct worst worst = find_worst(run, missed, MISSED_SHARE);
    if (!worst.flow)
        return;
    const struct end_report *report = &worst.flow->flow.report[worst.end];
    const struct gap *gap = &worst.flow->gap[worst.end];
    add(out,
        FLOWS_FORMAT "samples were missed; " WORST_FORMAT ", with %.0f %% (%" PRIu64 " of %" PRIu64
                     "), none for %.3g s from %.3f s on",
        worst.flows, run->flow_count, end_name(worst.end), worst.flow->flow.id, worst.value * 100,
        report->samples_missed, report->samples_expected, (double)gap->ns / 1e9,
        (double)gap->from_ns / 1e9);
}

/* An end that waits for its connection at the start begins when it can. */
static double begin_late(const struct flow_summary *flow, const struct end_report *report)
{
    const struct reading *begin = &report->reading[READ_BEGIN];
    if (!begin->info_length || flow->flow.connect == CONNECT_AT_START)
        return -1;
    return (double)begin->t_ns - (double)flow->flow.start_ns;
}

static double stop_late(const struct flow_summary *flow, const struct end_report *report)
{
    if (!(report->times >> T_STOP & 1))
        return -1;
    return (double)report->at[T_STOP] - (double)flow->flow.start_ns -
           (double)flow->flow.duration_ns;
}

static void add_late_turns(struct warnings *out, const struct run_summary *run)
{
    const struct worst begun = find_worst(run, begin_late, TURN_LATE_NS);
    const struct worst stopped = find_worst(run, stop_late, TURN_LATE_NS);
    if (begun.flow)
        add(out, "%zu of %zu flows started late; " WORST_FORMAT ", by %.0f ms", begun.flows,
            run->flow_count, end_name(begun.end), begun.flow->flow.id, begun.value / 1e6);
    if (stopped.flow)
        add(out, "%zu of %zu flows stopped late; " WORST_FORMAT ", by %.0f ms", stopped.flows,
            run->flow_count, end_name(stopped.end), stopped.flow->flow.id, stopped.value / 1e6);
}

/* Flows that the host limited are warned of by their verdict. */
static double waited(const struct flow_summary *flow, const struct end_report *report)
{
    const struct verdict *verdict = &flow->flow.verdict;
    if (verdict->limit == LIMIT_HOST)
        return -1;
    return report->end == END_SRC ? verdict->source.wait : verdict->sink.wait;
}

static void add_waits(struct warnings *out, const struct run_summary *run)
{
    const struct worst worst = find_worst(run, waited, WAIT_SHARE);
    if (worst.flow)
        add(out,
            FLOWS_FORMAT "a worker waited long for a core; " WORST_FORMAT ", for %.0f %% of the "
                         "time: CPUs were short",
            worst.flows, run->flow_count, end_name(worst.end), worst.flow->flow.id,
            worst.value * 100);
}

static bool known(const struct end_report *report, enum end_time which)
{
    return report && report->times >> which & 1;
}

/* ns from one end's time to the other's; below 0 also where they are not known. */
static double from_to(const struct end_report *one, enum end_time from,
                      const struct end_report *other, enum end_time to)
{
    if (!known(one, from) || !known(other, to))
        return -1;
    return (double)other->at[to] - (double)one->at[from];
}

static double usual_ns(const struct flow_summary *flow)
{
    return (double)FIRST_LATE_NS + FIRST_LATE_RTTS * (double)flow->rtt_min_ns;
}

/* Data wait in the receiver's kernel from before they are acknowledged until its program reads. */
static double read_late(const struct flow_summary *flow, const struct end_report *report)
{
    const struct end_report *src = flow_result_report(&flow->flow, END_SRC);
    if (report->end != END_DST || flow->flow.tuning.read_rate)
        return -1;
    const double waited_ns = from_to(src, T_FIRST_ACKED, report, T_FIRST_BYTE);
    const double error_ns = (double)flow->goodput.span.error_ns;
    return waited_ns > (double)READ_LATE_NS + error_ns ? waited_ns : -1;
}

static double acknowledged_late(const struct flow_summary *flow, const struct end_report *report)
{
    const double waited_ns = from_to(report, T_FIRST_BYTE, report, T_FIRST_ACKED);
    return waited_ns > usual_ns(flow) ? waited_ns : -1;
}

/* The source's kernel does not say when the first byte was acknowledged: late is what takes longer
 * than it may, or was seen to wait. */
static double first_read(const struct flow_summary *flow, const struct end_report *report)
{
    const struct end_report *src = flow_result_report(&flow->flow, END_SRC);
    if (report->end != END_DST || known(src, T_FIRST_ACKED))
        return -1;
    const double waited_ns = from_to(src, T_FIRST_BYTE, report, T_FIRST_BYTE);
    return flow->read_late || waited_ns > usual_ns(flow) ? waited_ns : -1;
}

static void add_first_reads(struct warnings *out, const struct run_summary *run)
{
    const struct worst worst = find_worst(run, first_read, 0);
    if (!worst.flow)
        return;
    const bool matters = worst.flow->basis == BY_READS;
    add(out,
        FLOWS_FORMAT "the receiver read its first data late; the worst is flow %" PRId32
                     ", %.0f ms behind the first write%s",
        worst.flows, run->flow_count, worst.flow->flow.id, worst.value / 1e6,
        matters ? ": what had waited until then may make the goodput too high" : "");
}

static void add_first_bytes(struct warnings *out, const struct run_summary *run)
{
    const struct worst read = find_worst(run, read_late, 0);
    const struct worst acked = find_worst(run, acknowledged_late, 0);
    char left[64] = "";
    if (read.flow)
        add(out,
            FLOWS_FORMAT "the receiver's program read its first data late; the worst is flow "
                         "%" PRId32 ", %.0f ms behind their acknowledgement: its host, not the "
                         "network",
            read.flows, run->flow_count, read.flow->flow.id, read.value / 1e6);
    if (!acked.flow)
        return;
    const struct end_report *src = &acked.flow->flow.report[END_SRC];
    const double left_ns = from_to(src, T_FIRST_BYTE, src, T_FIRST_LEFT);
    if (left_ns >= 0)
        snprintf(left, sizeof left, " (they left their host after %.1f ms)", left_ns / 1e6);
    add(out,
        FLOWS_FORMAT "their first data were acknowledged late; the worst is flow %" PRId32
                     ", %.0f ms behind the first write%s: the network, not the receiver's program",
        acked.flows, run->flow_count, acked.flow->flow.id, acked.value / 1e6, left);
}

/* Of the source: a reader gives up what it was due to read also where nothing came. */
static double skipped(const struct flow_summary *flow, const struct end_report *report)
{
    if (report->end != END_SRC || !flow->flow.tuning.send_rate)
        return -1;
    return (double)report->skipped_bytes /
           ((double)report->skipped_bytes + (double)report->paced_bytes);
}

static void add_skipped(struct warnings *out, const struct run_summary *run)
{
    const struct worst worst = find_worst(run, skipped, SKIPPED_SHARE);
    if (worst.flow)
        add(out,
            FLOWS_FORMAT "less was sent than send_rate offered; the worst is flow %" PRId32
                         ", which "
                         "skipped %.1f %% of it: the path, or the host, was too slow",
            worst.flows, run->flow_count, worst.flow->flow.id, worst.value * 100);
}

/* Of what was due to be read, and was there. */
static double neglected(const struct flow_summary *flow, const struct end_report *report)
{
    if (report->end != END_DST || !flow->flow.tuning.read_rate)
        return -1;
    return (double)report->neglected_bytes /
           ((double)report->skipped_bytes + (double)report->paced_bytes);
}

static void add_neglected(struct warnings *out, const struct run_summary *run)
{
    const struct worst worst = find_worst(run, neglected, NEGLECTED_SHARE);
    if (worst.flow)
        add(out,
            FLOWS_FORMAT "less was read than read_rate asks for, though it was there; the worst is "
                         "flow %" PRId32 ", which gave up %.1f %% of it: the receiver's program "
                         "was held up, or had too little CPU",
            worst.flows, run->flow_count, worst.flow->flow.id, worst.value * 100);
}

/* ---- of what did not get through ---- */

static double stood_still(const struct flow_summary *flow)
{
    const double ns = (double)flow->standstill.ns;
    const double share_ns = STANDSTILL_SHARE * (double)flow->flow.duration_ns;
    const bool much = ns >= (double)STANDSTILL_LEAST_NS && ns >= share_ns;
    const bool is_long = ns >= (double)STANDSTILL_NS || much;
    return is_long && ns >= STANDSTILL_RTTS * (double)flow->rtt_min_ns ? ns : 0;
}

static void add_standstills(struct warnings *out, const struct run_summary *run)
{
    const struct flow_summary *worst = NULL;
    size_t count = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct flow_summary *flow = &run->flows[i];
        count += stood_still(flow) > 0;
        if (stood_still(flow) > (worst ? stood_still(worst) : 0))
            worst = flow;
    }
    if (worst)
        add(out,
            "%zu of %zu flows stood still with data waiting: flow %" PRId32
            " longest, for %.3g s from t = %.3f s%s",
            count, run->flow_count, worst->flow.id, (double)worst->standstill.ns / 1e9,
            (double)worst->standstill.from_ns / 1e9,
            worst->standstill.shut ? ", as its receiver's window was shut" : "");
}

#define HOLE_CURE                                                                                 \
    "let ICMP \"fragmentation needed\" (IPv6: \"packet too big\") pass, or lower the MTU or the " \
    "flows' mss"

/* The first of a kind stands for all: of a path all have the same. */
static void add_holes(struct warnings *out, const struct run_summary *run, enum mtu_verdict verdict,
                      bool passed)
{
    const struct flow_summary *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct mtu_hole *hole = &run->flows[i].hole;
        const bool is = hole->verdict == verdict && (hole->passed > 0) == passed;
        count += is;
        first = is && !first ? &run->flows[i] : first;
    }
    if (first && verdict == MTU_HOLE)
        add(out,
            FLOWS_FORMAT "packets of %" PRIu32 " bytes do not get through from %s to %s, those of "
                         "%" PRIu32 " do, and no router says so: a path MTU black hole (" HOLE_CURE
                         "); the first is flow %" PRId32,
            count, run->flow_count, first->hole.packet, first->flow.src, first->flow.dst,
            first->hole.passed, first->flow.id);
    else if (first && passed)
        add(out,
            FLOWS_FORMAT "after timeouts packets of up to %" PRIu32 " bytes are sent from %s to "
                         "%s, which get through, and none of %" PRIu32
                         ": it may be a path MTU black hole (" HOLE_CURE
                         "), or the path was down; the first is flow %" PRId32,
            count, run->flow_count, first->hole.passed, first->flow.src, first->flow.dst,
            first->hole.packet, first->flow.id);
    else if (first)
        add(out,
            FLOWS_FORMAT "the handshake got through from %s to %s, but not one packet of %" PRIu32
                         " bytes: it may be a path MTU black hole (" HOLE_CURE "; "
                         "net.ipv4.tcp_mtu_probing=1 finds a size that passes), or the path went "
                         "down; the first is flow %" PRId32,
            count, run->flow_count, first->flow.src, first->flow.dst, first->hole.packet,
            first->flow.id);
}

/* The kernel does not call it a retransmit when the sender's own queue dropped a segment. */
static void add_requeued(struct warnings *out, const struct run_summary *run)
{
    uint64_t bytes = 0;
    size_t count = 0;
    char text[UNITS_TEXT_MAX];
    for (size_t i = 0; i < run->flow_count; i++) {
        const struct ledger *ledger = &run->flows[i].flow.ledger;
        const bool some = ledger->state == LEDGER_RECONCILES && ledger->requeued > 0;
        count += some;
        bytes += some ? ledger->requeued : 0;
    }
    if (count)
        add(out,
            FLOWS_FORMAT "%s were sent again because the sender's own queue had dropped them, "
                         "which the kernel does not count as retransmits",
            count, run->flow_count, units_bytes(bytes, text));
}

/* ---- of goodput ---- */

/* Why a flow failed is told elsewhere. */
static bool lacks(const struct flow_summary *flow, enum goodput_lack lack)
{
    const bool failed = lack == GOODPUT_NO_DATA && flow->flow.status == FLOW_FAILED;
    return flow->goodput.lack == lack && !failed;
}

static void add_lacks(struct warnings *out, const struct run_summary *run)
{
    for (enum goodput_lack lack = GOODPUT_THERE_IS + 1; lack < GOODPUT_LACKS; lack++) {
        size_t count = 0;
        char warmup[DURATION_TEXT_MAX + 4] = "", text[DURATION_TEXT_MAX];
        for (size_t i = 0; i < run->flow_count; i++)
            count += lacks(&run->flows[i], lack);
        if (lack == GOODPUT_BEHIND)
            snprintf(warmup, sizeof warmup, " of %s", duration_format(run->warmup_ns, text));
        if (count)
            add(out, "%zu of %zu flows have no goodput: %s%s", count, run->flow_count,
                goodput_lack_text(lack), warmup);
    }
}

static void add_doubts(struct warnings *out, const struct run_summary *run)
{
    size_t doubtful = 0, bounded = 0, by[3] = {0};
    for (size_t i = 0; i < run->flow_count; i++) {
        doubtful += run->flows[i].goodput.doubtful;
        bounded += run->flows[i].goodput.doubtful && run->flows[i].goodput.least_bps >= 0;
        by[run->flows[i].basis] += goodput_has_span(&run->flows[i].goodput);
    }
    if (doubtful)
        add(out,
            FLOWS_FORMAT "their goodput (~) may be wrong by more than 1 %%: the clocks, or the "
                         "moment of the last arrival, are not known well enough for so short a "
                         "time%s",
            doubtful, run->flow_count, bounded ? "; summary --json has its limits" : "");
    if (by[BY_SAMPLES])
        add(out, FLOWS_FORMAT "their goodput is of samples alone: the receiver's report is missing",
            by[BY_SAMPLES], run->flow_count);
    if (by[BY_READS])
        add(out,
            FLOWS_FORMAT "their goodput counts from the receiver's first read on, not from the "
                         "source's first write, for their record has not what that takes: it may "
                         "be too high",
            by[BY_READS], run->flow_count);
}

void warnings_of(struct warnings *out, const struct run_summary *run)
{
    add_own(out, run);
    add_ledgers(out, run);
    add_lateness(out, run);
    add_missed(out, run);
    add_late_turns(out, run);
    add_waits(out, run);
    add_first_reads(out, run);
    add_first_bytes(out, run);
    add_skipped(out, run);
    add_neglected(out, run);
    add_standstills(out, run);
    add_holes(out, run, MTU_HOLE, true);
    add_holes(out, run, MTU_MAY_BE_HOLE, true);
    add_holes(out, run, MTU_MAY_BE_HOLE, false);
    add_requeued(out, run);
    add_lacks(out, run);
    add_doubts(out, run);
}
