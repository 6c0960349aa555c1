#include "master/intake.h"

#include <inttypes.h>

#include "master/session.h"
#include "model/ns.h"

#define SLACK     16          /* rows beside those of ticks: the first, the last */
#define FRAME     32          /* bytes that a record takes in the part file beside its own */
#define OTHER     (1u << 20)  /* bytes of records of no end, beside those that come with time, */
#define OTHER_S   (96u << 10) /* which are these in a second: 20 rows of 16 interfaces, an axis */
#define EACH_ONCE (1u << SPOOL_READY | 1u << SPOOL_REPORT | 1u << SPOOL_CAPTURED)

uint64_t intake_due(int64_t start_ns, int64_t duration_ns, int64_t now_ns, uint64_t rate,
                    int64_t per_ns)
{
    const int64_t ahead = INTAKE_AHEAD_NS;
    wide_ns passed = (wide_ns)now_ns - start_ns;
    if (passed < 0)
        passed = 0;
    if (passed > duration_ns)
        passed = duration_ns;
    return (uint64_t)((passed + ahead) * (wide_ns)rate / per_ns) + SLACK;
}

static int64_t axis_time(const struct session *session, int64_t now_ns)
{
    return session->t0_ns ? now_ns - session->t0_ns : 0;
}

static bool of_an_end(const struct spool_head *head)
{
    return head->kind == SPOOL_SAMPLES || head->kind == SPOOL_PACKETS ||
           EACH_ONCE >> head->kind & 1;
}

static struct intake *intake_of(const struct master_agent *agent, const struct spool_head *head)
{
    return &agent->session->flows[head->flow].taken[head->end];
}

static int refuse(const struct master_agent *agent, const struct spool_head *head, const char *what,
                  uint64_t due, struct error *err)
{
    return error_set(err, ERROR_AGENT, NULL,
                     "it sent more %s of flow %d, %s end, than the %" PRIu64 " that can be due",
                     what, agent->session->plan->flows[head->flow].id,
                     head->end == END_SRC ? "src" : "dst", due);
}

static int admit_samples(const struct master_agent *agent, const struct spool_head *head,
                         int64_t now_ns, struct error *err)
{
    const struct plan_flow *flow = &agent->session->plan->flows[head->flow];
    const int64_t interval =
        agent->info.interval_ns > INTERVAL_MIN_NS ? agent->info.interval_ns : INTERVAL_MIN_NS;
    const uint64_t due = intake_due(flow->start_ns, flow->duration_ns,
                                    axis_time(agent->session, now_ns), 1, interval);
    return intake_of(agent, head)->rows + head->rows <= due
               ? 0
               : refuse(agent, head, "samples", due, err);
}

static int admit_packets(const struct master_agent *agent, const struct spool_head *head,
                         int64_t now_ns, struct error *err)
{
    const struct plan_flow *flow = &agent->session->plan->flows[head->flow];
    const struct intake *taken = intake_of(agent, head);
    uint64_t due = intake_due(flow->start_ns, flow->duration_ns, axis_time(agent->session, now_ns),
                              INTAKE_PACKETS_RATE, NS_PER_S);
    if (flow->capture == CAPTURE_NONE)
        due = 0;
    else if (taken->told >> SPOOL_CAPTURED & 1) /* which says how many there are */
        due = taken->packets;
    return taken->packets + head->rows <= due ? 0
                                              : refuse(agent, head, "captured packets", due, err);
}

static int admit_others(const struct master_agent *agent, size_t size, int64_t now_ns,
                        struct error *err)
{
    const struct session *session = agent->session;
    const uint64_t due =
        agent->told_bytes + OTHER +
        intake_due(0, session->plan->end_ns, axis_time(session, now_ns), OTHER_S, NS_PER_S);
    if (agent->taken_bytes + size + FRAME <= due)
        return 0;
    return error_set(err, ERROR_AGENT, NULL,
                     "it sent more of its machine and of the run than the %" PRIu64
                     " bytes that can be due",
                     due);
}

int intake_admit(const struct master_agent *agent, const struct spool_head *head, size_t size,
                 int64_t now_ns, struct error *err)
{
    if (head->kind == SPOOL_SAMPLES)
        return admit_samples(agent, head, now_ns, err);
    if (head->kind == SPOOL_PACKETS)
        return admit_packets(agent, head, now_ns, err);
    if (!of_an_end(head))
        return admit_others(agent, size, now_ns, err);
    if (intake_of(agent, head)->told >> head->kind & 1)
        return refuse(agent, head, "reports", 1, err);
    return 0;
}

void intake_count(struct master_agent *agent, const struct spool_head *head, size_t size)
{
    if (!of_an_end(head)) {
        agent->taken_bytes += size + FRAME;
        return;
    }
    struct intake *taken = intake_of(agent, head);
    taken->rows += head->kind == SPOOL_SAMPLES ? head->rows : 0;
    taken->packets += head->kind == SPOOL_PACKETS ? head->rows : 0;
    taken->told |= EACH_ONCE & 1u << head->kind;
}
