#include "master/part_clocks.h"

#include <string.h>

#include "format/result_message.h"
#include "master/clock_points.h"
#include "master/output.h"
#include "proto/agent.pb-c.h"

/* To the axis in place of the master's clock, which nobody else has. */
static struct clock_fit onto_axis(struct clock_fit fit, int64_t t0_ns)
{
    fit.offset_ns += t0_ns;
    for (size_t i = 0; i < fit.knot_count; i++)
        fit.knots[i].offset_ns += t0_ns;
    return fit;
}

/* As a Prepare of no flow that names the agent. */
static int write_agent(const struct session *session, const struct master_agent *agent,
                       struct buffer *out)
{
    struct run_agent one = {.mgmt = agent->info.mgmt,
                            .clock = onto_axis(clock_points_fit(agent), session->t0_ns)};
    struct run_info run = {.agents = &one, .agent_count = 1};
    uint32_t place = output_place(agent);
    memcpy(one.clock_network, agent->info.clock_network, sizeof one.clock_network);
    Tcpflowgen__Run *message = run_to_message(&run);
    Tcpflowgen__PrepareRequest prepare = TCPFLOWGEN__PREPARE_REQUEST__INIT;
    if (!message)
        return -1;
    prepare.run = (char *)session->id;
    prepare.agents = message->agents;
    prepare.n_agents = prepare.n_agent_places = 1;
    prepare.agent_places = &place;
    prepare.agent = UINT32_MAX; /* it is no agent's spool */
    const int failed = spool_record_prepare(out, &prepare);
    tcpflowgen__run__free_unpacked(message, NULL);
    return failed;
}

static int keep_agent(struct session *session, const struct master_agent *agent, struct error *err)
{
    const struct spool_head head = {.kind = SPOOL_PREPARE};
    struct buffer record = {0};
    int failed = write_agent(session, agent, &record);
    if (failed)
        failed = error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    else
        failed =
            collect_add(session->collect, SPOOL_OF_MASTER, &head, record.data, record.size, err);
    buffer_fini(&record);
    return failed;
}

int part_clocks_keep(struct session *session, struct error *err)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < session->agent_count; i++)
        if (!session->agents[i].merged && session->agents[i].clock.point_count)
            failed = keep_agent(session, &session->agents[i], err);
    return failed;
}
